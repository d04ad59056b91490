// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bufio"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/e2e/require"
)

// patience is how long a test waits for what does happen.
const patience = time.Minute

func TestWhatIsForwarded(t *testing.T) {
	t.Parallel()
	const group, namespaces = "/apis/images.goldsmith.dev", "/api/v1/namespaces"
	l := newLocal(t, nil)
	for target, methods := range map[string]string{
		group:                         "any",
		"/apis/catalog.goldsmith.dev": "any",
		group + "/v1alpha1":           "any",
		group + "/v1alpha1/":          "any",
		group + "/v1alpha1/namespaces/team/images/web":                                    "any",
		group + "/v1alpha1/namespaces/team/images/web/instantiate":                        "any",
		group + "/v1alpha1/namespaces/team/imagebuilds/web-1/log?follow=true&tailLines=1": "any",
		"/apis/catalog.goldsmith.dev/v1alpha1/webservers":                                 "any",
		namespaces:                       http.MethodGet,
		namespaces + "?watch=true":       http.MethodGet,
		namespaces + "/team":             http.MethodGet,
		"/api/v1/events":                 http.MethodGet,
		namespaces + "/team/events":      http.MethodGet,
		"/openapi/v3":                    http.MethodGet,
		"/openapi/v3/apis/catalog/v1?a=": http.MethodGet,
		"/version":                       http.MethodGet,
		"/apis/authentication.k8s.io/v1/selfsubjectreviews":      http.MethodPost,
		"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": http.MethodPost,
		"/apis/authorization.k8s.io/v1/selfsubjectrulesreviews":  http.MethodPost,

		"/apis/authentication.k8s.io/v1/selfsubjectreviews/a":     "",
		"/apis/authentication.k8s.io/v1/tokenreviews":             "",
		"/apis/authentication.k8s.io/v1":                          "",
		"/apis/authorization.k8s.io/v1/subjectaccessreviews":      "",
		"/apis/authorization.k8s.io/v1/localsubjectaccessreviews": "",
		"/apis/images.goldsmith.dev.evil/v1alpha1":                "",
		"/apis/IMAGES.goldsmith.dev/v1alpha1":                     "",
		"/apis/apps/v1/namespaces/team/deployments":               "",
		"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings":  "",
		"/apis/images.goldsmith.de":                               "",
		"/apis":                                                   "",
		"/api":                                                    "",
		"/api/v1":                                                 "",
		"/api/v1/secrets":                                         "",
		"/api/v1/pods":                                            "",
		"/api/v1/watch/namespaces":                                "",
		namespaces + "/team/pods":                                 "",
		namespaces + "/team/secrets":                              "",
		namespaces + "/team/secrets/events":                       "",
		namespaces + "/team/serviceaccounts/default/token":        "",
		namespaces + "/team/events/web":                           "",
		namespaces + "/team/status":                               "",
		namespaces + "/team/finalize":                             "",
		"/api/v2/namespaces":                                      "",
		"/openapi":                                                "",
		"/openapi/v2":                                             "",
		"/metrics":                                                "",
		"/healthz":                                                "",
		"/logs/":                                                  "",
		"/debug/pprof/":                                           "",
		"/version/a":                                              "",
		"/images.goldsmith.dev":                                   "",
		"/ui":                                                     "",
		"/":                                                       "",
		"*":                                                       "",
		group + "/../../api/v1/secrets":                           "",
		group + "/..":                                             "",
		group + "/./v1alpha1":                                     "",
		group + "//v1alpha1":                                      "",
		"/" + group:                                               "",
		group + "/v1alpha1//":                                     "",
		group + "/%2e%2e/%2e%2e/api/v1/secrets":                   "",
		group + "/.%2e/":                                          "",
		group + "/%2E./":                                          "",
		group + "/..%2f..%2fapi%2fv1%2fsecrets":                   "",
		group + "/v1alpha1%2Fimages":                              "",
		group + "/%5C..%5C..%5Capi":                               "any", // no server reads a backslash as a slash
		group + "/%5c..%5c..%5capi":                               "",
		group + "/%252e%252e/%252e%252e/api":                      "any", // a server decodes a path once
		group + `/..\..\api`:                                      "",
		"/%61pis/images.goldsmith.dev":                            "",
		"/apis%2fimages.goldsmith.dev":                            "",
		"http://other.example/apis/images.goldsmith.dev/v1alpha1/": "any", // the host of the target is ignored
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
			request := l.request(method, target, "")
			want := methods == "any" || methods == method
			if got := allowed(request); got != want {
				t.Errorf("%s %s is allowed: %t", method, target, got)
			}
			answer := httptest.NewRecorder()
			request.Host = l.sessions.host + ":8080"
			l.handler.ServeHTTP(answer, request)
			seen := l.forwarded()
			switch {
			case want && (len(seen) != 1 || answer.Code != http.StatusOK || seen[0].Method != method || seen[0].URL.EscapedPath() != request.URL.EscapedPath()):
				t.Errorf("%s %s: got %d, forwarded: %v", method, target, answer.Code, seen)
			case !want && len(seen) > 0:
				t.Errorf("%s %s: forwarded %s", method, target, seen[0].URL)
			case !want && answer.Code < http.StatusMultipleChoices:
				t.Errorf("%s %s: got %d %s", method, target, answer.Code, answer.Body)
			case !want && answer.Code == http.StatusNotFound && method != http.MethodHead:
				checkStatus(t, method+" "+target, answer, http.StatusNotFound, "use kubectl")
			}
		}
	}
}

