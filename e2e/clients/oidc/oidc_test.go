// SPDX-License-Identifier: Apache-2.0

// Package oidc_test lets users of a certified provider sign in to the console of a cluster.
package oidc_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/console"
	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	host   = "console.example.com"
	secret = "secret of the client"
	images = "/apis/images.goldsmith.dev/v1alpha1/images"
)

// startProvider starts zitadel's provider.
func startProvider(t *testing.T) *httptest.Server {
	t.Helper()
	var provider http.Handler
	server := httptest.NewTLSServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) { provider.ServeHTTP(writer, request) }))
	t.Cleanup(server.Close)
	storage.RegisterClients(storage.WebClient("goldsmith", secret, "https://"+host+"/ui/callback"))
	provider = exampleop.SetupServer(server.URL, storage.NewStorage(storage.NewUserStore(server.URL)), slog.New(slog.DiscardHandler), false)
	return server
}

// startCluster starts a server that tells which token it got.
func startCluster(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if strings.HasSuffix(request.URL.Path, "/selfsubjectreviews") {
			_, _ = io.WriteString(writer, `{"status": {"userInfo": {"username": "test-user"}}}`)
			return
		}
		_, _ = io.WriteString(writer, request.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	return server
}

func TestUsersSignInAndStaySignedIn(t *testing.T) {
	provider, cluster := startProvider(t), startCluster(t)
	clock := testingclock.NewFakePassiveClock(time.Now())
	handler := require.Value(console.Cluster{
		Server: &rest.Config{Host: cluster.URL, TLSClientConfig: rest.TLSClientConfig{CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cluster.Certificate().Raw})}},
		Hosts:  []string{host},
		OIDC:   &console.OIDC{Issuer: provider.URL, ClientID: "goldsmith", ClientSecret: secret, Scopes: []string{"profile", "email", "offline_access"}, Client: provider.Client()},
		Clock:  clock, Logger: logr.Discard(),
	}.Handler())(t)
	cookies := map[string]string{}
	visit := func(target string) *httptest.ResponseRecorder {
		t.Helper()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
		request.Host = host
		for name, value := range cookies {
			request.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		for _, cookie := range answer.Result().Cookies() {
			cookies[cookie.Name] = cookie.Value
			if cookie.MaxAge < 0 {
				delete(cookies, cookie.Name)
			}
		}
		return answer
	}
	user := func() string {
		t.Helper()
		var described struct{ User, Message string }
		require.NoError(t, json.Unmarshal(visit("/ui/session").Body.Bytes(), &described))
		if described.Message != "" {
			t.Errorf("the page is told: %s", described.Message)
		}
		return described.User
	}

	back := signInAt(t, provider, visit("/ui/login?back=/ui/ns/team/images").Header().Get("Location"))
	if back.Host != host {
		t.Fatalf("the provider sends the user to %s", back)
	}
	if got := visit(back.RequestURI()).Header().Get("Location"); got != "/ui/ns/team/images" || user() != "test-user" {
		t.Fatalf("the user returns to %s as %q", got, user())
	}
	first := visit(images).Body.String()
	if claims := claimsOf(t, first); claims["iss"] != provider.URL || claims["sub"] != "id1" {
		t.Errorf("the cluster gets %v", claims)
	}
	started := clock.Now()
	for _, after := range []time.Duration{59*time.Minute + 30*time.Second, 59*time.Minute + 57*time.Second} { // each renewal replaces the refresh token
		clock.SetTime(started.Add(after))
		former := maps.Clone(cookies)
		renewed := visit(images).Body.String()
		if renewed == first || claimsOf(t, renewed)["sub"] != "id1" || maps.Equal(former, cookies) || user() != "test-user" {
			t.Fatalf("after %s the session is not renewed: the cluster gets %s", after, renewed)
		}
		first = renewed
	}
}

// signInAt uses the pages of the provider, and returns where it sends the browser.
func signInAt(t *testing.T, provider *httptest.Server, address string) *url.URL {
	t.Helper()
	jar := require.Value(cookiejar.New(nil))(t)
	browser := &http.Client{
		Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(request *http.Request, _ []*http.Request) error {
			if request.URL.Host == host {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	page, err := browser.Do(require.Value(http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody))(t))
	require.NoError(t, err)
	require.NoError(t, page.Body.Close())
	form := url.Values{"username": {"test-user@127.0.0.1"}, "password": {"verysecure"}, "id": {page.Request.URL.Query().Get("authRequestID")}}
	request := require.Value(http.NewRequestWithContext(t.Context(), http.MethodPost, provider.URL+"/login/username", strings.NewReader(form.Encode())))(t)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := browser.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	location, err := answer.Location()
	if err != nil {
		t.Fatalf("the provider answers %s at %s: %v", answer.Status, answer.Request.URL, err)
	}
	return location
}

// claimsOf returns the claims of a token in a header.
func claimsOf(t *testing.T, header string) map[string]any {
	t.Helper()
	parts := strings.Split(strings.TrimPrefix(header, "Bearer "), ".")
	if len(parts) != 3 {
		t.Fatalf("the cluster gets %q", header)
	}
	claims := map[string]any{}
	require.NoError(t, json.Unmarshal(require.Value(base64.RawURLEncoding.DecodeString(parts[1]))(t), &claims))
	return claims
}
