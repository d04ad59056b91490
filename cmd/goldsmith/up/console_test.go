// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/e2e/require"
)

var consoleLine = regexp.MustCompile(`(?m)^console: (http://[a-z2-7]{26}\.localhost:[0-9]+)/ui/#code=(\S+)$`)

// consoleOf returns the address of the console that a server printed, and the code of its link.
func consoleOf(t *testing.T, server *rest.Config, printed string) (address, code string) {
	t.Helper()
	line := consoleLine.FindStringSubmatch(printed)
	if line == nil || portOf(t, line[1]) == portOf(t, server.Host) {
		t.Fatalf("the server at %s printed %q", server.Host, printed)
	}
	return line[1], line[2]
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	return require.Value(url.Parse(address))(t).Port()
}

// askConsole sends a request to a console and reads the answer, unless into is nil.
func askConsole(ctx context.Context, t *testing.T, method, url, token, body string, into any) (status int) {
	t.Helper()
	request := require.Value(http.NewRequestWithContext(ctx, method, url, strings.NewReader(body)))(t)
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(require.Resolve(request))
	require.NoError(t, err)
	content, err := io.ReadAll(response.Body)
	require.NoError(t, errors.Join(err, response.Body.Close()))
	if into != nil {
		if err := json.Unmarshal(content, into); err != nil {
			t.Errorf("%s %s: got %s %s: %v", method, url, response.Status, content, err)
		}
	}
	return response.StatusCode
}

// signIn opens the link to a console, and returns the token of its page, which acts as the administrator.
func signIn(ctx context.Context, t *testing.T, address, code string) (token string) {
	t.Helper()
	var session struct{ Token, Namespace, Command string }
	status := askConsole(ctx, t, http.MethodPost, address+"/ui/session", "", `{"code": "`+code+`"}`, &session)
	if status != http.StatusOK || session.Token == "" || session.Namespace != "default" || session.Command != "goldsmith console" {
		t.Errorf("the link to %s: got %d %+v", address, status, session)
	}
	review := &authenticationv1.SelfSubjectReview{}
	status = askConsole(ctx, t, http.MethodPost, address+"/apis/authentication.k8s.io/v1/selfsubjectreviews", session.Token,
		`{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}`, review)
	if status != http.StatusCreated || review.Status.UserInfo.Username != administratorName {
		t.Errorf("a page at %s: got %d %+v", address, status, review)
	}
	return session.Token
}

func TestASessionEndsWithTheServer(t *testing.T) {
	t.Parallel()
	data, token := t.TempDir(), ""
	for _, journal := range []bool{false, true, false} {
		ctx, stop := context.WithTimeout(t.Context(), patience)
		out, ready := &bytes.Buffer{}, false
		watch := io.NopCloser(http.NoBody)
		err := Run(ctx, Options{DataDirectory: data, Out: out, Journal: journal, OnReady: func(config *rest.Config, _ string) {
			defer stop()
			ready = true
			if status := askConsole(ctx, t, http.MethodGet, strings.Replace(config.Host, "https://", "http://", 1)+"/ui/", "", "", nil); status != http.StatusBadRequest {
				t.Errorf("HTTP at the port of the API: got %d", status)
			}
			if token != "" {
				former := rest.AnonymousClientConfig(config)
				former.BearerToken = token
				if _, err := require.Value(discovery.NewDiscoveryClientForConfig(former))(t).ServerVersion(); !apierrors.IsUnauthorized(err) {
					t.Errorf("the API, with the token of a former server: %v", err)
				}
			}
			if journal {
				if consoleLine.MatchString(out.String()) {
					t.Errorf("everybody who reads the journal gets the link: %q", out)
				}
				return
			}
			address, code := consoleOf(t, config, out.String())
			for _, wrong := range []string{"", token} {
				if status := askConsole(ctx, t, http.MethodGet, address+"/version", wrong, "", nil); status != http.StatusUnauthorized {
					t.Errorf("a page that is not signed in, with the token %q of a former server: got %d", wrong, status)
				}
			}
			token = signIn(ctx, t, address, code)
			if status := askConsole(ctx, t, http.MethodGet, address+"/ui/ns/default/images", "", "", nil); status != http.StatusOK {
				t.Errorf("the page with images: got %d", status)
			}
			// A page that watches does not delay the end of the server.
			request := require.Value(http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/apis/images.goldsmith.dev/v1alpha1/images?watch=true", nil))(t)
			request.Header.Set("Authorization", "Bearer "+token)
			watch = require.Value(http.DefaultClient.Do(require.Resolve(request)))(t).Body //nolint:bodyclose // it is closed after the end of the server
		}})
		stop()
		if err != nil || !ready {
			t.Errorf("journal: %t: ready: %t, error: %v", journal, ready, err)
		}
		_, _ = io.Copy(io.Discard, watch) // however the server ends it
		_ = watch.Close()
	}
}