func TestTheServerGetsNothingOfTheBrowserButTheRequest(t *testing.T) {
	t.Parallel()
	var body string
	l := newLocal(t, func(_ http.ResponseWriter, request *http.Request) {
		content, err := io.ReadAll(request.Body)
		if err != nil {
			t.Error(err)
		}
		body = string(content)
	})
	const query = "watch=true&labelSelector=a%3Db%2Cc+in+%28d%29&pretty=0&empty="
	answer := l.asks(http.MethodPatch, images+"/web?"+query, `{"spec": {"suspend": true}}`,
		"Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "Content-Type", "application/merge-patch+json",
		"Accept-Encoding", "gzip, deflate, br, zstd", "Accept-Language", "en", "Cookie", "session=secret", "Origin", "http://"+l.sessions.host+":8080", "Referer", "http://"+l.sessions.host+":8080/ui/ns/team/images",
		"Impersonate-User", "system:admin", "Impersonate-Group", "system:masters", "Impersonate-Uid", "1", "Impersonate-Extra-Scopes", "all",
		"X-Remote-User", "system:admin", "X-Remote-Group", "system:masters", "X-Remote-Extra-Scopes", "all", "Proxy-Authorization", "Basic YTpi",
		"X-Forwarded-For", "192.0.2.1", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "Forwarded", "for=192.0.2.1", "X-Real-Ip", "192.0.2.1",
		"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "User-Agent", "Mozilla/5.0", "Te", "trailers", "X-Http-Method-Override", "DELETE",
		"Connection", "keep-alive, Content-Type-Options", "Expect", "nothing", "Range", "bytes=0-1", "If-None-Match", "*")
	seen := l.forwarded()
	if answer.Code != http.StatusOK || len(seen) != 1 {
		t.Fatalf("got %d %s, forwarded: %v", answer.Code, answer.Body, seen)
	}
	got := seen[0]
	want := http.Header{
		"Accept":          {"application/json;as=Table;v=v1;g=meta.k8s.io,application/json"},
		"Accept-Encoding": {"identity"},
		"Authorization":   {"Bearer token of the user"},
		"Content-Length":  {"27"},
		"Content-Type":    {"application/merge-patch+json"},
		"User-Agent":      {"goldsmith-console"},
	}
	if !maps.EqualFunc(got.Header, want, slices.Equal) {
		t.Errorf("the server got the headers %v\nwant %v", got.Header, want)
	}
	if got.Method != http.MethodPatch || got.URL.Path != images+"/web" || got.URL.RawQuery != query || body != `{"spec": {"suspend": true}}` {
		t.Errorf("the server got %s %s with %q", got.Method, got.URL, body)
	}
	if got.Host == l.sessions.host+":8080" || got.Host == "" {
		t.Errorf("the server got the host %q of the console", got.Host)
	}
	if l.asks(http.MethodGet, images, "", "Accept", ""); !slices.Equal(slices.Sorted(maps.Keys(l.forwarded()[0].Header)), []string{"Accept", "Accept-Encoding", "Authorization", "User-Agent"}) {
		t.Error("a request without a body has other headers")
	}
}

