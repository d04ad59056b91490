// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/e2e/oidctest"
	"goldsmith.dev/goldsmith/e2e/require"
)

// shared is a console in front of a cluster, and a browser.
type shared struct {
	t        *testing.T
	clock    *testingclock.FakePassiveClock
	provider *oidctest.Provider // nil without OIDC
	settings Cluster
	handler  http.Handler
	browser  browser

	mutex sync.Mutex
	log   bytes.Buffer
	seen  []*http.Request           // by the API server, besides reviews
	users map[string]string         // by token
	api   func(http.ResponseWriter) // answers instead of the API server
}

func newShared(t *testing.T, adapt ...func(*Cluster)) *shared {
	t.Helper()
	s := &shared{t: t, clock: testingclock.NewFakePassiveClock(noon), browser: browser{}, users: map[string]string{"token-of-jane": "jane"}}
	server := httptest.NewTLSServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	s.settings = Cluster{
		Server: &rest.Config{
			Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: pemOf(server)},
			BearerToken: "token of the console", Username: "console", Password: "password", Impersonate: rest.ImpersonationConfig{UserName: "root"},
		},
		Hosts: []string{"console.example.com", "console.example.org"}, Clock: s.clock,
		Logger: funcr.New(func(prefix, args string) { _, _ = fmt.Fprintln(s, prefix, args) }, funcr.Options{Verbosity: 9}),
	}
	for _, each := range adapt {
		each(&s.settings)
	}
	s.handler = require.Value(s.settings.Handler())(t)
	return s
}

// newOIDC returns a console whose users sign in with a provider.
func newOIDC(t *testing.T, adapt ...func(*Cluster)) *shared {
	t.Helper()
	provider := oidctest.Start()
	t.Cleanup(provider.Close)
	s := newShared(t, append([]func(*Cluster){func(c *Cluster) {
		c.OIDC = &OIDC{Issuer: provider.URL, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, Scopes: []string{"openid", "offline_access"}, Client: provider.Client()}
	}}, adapt...)...)
	s.provider = provider
	provider.Now = s.clock.Now
	return s
}

// Write writes a line of the log.
func (s *shared) Write(line []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.log.Write(line)
}

// serve answers as an API server, which knows users by their tokens.
func (s *shared) serve(writer http.ResponseWriter, request *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	token := strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")
	name, known := s.users[token]
	if s.provider != nil && !known {
		name, known = s.provider.Subject(request, token)
	}
	switch {
	case s.api != nil:
		s.api(writer)
	case !known:
		refuse(writer, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
	case request.URL.Path == "/apis/authentication.k8s.io/v1/selfsubjectreviews" && request.Method == http.MethodPost:
		writer.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(writer, `{"status": {"userInfo": {"username": %q}}}`, name)
	default:
		s.seen = append(s.seen, request)
		writer.Header().Set("Cache-Control", "public, immutable") // as some answers of kube-apiserver
		_, _ = io.WriteString(writer, "for "+name)
	}
}

// answersWith lets the API server answer otherwise.
func (s *shared) answersWith(api func(http.ResponseWriter)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.api = api
}

// asks sends a request with the cookies of the browser, and receives those of the answer.
func (s *shared) asks(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	answer := s.sends(method, target, body, headers...)
	s.browser.receive(s.t, answer.Result())
	return answer
}

func (s *shared) sends(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	request := httptest.NewRequestWithContext(s.t.Context(), method, target, strings.NewReader(body))
	request.Host = "console.example.com"
	s.browser.addTo(request)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	s.handler.ServeHTTP(answer, request)
	return answer
}

// pastes signs in with a token.
func (s *shared) pastes(token string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.asks(http.MethodPost, "/ui/session", `{"token": `+string(require.Value(json.Marshal(token))(s.t))+`}`)
}

// described returns what the page is told about its session.
func (s *shared) described() (told session) {
	s.t.Helper()
	answer := s.asks(http.MethodGet, "/ui/session", "")
	if err := json.Unmarshal(answer.Body.Bytes(), &told); err != nil || answer.Code != http.StatusOK || answer.Header().Get("Cache-Control") != "no-store" {
		s.t.Errorf("a description of the session: got %d %s %v", answer.Code, answer.Body, answer.Header())
	}
	return told
}

// expectUser checks as whom the browser is signed in, or that it is not.
func (s *shared) expectUser(name, user string) {
	s.t.Helper()
	if got := s.described().User; got != user {
		s.t.Errorf("%s: signed in as %q, want %q", name, got, user)
	}
	answer := s.asks(http.MethodGet, images, "")
	if user == "" {
		if answer.Code != http.StatusUnauthorized {
			s.t.Errorf("%s: got %d %s, want 401", name, answer.Code, answer.Body)
		}
	} else if want := "for " + user; answer.Code != http.StatusOK || answer.Body.String() != want {
		s.t.Errorf("%s: got %d %s, want %s", name, answer.Code, answer.Body, want)
	}
}

// expectSecret checks that no secret was logged.
func (s *shared) expectSecret(secrets ...string) {
	s.t.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, secret := range secrets {
		if secret != "" && strings.Contains(s.log.String(), secret) {
			s.t.Errorf("the log has %s:\n%s", secret, &s.log)
		}
	}
}

// jwt returns a token that ends at a time.
func jwt(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte("signature"))
}

