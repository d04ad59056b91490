// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote/auth"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
)

func TestTheCredentialsOfARepository(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte("robot:pass:word"))
	robot := auth.Credential{Username: "robot", Password: "pass:word"}
	entry := `{"auth":"` + encoded + `"}`
	other := `{"username":"other","password":"other"}`
	for _, test := range []struct {
		name, config, repository string
		want                     auth.Credential
	}{
		{"no configuration", ``, "registry.example/web", auth.EmptyCredential},
		{"no entries", `{}`, "registry.example/web", auth.EmptyCredential},
		{"host", `{"auths":{"registry.example":` + entry + `}}`, "registry.example/web", robot},
		{"URL", `{"auths":{"https://registry.example/v1/":` + entry + `}}`, "registry.example/web", robot},
		{"URL of version 2", `{"auths":{"https://registry.example/v2/":` + entry + `}}`, "registry.example/web", robot},
		{"host and port", `{"auths":{"registry.example:5000":` + entry + `}}`, "registry.example:5000/web", robot},
		{"other port", `{"auths":{"registry.example:5000":` + entry + `}}`, "registry.example/web", auth.EmptyCredential},
		{"port of TLS", `{"auths":{"registry.example:443":` + entry + `}}`, "registry.example/web", robot},
		{"other host", `{"auths":{"registry.example":` + entry + `}}`, "registry.example.org/web", auth.EmptyCredential},
		{"subdomain", `{"auths":{"example":` + entry + `}}`, "registry.example/web", auth.EmptyCredential},
		{"path", `{"auths":{"registry.example/team":` + entry + `,"registry.example":` + other + `}}`, "registry.example/team/web", robot},
		{"longest path", `{"auths":{"registry.example/team":` + other + `,"registry.example/team/web":` + entry + `}}`, "registry.example/team/web", robot},
		{"other path", `{"auths":{"registry.example/team":` + other + `,"registry.example":` + entry + `}}`, "registry.example/teams/web", robot},
		{"wildcard", `{"auths":{"*.example":` + entry + `}}`, "registry.example/web", robot},
		{"wildcard of one label", `{"auths":{"*.example":` + entry + `}}`, "a.registry.example/web", auth.EmptyCredential},
		{"host before wildcard", `{"auths":{"*.example":` + other + `,"registry.example":` + entry + `}}`, "registry.example/web", robot},
		{"Docker Hub", `{"auths":{"https://index.docker.io/v1/":` + entry + `}}`, "docker.io/library/web", robot},
		{"tokens", `{"auths":{"registry.example":{"identitytoken":"identity","registrytoken":"registry"}}}`, "registry.example/web",
			auth.Credential{RefreshToken: "identity", AccessToken: "registry"}},
		{"helpers are ignored", `{"credsStore":"x","credHelpers":{"registry.example":"y"},"auths":{"registry.example":` + entry + `}}`, "registry.example/web", robot},
	} {
		t.Run(test.name, func(t *testing.T) {
			reference := require.Value(registry.ParseReference(test.repository))(t)
			found, err := parseCredentials([]byte(test.config), ".dockerconfigjson", reference, false)
			require.NoError(t, err)
			got := require.Value(found.get(t.Context()))(t)
			if got != test.want || found.has != (test.want != auth.EmptyCredential) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestAConfigurationThatIsNotValidNamesTheKeyOfTheSecret(t *testing.T) {
	for _, test := range []struct {
		name string
		o    Options
		want v1alpha1.FailureReason
		says string
	}{
		{"no JSON", Options{DockerConfig: []byte("hunter2")}, v1alpha1.ReasonRegistryDenied, ".dockerconfigjson"},
		{"other JSON", Options{DockerConfig: []byte(`{"auths":"hunter2"}`)}, v1alpha1.ReasonRegistryDenied, ".dockerconfigjson"},
		{"no base64", Options{DockerConfig: []byte(`{"auths":{"registry.example":{"auth":"hunter2!"}}}`)}, v1alpha1.ReasonRegistryDenied, ".dockerconfigjson"},
		{"no password", Options{DockerConfig: []byte(`{"auths":{"registry.example":{"username":"hunter2"}}}`)}, v1alpha1.ReasonRegistryDenied, ".dockerconfigjson"},
		{"no certificate", Options{CA: []byte("hunter2")}, v1alpha1.ReasonRegistryRefused, "ca.crt"},
		{"a certificate that is none", Options{CA: []byte("-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n")}, v1alpha1.ReasonRegistryRefused, "ca.crt"},
	} {
		_, err := NewPusher("registry.example/web", test.o)
		failure, ok := errors.AsType[*Error](err)
		if !ok || failure.Reason != test.want || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %s about %s", test.name, err, test.want, test.says)
		}
	}
}

func TestCredentialHelpersRunOnlyIfTheyMay(t *testing.T) {
	bin, ran := t.TempDir(), filepath.Join(t.TempDir(), "ran")
	script := "#!/bin/sh\n: >" + ran + "\nprintf '{\"Username\":\"" + registrytest.User + "\",\"Secret\":\"" + registrytest.Password + "\"}'\n"
	require.NoError(t, os.WriteFile(filepath.Join(bin, "docker-credential-test"), []byte(script), 0o700))
	t.Setenv("PATH", bin)
	t.Setenv("HOME", bin)
	r := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	// What the user's own configuration has must not be used by itself.
	require.NoError(t, os.Mkdir(filepath.Join(bin, ".docker"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(bin, ".docker", "config.json"), r.DockerConfig(registrytest.Password), 0o600))
	config := []byte(`{"credHelpers":{"` + r.Host() + `":"test"}}`)
	_, err := pushIn(t, r, Options{DockerConfig: config}, contentOf([]byte("disk")))
	if failure, ok := errors.AsType[*Error](err); !ok || failure.Reason != v1alpha1.ReasonRegistryDenied {
		t.Errorf("got %v, want a denial", err)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the helper ran for a Secret")
	}
	for _, config := range []string{string(config), `{"credsStore":"test"}`} {
		_, err = pushIn(t, r, Options{Logins: []Login{{Config: []byte(config)}}}, contentOf([]byte("disk")))
		require.NoError(t, err)
	}
	_, err = pushIn(t, r, Options{Logins: []Login{{Config: []byte(`{"credsStore":"lost"}`), Command: "docker login"}}}, contentOf([]byte("other disk")))
	failure, ok := errors.AsType[*Error](err)
	if !ok || failure.Reason != v1alpha1.ReasonRegistryDenied || !strings.Contains(err.Error(), "): ask docker-credential-lost: ") || !strings.Contains(err.Error(), "not found") {
		t.Errorf("got %v, want a denial that names the helper which is lost", err)
	}
}

func TestTheFirstLoginWithCredentialsCounts(t *testing.T) {
	entry := func(user string) []byte {
		return []byte(`{"auths":{"registry.example":{"username":"` + user + `","password":"x"}}}`)
	}
	other := []byte(`{"auths":{"other.example":{"username":"other","password":"x"}}}`)
	broken := []byte("{")
	for _, test := range []struct {
		name           string
		podman, docker []byte
		user, command  string
		says           string
	}{
		{name: "none", command: "docker login"},
		{name: "docker's", docker: entry("docker"), user: "docker", command: "docker login"},
		{name: "podman's", podman: entry("podman"), user: "podman", command: "podman login"},
		{name: "both", podman: entry("podman"), docker: entry("docker"), user: "podman", command: "podman login"},
		{name: "both, and podman's are for another registry", podman: other, docker: entry("docker"), user: "docker", command: "docker login"},
		{name: "both for another registry", podman: other, docker: other, command: "podman login"},
		{name: "podman's are broken", podman: broken, docker: entry("docker"), says: "auth.json is not JSON of a Docker configuration"},
		{name: "docker's are broken", podman: entry("podman"), docker: broken, user: "podman", command: "podman login"},
		{name: "docker's are needed and broken", podman: other, docker: broken, says: "config.json is not JSON of a Docker configuration"},
	} {
		o := Options{Logins: []Login{{"auth.json", test.podman, "podman login"}, {"config.json", test.docker, "docker login"}}}
		found, command, err := o.credentials(registry.Reference{Registry: "registry.example", Repository: "web"})
		if test.says != "" {
			if err == nil || err.Error() != test.says {
				t.Errorf("%s: got error %v, want %s", test.name, err, test.says)
			}
			continue
		}
		if err != nil || found.static.Username != test.user || found.has != (test.user != "") || command != test.command {
			t.Errorf("%s: got %+v of %q, %v", test.name, found, command, err)
		}
		if got := remediesFor("push to", registry.Reference{Registry: "registry.example"}, o, command); got.wrong != "run: "+test.command+" registry.example" {
			t.Errorf("%s: the remedy is %q", test.name, got.wrong)
		}
	}
}

// elsewhere is a registry that remembers what clients authenticate with.
func elsewhere(t *testing.T) (other *registrytest.Registry, received func() []string) {
	t.Helper()
	other = registrytest.New(t, registrytest.Options{})
	var mu sync.Mutex
	var headers []string
	other.Inject(always, "", "", func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		mu.Lock()
		headers = append(headers, req.Header.Get("Authorization"))
		mu.Unlock()
		next.ServeHTTP(w, req)
	})
	return other, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return headers
	}
}

func TestCredentialsStayAtTheRegistry(t *testing.T) {
	for _, scheme := range []string{"Basic", "Bearer"} {
		t.Run(scheme, func(t *testing.T) {
			other, received := elsewhere(t)
			r := registrytest.New(t, registrytest.Options{Auth: scheme})
			o := Options{DockerConfig: r.DockerConfig(registrytest.Password)}
			content := randomContent(100 << 10)
			_, err := pushIn(t, r, o, content)
			require.NoError(t, err)

			// A redirect of a download. The other registry has the content.
			_, err = pushIn(t, other, Options{}, content)
			require.NoError(t, err)
			before := len(received())
			r.Inject(1, "GET", "/blobs/", func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
				http.Redirect(w, req, "http://"+other.Host()+req.URL.Path, http.StatusTemporaryRedirect)
			})
			f := require.Value(NewFetcher(r.Host()+"/team/web", o))(t)
			require.NoError(t, f.Copy(t.Context(), Whole(content.Digest, content.SizeBytes), io.Discard))

			// An upload to another host.
			r.Inject(1, "POST", "/uploads/", func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
				w.Header().Set("Location", "http://user:password@"+other.Host()+req.URL.Path+"1")
				w.WriteHeader(http.StatusAccepted)
			})
			_, err = pushIn(t, r, o, randomContent(90<<10))
			require.NoError(t, err)

			if got := received()[before:]; len(got) < 3 || strings.Join(got, "") != "" {
				t.Errorf("the other host received %q", got)
			}
		})
	}
}