func TestTheServerIsThatOfTheConfiguration(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		l.seen = append(l.seen, request)
	}))
	upstream.Config.ErrorLog = log.New(io.Discard, "", 0)
	upstream.StartTLS()
	t.Cleanup(upstream.Close)
	trusted := rest.TLSClientConfig{CAData: pemOf(upstream)}
	for name, test := range map[string]struct {
		server *rest.Config
		path   string
		header http.Header
		code   int
	}{
		"a path of the server": {&rest.Config{Host: upstream.URL + "/clusters/a", TLSClientConfig: trusted}, "/clusters/a" + images, nil, http.StatusOK},
		"a path with a slash":  {&rest.Config{Host: upstream.URL + "/clusters/a/", TLSClientConfig: trusted}, "/clusters/a" + images, nil, http.StatusOK},
		"a user who acts as another": {&rest.Config{Host: upstream.URL, TLSClientConfig: trusted, BearerToken: "t", Impersonate: rest.ImpersonationConfig{UserName: "eve"}}, images,
			http.Header{"Authorization": {"Bearer t"}, "Impersonate-User": {"eve"}}, http.StatusOK},
		"a password":               {&rest.Config{Host: upstream.URL, TLSClientConfig: trusted, Username: "a", Password: "b"}, images, http.Header{"Authorization": {"Basic YTpi"}}, http.StatusOK},
		"no credentials":           {&rest.Config{Host: upstream.URL, TLSClientConfig: trusted}, images, http.Header{"Authorization": nil}, http.StatusOK},
		"an untrusted server":      {&rest.Config{Host: upstream.URL}, "", nil, http.StatusBadGateway},
		"a server of another name": {&rest.Config{Host: upstream.URL, TLSClientConfig: rest.TLSClientConfig{CAData: trusted.CAData, ServerName: "other.test"}}, "", nil, http.StatusBadGateway},
	} {
		answer := l.to(test.server).asks(http.MethodGet, images+"?limit=1", "")
		seen := l.forwarded()
		if answer.Code != test.code || len(seen) != map[bool]int{true: 1}[test.path != ""] {
			t.Errorf("%s: got %d %s, forwarded: %v", name, answer.Code, answer.Body, seen)
			continue
		}
		if test.path != "" && (seen[0].URL.Path != test.path || seen[0].URL.RawQuery != "limit=1") {
			t.Errorf("%s: forwarded to %s, want %s", name, seen[0].URL, test.path)
		}
		for header, want := range test.header {
			if got := seen[0].Header.Values(header); !slices.Equal(got, want) {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
	}
	for _, wrong := range []*rest.Config{{Host: "https://127.0.0.1:port"}, {Host: "https://127.0.0.1", TLSClientConfig: rest.TLSClientConfig{CAFile: "missing"}}} {
		if _, err := (Local{Server: wrong, Sessions: l.sessions}).Handler(); err == nil || !strings.Contains(err.Error(), wrong.Host) {
			t.Errorf("%v: got error %v, want one that names the address", wrong, err)
		}
	}
}

func TestABrowserGetsTheAnswerWithoutCookiesAndPermissions(t *testing.T) {
	t.Parallel()
	l := newLocal(t, func(writer http.ResponseWriter, _ *http.Request) {
		for name, value := range map[string]string{
			"Set-Cookie": "a=b", "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true", "Access-Control-Expose-Headers": "Date",
			"Content-Security-Policy": "script-src *", "X-Content-Type-Options": "sniff", "Referrer-Policy": "unsafe-url",
			"Cross-Origin-Opener-Policy": "unsafe-none", "Cross-Origin-Resource-Policy": "cross-origin",
			"Content-Type": "application/json", "Warning": `299 - "deprecated"`, "Audit-Id": "1", "Retry-After": "7", "Connection": "X-Secret", "X-Secret": "1",
		} {
			writer.Header().Set(name, value)
		}
		writer.Header().Add("Set-Cookie", "c=d")
		writer.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(writer, `{"kind": "Status"}`) // the client tells
	})
	answer := l.asks(http.MethodGet, images, "")
	if answer.Code != http.StatusConflict || answer.Body.String() != `{"kind": "Status"}` {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	got := answer.Header()
	for name, want := range map[string][]string{
		"Set-Cookie": nil, "Access-Control-Allow-Origin": nil, "Access-Control-Allow-Credentials": nil, "Access-Control-Expose-Headers": nil, "X-Secret": nil,
		"Content-Security-Policy": {"default-src 'none'; frame-ancestors 'none'; sandbox"}, "X-Content-Type-Options": {"nosniff"}, "Referrer-Policy": {"no-referrer"},
		"Cross-Origin-Opener-Policy": {"same-origin"}, "Cross-Origin-Resource-Policy": {"same-origin"},
		"Content-Type": {"application/json"}, "Warning": {`299 - "deprecated"`}, "Audit-Id": {"1"}, "Retry-After": {"7"},
	} {
		if !slices.Equal(got.Values(name), want) {
			t.Errorf("got %s %q, want %q", name, got.Values(name), want)
		}
	}
	if got.Get("Date") == "" {
		t.Error("the page does not get the server's time")
	}
}

func TestAServerThatIsDownIsNamed(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	address := "http://" + require.FreeAddress(t)
	checkStatus(t, "no server", l.to(&rest.Config{Host: address}).asks(http.MethodGet, images, ""),
		http.StatusBadGateway, "cannot reach the server at "+address+": dial tcp ")
	hangsUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(hangsUp.Close)
	checkStatus(t, "a server that hangs up", l.to(&rest.Config{Host: hangsUp.URL}).asks(http.MethodPost, images, "{}"),
		http.StatusBadGateway, "cannot reach the server at "+hangsUp.URL+": EOF")
	explained := &rest.Config{Host: address}
	explained.Wrap(func(http.RoundTripper) http.RoundTripper { return explains(address) })
	answer := l.to(explained).asks(http.MethodGet, images, "")
	checkStatus(t, "a client that explains it", answer, http.StatusBadGateway, "is it running?")
	if strings.Count(answer.Body.String(), address) != 1 {
		t.Errorf("the address is named more than once: %s", answer.Body)
	}
}

// explains is a client whose errors name the address of the server, as those of the verbs do.
type explains string

func (e explains) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("cannot reach the server at %s; is it running?", string(e))
}

// pemOf returns the certificate of a server.
func pemOf(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// overHTTP serves a console, and returns its address.
func (l *local) overHTTP() string {
	l.t.Helper()
	ctx, stop := context.WithCancel(context.Background()) // the clean-up ends it, and waits
	listener := require.Value(net.Listen("tcp", "127.0.0.1:0"))(l.t)
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, listener, l.handler) }()
	l.t.Cleanup(func() {
		stop()
		require.NoError(l.t, <-ended)
	})
	return "http://" + listener.Addr().String()
}