func TestAUserSignsInWithATokenThatTheClusterAccepts(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	s.expectUser("before", "")
	if told := s.described(); told != (session{SignIn: "token", Command: tokenCommand}) {
		t.Errorf("before: the page is told %+v", told)
	}
	answer := s.pastes(" token-of-jane\n")
	var told session
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &told))
	if answer.Code != http.StatusOK || told != (session{SignIn: "token", User: "jane", Command: tokenCommand}) {
		t.Fatalf("got %d %s", answer.Code, answer.Body)
	}
	if text := fmt.Sprint(answer.Header()) + answer.Body.String(); strings.Contains(text, "token-of-jane") {
		t.Errorf("the answer has the token: %s", text)
	}
	s.expectUser("after", "jane")
	s.expectSecret("token-of-jane")

	answer = s.asks(http.MethodPost, "/ui/logout", "")
	if answer.Code != http.StatusOK || len(s.browser) > 0 {
		t.Errorf("signed out: got %d, and the cookies %v", answer.Code, s.browser)
	}
	s.expectUser("signed out", "")
}

func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	const notAToken = "this is not a token: paste one line"
	s.users[strings.Repeat("a", cookieBytes*maxCookies)] = "large"
	for name, test := range map[string]struct {
		body    string
		code    int32
		message string
	}{
		"a wrong token":            {`{"token": "wrong"}`, http.StatusUnauthorized, "the cluster does not accept this token: it is wrong, has expired, or was made for another cluster"},
		"no token":                 {`{}`, http.StatusBadRequest, notAToken},
		"an empty token":           {`{"token": "  "}`, http.StatusBadRequest, notAToken},
		"two lines":                {`{"token": "token-of-jane\ntoken-of-jane"}`, http.StatusBadRequest, notAToken},
		"a header":                 {`{"token": "Bearer token-of-jane"}`, http.StatusBadRequest, notAToken},
		"a token with a header":    {`{"token": "token-of-jane\r\nX-Remote-User: root"}`, http.StatusBadRequest, notAToken},
		"a token that is no ASCII": {`{"token": "tökén"}`, http.StatusBadRequest, notAToken},
		"a code":                   {`{"code": "token-of-jane"}`, http.StatusBadRequest, notAToken},
		"no JSON":                  {`token=token-of-jane`, http.StatusBadRequest, "the request has no token, or is too large"},
		"a number":                 {`{"token": 1}`, http.StatusBadRequest, "the request has no token, or is too large"},
		"more than a token has":    {`{"token": "` + strings.Repeat("a", 1<<20) + `"}`, http.StatusBadRequest, "the request has no token, or is too large"},
		"more than browsers keep":  {`{"token": "` + strings.Repeat("a", cookieBytes*maxCookies) + `"}`, http.StatusRequestEntityTooLarge, "the token has 15200 bytes, and browsers keep at most 10888"},
	} {
		answer := s.asks(http.MethodPost, "/ui/session", test.body)
		checkStatus(t, name, answer, test.code, test.message)
		if strings.Contains(answer.Body.String(), "of-jane") {
			t.Errorf("%s: the answer quotes the token: %s", name, answer.Body)
		}
		if len(s.browser) > 0 {
			t.Errorf("%s: got the cookies %v", name, s.browser)
		}
	}
	s.expectSecret("of-jane", "wrong")
}

