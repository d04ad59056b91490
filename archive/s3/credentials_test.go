// SPDX-License-Identifier: Apache-2.0

package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/archive/s3/s3test"
	"goldsmith.dev/goldsmith/e2e/require"
)

const token = "a token/of+a=session"

// machine answers for ECS and EKS at /container, for EC2, and for the Security Token Service.
func machine(w http.ResponseWriter, r *http.Request) {
	const folder = "/latest/meta-data/iam/security-credentials/"
	expiration := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	answer := fmt.Sprintf(`{"Code": "Success", "AccessKeyId": %q, "SecretAccessKey": %q, "Token": %q, "Expiration": %q}`, id, secret, token, expiration)
	switch action, known := r.FormValue("Action"), r.Header.Get("X-Aws-Ec2-Metadata-Token") == "t"; {
	case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token":
		_, _ = fmt.Fprint(w, "t")
	case known && r.URL.Path == folder:
		_, _ = fmt.Fprint(w, "role")
	case known && r.URL.Path == folder+"role", r.URL.Path == "/container" && r.Header.Get("Authorization") == "Bearer x":
		_, _ = fmt.Fprint(w, answer)
	case action == "AssumeRoleWithWebIdentity" && r.FormValue("WebIdentityToken") == "Bearer x" && r.FormValue("RoleArn") == "arn:role",
		action == "AssumeRole" && strings.Contains(r.Header.Get("Authorization"), "Credential=base/") && r.FormValue("RoleArn") == "arn:role" && r.FormValue("ExternalId") != "wrong":
		_, _ = fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>%[2]s</AccessKeyId>`+
			`<SecretAccessKey>%[3]s</SecretAccessKey><SessionToken>%[4]s</SessionToken><Expiration>%[5]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
			action, id, secret, token, expiration)
	case r.URL.Path == "/redirect":
		http.Redirect(w, r, "/container", http.StatusTemporaryRedirect)
	case action != "":
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>`)
	default:
		w.WriteHeader(http.StatusForbidden)
	}
}

// Each source gives the same credentials, which the server checks.
func TestCredentialsAreFound(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(machine))
	defer h.Close()
	files := t.TempDir()
	file := func(name, content string) string {
		require.NoError(t, os.WriteFile(filepath.Join(files, name), []byte(content), 0o600))
		return filepath.Join(files, name)
	}
	keys := fmt.Sprintf("aws_access_key_id = %s\naws_secret_access_key=%s\n# a = b\nAWS_SESSION_TOKEN = %s # of today\n", id, secret, token)
	profiles := file("credentials", "[other]\naws_access_key_id = wrong\n[ default ]\n"+keys+"[last]\naws_access_key_id = wrong\n")
	answer := file("answer", fmt.Sprintf(`{"Version": 1, "AccessKeyId": %q, "SecretAccessKey": %q, "SessionToken": %q}`, id, secret, token))
	identity := file("token", "Bearer x")
	config := file("config", `[default]
region = there
[profile p]
credential_process = cat '`+answer+`'
[profile base]
aws_access_key_id = base
aws_secret_access_key = base
[profile role]
source_profile = base
role_arn = arn:role
external_id = right
[profile wrong]
source_profile = base
role_arn = arn:role
external_id = wrong
[profile identity]
web_identity_token_file = `+identity+`
role_arn = arn:role
[profile environment]
credential_source = Environment
[profile machine]
credential_source = Ec2InstanceMetadata
[profile sso]
sso_session = x
sso_role_name = r
sso_account_id = 1
[profile login]
login_session = x
[profile mfa]
source_profile = base
role_arn = arn:role
mfa_serial = x
[profile cycle]
source_profile = cycle2
[profile cycle2]
source_profile = cycle
[profile half]
aws_access_key_id = base
[profile text]
credential_process = echo `+secret+`
[profile fails]
credential_process = exit 3
`)
	type environment = map[string]string
	ec2 := environment{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": h.URL + "/"}
	for name, source := range map[string]struct {
		environment environment
		query, want string
	}{
		"environment":       {environment: environment{"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}},
		"old names":         {environment: environment{"AWS_ACCESS_KEY": id, "AWS_SECRET_KEY": secret, "AWS_SESSION_TOKEN": token}},
		"file":              {environment: environment{"AWS_SHARED_CREDENTIALS_FILE": profiles}},
		"process":           {environment: environment{"AWS_PROFILE": "p"}},
		"profile":           {environment: environment{"AWS_ACCESS_KEY_ID": "wrong", "AWS_SECRET_ACCESS_KEY": "wrong"}, query: "&profile=p"},
		"role":              {environment: environment{"AWS_PROFILE": "role"}},
		"role of the URL":   {query: "&profile=base&role=arn:role"},
		"identity":          {environment: environment{"AWS_WEB_IDENTITY_TOKEN_FILE": identity, "AWS_ROLE_ARN": "arn:role"}},
		"identity, profile": {environment: environment{"AWS_PROFILE": "identity"}},
		"as environment":    {environment: environment{"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}, query: "&profile=environment"},
		"ECS":               {environment: environment{"AWS_CONTAINER_CREDENTIALS_FULL_URI": h.URL + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer x"}},
		"EKS":               {environment: environment{"AWS_CONTAINER_CREDENTIALS_FULL_URI": h.URL + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": identity}},
		"EC2":               {environment: ec2},
		"EC2, profile":      {environment: ec2, query: "&profile=machine"},
		"none":              {want: "set AWS_ACCESS_KEY_ID"},
		"EC2 has none":      {environment: environment{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"}, want: "this machine has no role of EC2"},
		"SSO":               {environment: environment{"AWS_PROFILE": "sso", "HOME": files}, want: "try `aws sso login`"},
		"login":             {environment: environment{"AWS_PROFILE": "login"}, want: "profile login has a login_session: replace it by"},
		"MFA":               {environment: environment{"AWS_PROFILE": "mfa"}, want: "has an mfa_serial"},
		"cycle":             {environment: environment{"AWS_PROFILE": "cycle"}, want: "leads back to itself"},
		"half":              {environment: environment{"AWS_PROFILE": "half"}, want: "the source has no access key"},
		"role, refused":     {environment: environment{"AWS_PROFILE": "wrong"}, want: "not authorized"},
		"another host": {environment: environment{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "x"},
			want: "not a loopback address"},
		"another host, file": {environment: environment{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": identity},
			want: "not a loopback address"},
		"a redirect":           {environment: environment{"AWS_CONTAINER_CREDENTIALS_FULL_URI": h.URL + "/redirect", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer x"}, want: "307"},
		"no JSON":              {environment: environment{"AWS_PROFILE": "text"}, want: "does not answer with JSON"},
		"a command that fails": {environment: environment{"AWS_PROFILE": "fails"}, want: "exit status 3"},
	} {
		t.Run(name, func(t *testing.T) {
			server, address := serve(t)
			t.Setenv("AWS_ACCESS_KEY_ID", "")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "")
			t.Setenv("AWS_CONFIG_FILE", config)
			t.Setenv("AWS_ENDPOINT_URL_STS", h.URL)
			for variable, value := range source.environment {
				t.Setenv(variable, value)
			}
			server.Set(func(_ http.ResponseWriter, r *http.Request, _ int) bool {
				if !strings.Contains(r.Header.Get("Authorization"), id) || r.Header.Get("X-Amz-Security-Token") != token {
					t.Errorf("signed by %s", r.Header.Get("Authorization"))
				}
				return false
			})
			err := require.Value(openBucket(t, address+source.query))(t).Put(t.Context(), "key", []byte("x"))
			if source.want == "" && err != nil || source.want != "" && (err == nil || !strings.Contains(err.Error(), source.want) || strings.Contains(err.Error(), secret)) {
				t.Errorf("got %v, want %s", err, source.want)
			}
		})
	}
}

func TestExpiredCredentialsAreFetchedAgain(t *testing.T) {
	server, address := serve(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	directory := t.TempDir()
	config, answer := filepath.Join(directory, "config"), filepath.Join(directory, "answer")
	calls := func() int {
		content, _ := os.ReadFile(directory + "/calls")
		return len(content)
	}
	now := time.Now()
	expires := func(in time.Duration) {
		text := fmt.Sprintf(`{"AccessKeyId": %q, "SecretAccessKey": %q, "Expiration": %q}`, id, secret, now.Add(in).UTC().Format(time.RFC3339Nano))
		require.NoError(t, os.WriteFile(answer, []byte(text), 0o600))
	}
	require.NoError(t, os.WriteFile(config, []byte("[default]\ncredential_process = echo >>"+directory+"/calls; cat "+answer+"\n"), 0o600))
	t.Setenv("AWS_CONFIG_FILE", config)
	expires(time.Hour)
	b := require.Value(open(require.Value(url.Parse(address))(t), func() time.Time { return now }))(t)
	step := func(what string, want int) {
		t.Helper()
		if err := b.Ping(t.Context(), ""); err != nil || calls() != want {
			t.Errorf("%s: asked %d times, %v", what, calls(), err)
		}
	}
	step("at first", 1)
	step("they are kept", 1)
	refuse := func(w http.ResponseWriter, _ *http.Request, number int) bool {
		if number == 1 {
			s3test.Refuse(w, http.StatusBadRequest, "ExpiredToken", "The provided token has expired.")
		}
		return number == 1
	}
	server.Set(refuse)
	expires(time.Minute)
	step("refused as expired", 2)
	now = now.Add(50 * time.Second) // more than four fifths of their time
	require.NoError(t, os.Remove(answer))
	step("renewed too early to fail", 3)
	now = now.Add(10 * time.Second)
	expires(time.Hour)
	step("then they have expired", 4)
}

// A source that hangs ends with the request's context.
func TestASourceThatHangs(t *testing.T) {
	_, address := serve(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	h := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer h.Close()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", h.URL)
	b := require.Value(openBucket(t, address))(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := b.Ping(ctx, ""); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
	h.CloseClientConnections()
}