// stream is a server whose answers have the lines that a test sends. A line is sent once the one before has arrived.
type stream struct {
	lines chan string
	ended chan struct{} // receives a value when a request's context is done
}

func (s stream) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	defer func() { s.ended <- struct{}{} }()
	for {
		select {
		case line := <-s.lines:
			_, _ = io.WriteString(writer, line+"\n") // a reader that is missing ends the context
			_ = http.NewResponseController(writer).Flush()
		case <-request.Context().Done():
			return
		}
	}
}

func TestAStreamArrivesLineByLineAndEndsWithItsReader(t *testing.T) {
	t.Parallel()
	for name, header := range map[string][2]string{
		"a watch": {"Content-Type", "application/json"}, "a log": {"Content-Type", "text/plain"}, "a slow file": {"Content-Length", "21"},
	} {
		upstream := stream{make(chan string), make(chan struct{}, 1)}
		l := newLocal(t, func(writer http.ResponseWriter, request *http.Request) {
			writer.Header().Set(header[0], header[1])
			upstream.ServeHTTP(writer, request)
		})
		address := l.overHTTP()
		ctx, leave := context.WithTimeout(t.Context(), patience)
		request := require.Value(http.NewRequestWithContext(ctx, http.MethodGet, address+images+"?watch=true", nil))(t)
		request.Host = l.sessions.host
		request.Header.Set("Authorization", "Bearer "+l.sessions.start())
		go func() { upstream.lines <- "line 0" }()
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		lines := bufio.NewScanner(answer.Body)
		for i := range 3 {
			if want := fmt.Sprintf("line %d", i); !lines.Scan() || lines.Text() != want {
				t.Fatalf("%s: got %q, want %s: %v", name, lines.Text(), want, lines.Err())
			}
			if i < 2 {
				upstream.lines <- fmt.Sprintf("line %d", i+1)
			}
		}
		leave()
		select {
		case <-upstream.ended:
		case <-time.After(patience):
			t.Errorf("%s: the request continues after its reader has gone", name)
		}
		_ = answer.Body.Close() // its request was cancelled
	}
}

func TestNoConnectionIsUpgraded(t *testing.T) {
	t.Parallel()
	for name, switches := range map[string]bool{"a server that ignores it": false, "a server that switches at once": true} {
		l := newLocal(t, func(writer http.ResponseWriter, request *http.Request) {
			if request.Header.Get("Upgrade") != "" || request.Header.Get("Connection") != "" || request.Header.Get("Sec-Websocket-Key") != "" {
				t.Errorf("the server got %v", request.Header)
			}
			if switches {
				writer.Header().Set("Connection", "Upgrade")
				writer.Header().Set("Upgrade", "websocket")
				writer.WriteHeader(http.StatusSwitchingProtocols)
			}
		})
		request := require.Value(http.NewRequestWithContext(t.Context(), http.MethodGet, l.overHTTP()+images, nil))(t)
		request.Host = l.sessions.host
		for header, value := range map[string]string{
			"Authorization": "Bearer " + l.sessions.start(), "Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Key": "a", "Sec-Websocket-Protocol": "v4.channel.k8s.io",
		} {
			request.Header.Set(header, value)
		}
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		if want := map[bool]int{false: http.StatusOK, true: http.StatusBadGateway}[switches]; answer.StatusCode != want || len(l.forwarded()) != 1 {
			t.Errorf("%s: got %s, want %d", name, answer.Status, want)
		}
	}
}