func TestTheClusterCannotTellWhoseTokenItIs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		api     func(http.ResponseWriter)
		code    int32
		message string
	}{
		"forbidden":     {func(w http.ResponseWriter) { refuse(w, http.StatusForbidden, "Forbidden", "jane cannot create it") }, http.StatusUnauthorized, "does not accept this token: jane cannot create it"},
		"overloaded":    {func(w http.ResponseWriter) { refuse(w, http.StatusTooManyRequests, "TooManyRequests", "too many") }, http.StatusBadGateway, "cannot tell whose token this is: too many"},
		"no Kubernetes": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<p>hello</p>") }, http.StatusBadGateway, "cannot tell whose token this is: the answer is 200 OK"},
		"nobody":        {func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"status": {}}`) }, http.StatusBadGateway, "cannot tell whose token this is"},
		"a redirect": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, http.StatusBadGateway, "the answer is 307"},
		"no whole answer": {func(w http.ResponseWriter) { w.Header().Set("Content-Length", "100"); _, _ = io.WriteString(w, "{") }, http.StatusBadGateway, "read the answer of the cluster"},
	} {
		s := newShared(t)
		s.answersWith(test.api)
		checkStatus(t, name, s.pastes("token-of-jane"), test.code, test.message)
		if len(s.browser) > 0 {
			t.Errorf("%s: got the cookies %v", name, s.browser)
		}
	}
	s := newShared(t, func(c *Cluster) { c.Server.Host = "https://127.0.0.1:1" })
	checkStatus(t, "no server", s.pastes("token-of-jane"), http.StatusBadGateway, "cannot reach the cluster: ")
	s.expectSecret("token-of-jane")
}

func TestASessionEndsWithItsTokenAndAfterHalfADay(t *testing.T) {
	t.Parallel()
	at := func(after time.Duration) int64 { return noon.Add(after).Unix() }
	for token, want := range map[string]time.Duration{
		jwt(fmt.Sprintf(`{"exp": %d}`, at(time.Hour))):       time.Hour,
		jwt(fmt.Sprintf(`{"exp": %d.9}`, at(time.Hour))):     time.Hour,
		jwt(fmt.Sprintf(`{"exp": %d}`, at(30*24*time.Hour))): signInLimit,
		jwt(`{}`):           signInLimit,
		jwt(`{"exp": "1"}`): signInLimit,
		jwt(`{"exp": -1}`):  signInLimit,
		jwt(`no JSON`):      signInLimit,
		"a.b.c":             signInLimit,
		"static-token":      signInLimit,
		"static.token":      signInLimit,
	} {
		s := newShared(t)
		s.users[token] = "jane"
		if answer := s.pastes(token); answer.Code != http.StatusOK {
			t.Errorf("%s: got %d %s", token, answer.Code, answer.Body)
		}
		s.clock.SetTime(noon.Add(want - time.Second))
		s.expectUser(token+" before its end", "jane")
		s.clock.SetTime(noon.Add(want))
		s.expectUser(token+" at its end", "")
		if told := s.described(); told.Message != "the session has ended: sign in again" {
			t.Errorf("%s: the page is told %+v", token, told)
		}
		checkStatus(t, token, s.asks(http.MethodGet, images, ""), http.StatusUnauthorized, "the session has ended: sign in again")
	}
}

func TestALargeTokenIsSplitIntoCookies(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	large := strings.Repeat("abcdefgh", 1200)
	s.users[large] = "jane"
	s.users["token-of-ann"] = "ann"
	if answer := s.pastes(large); answer.Code != http.StatusOK || len(s.browser) != maxCookies {
		t.Fatalf("got %d %s, and %d cookies", answer.Code, answer.Body, len(s.browser))
	}
	s.expectUser("a large token", "jane")
	s.pastes("token-of-ann")
	s.expectUser("a small token after it", "ann")
	if len(s.browser) != 1 {
		t.Errorf("%d cookies are left", len(s.browser))
	}
}

func TestOnlyTheTokenOfTheSessionReachesTheCluster(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	s.users["token-of-ann"] = "ann"
	for _, headers := range [][]string{nil, {"Authorization", "Bearer token-of-ann"}} {
		checkStatus(t, "not signed in", s.asks(http.MethodGet, images, "", headers...), http.StatusUnauthorized, "this page is not signed in")
	}
	s.pastes("token-of-jane")
	foreign := []string{
		"Authorization", "Bearer token-of-ann", "Impersonate-User", "root", "X-Remote-User", "root", "Cookie2", "a", "X-Forwarded-For", "10.0.0.1", "Upgrade", "websocket",
	}
	for _, headers := range [][]string{nil, foreign} {
		if answer := s.asks(http.MethodGet, images+"?watch=true", "", headers...); answer.Body.String() != "for jane" {
			t.Errorf("got %d %s", answer.Code, answer.Body)
		}
	}
	if len(s.seen) != 2 {
		t.Fatalf("the API server got %d requests", len(s.seen))
	}
	for _, request := range s.seen {
		var names []string
		for name := range request.Header {
			names = append(names, name)
		}
		slices.Sort(names)
		if got := request.Header.Values("Authorization"); len(got) != 1 || got[0] != "Bearer token-of-jane" || !slices.Equal(names, []string{"Accept-Encoding", "Authorization", "User-Agent"}) {
			t.Errorf("the API server got %v", request.Header)
		}
	}
	checkStatus(t, "other requests", s.asks(http.MethodGet, "/api/v1/secrets", ""), http.StatusNotFound, "use kubectl")
	if len(s.seen) != 2 {
		t.Error("the API server got what pages never ask for")
	}
}

func TestASessionEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	s.pastes("token-of-jane")
	copied := maps.Clone(s.browser)
	for _, signedOut := range []bool{false, true} {
		s.handler = require.Value(s.settings.Handler())(t)
		s.browser = maps.Clone(copied)
		s.expectUser("a copy after a restart", "")
		if told := s.described(); told.Message != "the session has ended: sign in again" {
			t.Errorf("the page is told %+v", told)
		}
		if !signedOut {
			s.pastes("token-of-jane")
			s.expectUser("signed in again", "jane")
			s.asks(http.MethodPost, "/ui/logout", "")
			s.expectUser("signed out", "")
		}
	}
	s.browser.session(t, "garbage")
	s.expectUser("garbage", "")
	if len(s.seen) != 1 {
		t.Errorf("the API server got %d requests", len(s.seen))
	}
}

func TestAClusterConsoleIsServedForItsHostsAndOwnPagesOnly(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	s.pastes("token-of-jane")
	for host, known := range map[string]bool{
		"console.example.com": true, "console.example.com:8443": true, "CONSOLE.example.com": true, "console.example.org": true,
		"example.com": false, "evil.console.example.com": false, "console.example.com.evil": false, "localhost": false, "127.0.0.1": false, "[::1]:8443": false, "": false, "console.example.com.": false,
	} {
		for _, target := range []string{"/ui/", "/ui/session", images} {
			if answer := s.asks(http.MethodGet, target, "", "Host", host); (answer.Code == http.StatusOK) != known || !known && answer.Code != http.StatusMisdirectedRequest {
				t.Errorf("%s of %q: got %d %s", target, host, answer.Code, answer.Body)
			}
		}
	}
	for name, test := range map[string]struct {
		headers []string
		refused bool
	}{
		"the page":                    {[]string{"Origin", "https://console.example.com", "Sec-Fetch-Site", "same-origin"}, false},
		"another site":                {[]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, true},
		"another host of the site":    {[]string{"Origin", "https://wiki.example.com", "Sec-Fetch-Site", "same-site"}, true},
		"another site, an old client": {[]string{"Origin", "https://evil.example"}, true},
	} {
		for method, target := range map[string]string{http.MethodPost: "/ui/logout", http.MethodPut: images, http.MethodDelete: images} {
			if answer := s.sends(method, target, "{}", test.headers...); (answer.Code == http.StatusForbidden) != test.refused {
				t.Errorf("%s: %s %s: got %d %s", name, method, target, answer.Code, answer.Body)
			}
		}
		if answer := s.sends(http.MethodPost, "/ui/session", `{"token": "token-of-jane"}`, test.headers...); (answer.Code == http.StatusForbidden) != test.refused {
			t.Errorf("%s: sign in: got %d %s", name, answer.Code, answer.Body)
		}
	}
}

func TestEveryAnswerOfAClusterConsoleHasHeadersThatProtectIt(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	signedIn := newOIDC(t)
	signedIn.signsIn()
	signedIn.ages(oidctest.Lifetime)
	for name, answer := range map[string]*httptest.ResponseRecorder{
		"a session":        s.asks(http.MethodGet, "/ui/session", ""),
		"the API":          s.asks(http.MethodGet, images, ""),
		"a renewal":        signedIn.asks(http.MethodGet, images, ""),
		"a sign-in":        s.asks(http.MethodGet, "/ui/login", ""),
		"a failed sign-in": s.asks(http.MethodGet, "/ui/callback", ""),
		"a sign-out":       s.asks(http.MethodPost, "/ui/logout", ""),
		"a token":          s.pastes("token-of-jane"),
		"another host":     s.asks(http.MethodGet, "/ui/", "", "Host", "evil.example"),
	} {
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if got := answer.Header().Values(header); len(got) != 1 || got[0] != want {
				t.Errorf("%s: got %s %q, want %q", name, header, got, want)
			}
		}
	}
	for _, target := range []string{"/ui/", "/ui/ns/team/images", "/ui/app.js"} {
		answer := s.asks(http.MethodGet, target, "")
		if answer.Code != http.StatusOK || answer.Header().Get("Content-Security-Policy") != policy || answer.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: got %d %v", target, answer.Code, answer.Header())
		}
	}
	if target := s.asks(http.MethodGet, "/", "").Header().Get("Location"); target != Path {
		t.Errorf("the root leads to %q", target)
	}
}

func TestEachWayToSignInExcludesTheOther(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	for _, target := range []string{"/ui/login", "/ui/callback?code=a&state=b"} {
		checkStatus(t, target, s.asks(http.MethodGet, target, ""), http.StatusNotFound, "the console has no page")
	}
	s = newOIDC(t)
	if told := s.described(); told != (session{SignIn: "oidc", Provider: strings.TrimPrefix(s.provider.URL, "https://")}) {
		t.Errorf("the page is told %+v", told)
	}
	checkStatus(t, "a token", s.pastes("token-of-jane"), http.StatusUnauthorized, "this page is not signed in")
	if len(s.browser) > 0 {
		t.Errorf("got the cookies %v", s.browser)
	}
}

func TestEverybodyInAClusterReadsTheReasons(t *testing.T) {
	t.Parallel()
	for want, reasons := range map[string][]Reason{"[]\n": nil, `[{"reason":"OOMKilled","reporter":"","meaning":"","remedy":""}]` + "\n": {{Reason: "OOMKilled"}}} {
		s := newShared(t, func(c *Cluster) { c.Reasons = reasons })
		if answer := s.asks(http.MethodGet, "/ui/reasons", ""); answer.Code != http.StatusOK || answer.Body.String() != want {
			t.Errorf("got %d %s, want %s", answer.Code, answer.Body, want)
		}
	}
}

func TestAnAddressOfTheClusterThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for _, server := range []*rest.Config{{Host: "https://%"}, {Host: "https://a", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("no certificate")}}} {
		if _, err := (Cluster{Server: server}).Handler(); err == nil {
			t.Errorf("%s is an address", server.Host)
		}
	}
}
