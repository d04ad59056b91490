// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

const command = "goldsmith console --context production"

// local is a console in front of a server.
type local struct {
	t        *testing.T
	clock    *testingclock.FakePassiveClock
	sessions *Sessions
	handler  http.Handler

	mutex sync.Mutex
	seen  []*http.Request // that the server got
}

// newLocal returns a console in front of a server, which is nil if it answers each request with 200.
func newLocal(t *testing.T, server http.HandlerFunc) *local {
	t.Helper()
	l := &local{t: t, clock: testingclock.NewFakePassiveClock(noon)}
	upstream := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		l.mutex.Lock()
		l.seen = append(l.seen, request)
		l.mutex.Unlock()
		if server != nil {
			server(writer, request)
		}
	}))
	t.Cleanup(upstream.Close)
	return l.to(&rest.Config{Host: upstream.URL, BearerToken: "token of the user"})
}

// to connects the console to a server.
func (l *local) to(server *rest.Config) *local {
	l.t.Helper()
	l.sessions = NewSessions(l.clock)
	l.handler = require.Value(Local{Server: server, Namespace: "team", Command: command, Sessions: l.sessions}.Handler())(l.t)
	return l
}

// request returns a request to the console, with the token of a session unless the headers have another Authorization. Headers are pairs
// of name and value.
func (l *local) request(method, target, body string, headers ...string) *http.Request {
	l.t.Helper()
	request := httptest.NewRequestWithContext(l.t.Context(), method, target, strings.NewReader(body))
	request.Host = l.sessions.host + ":8080"
	request.Header.Set("Authorization", "Bearer "+l.sessions.start())
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	return request
}

// asks sends a request to the console, as request describes it.
func (l *local) asks(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	l.t.Helper()
	answer := httptest.NewRecorder()
	l.handler.ServeHTTP(answer, l.request(method, target, body, headers...))
	return answer
}

// forwarded returns the requests that the server got since the last call.
func (l *local) forwarded() []*http.Request {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	seen := l.seen
	l.seen = nil
	return seen
}

// checkStatus compares an answer with a Status of the API, whose message has a text.
func checkStatus(t *testing.T, name string, answer *httptest.ResponseRecorder, code int32, text string) {
	t.Helper()
	var status metav1.Status
	err := json.Unmarshal(answer.Body.Bytes(), &status)
	if err != nil || answer.Code != int(code) || status.Code != code || status.Kind != "Status" || status.APIVersion != "v1" ||
		status.Status != metav1.StatusFailure || !strings.Contains(status.Message, text) {
		t.Errorf("%s: got %d %s, want a Status of %d with %q", name, answer.Code, answer.Body, code, text)
	}
	if got := answer.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("%s: the Status is %s", name, got)
	}
}

const images = "/apis/images.goldsmith.dev/v1alpha1/images"

func TestAPageSignsInWithItsLinkAndOut(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	signIn := func(body string, headers ...string) (*httptest.ResponseRecorder, session) {
		t.Helper()
		answer := l.asks(http.MethodPost, "/ui/session", body, headers...)
		var got session
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &got))
		if got := answer.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("browsers keep a token: Cache-Control is %q", got)
		}
		if answer.Header().Get("Set-Cookie") != "" {
			t.Errorf("got a cookie: %v", answer.Header())
		}
		return answer, got
	}
	none := []string{"Authorization", ""}
	link := `{"code": "` + codeOf(t, l.sessions) + `"}`

	answer, first := signIn(link, none...)
	if answer.Code != http.StatusOK || !l.sessions.valid(first.Token) || first.Namespace != "team" || first.Command != command {
		t.Fatalf("a link: got %d %s", answer.Code, answer.Body)
	}
	if answer := l.asks(http.MethodGet, images, "", "Authorization", "Bearer "+first.Token); answer.Code != http.StatusOK {
		t.Errorf("a page that signed in: got %d %s", answer.Code, answer.Body)
	}
	again, _ := signIn(link, none...)
	checkStatus(t, "the link again", again, http.StatusUnauthorized, "was used before, or is older than 10 minutes")

	answer, second := signIn(`{"code": "`+codeOf(t, l.sessions)+`"}`, none...)
	if answer.Code != http.StatusOK || second.Token == first.Token || !l.sessions.valid(first.Token) {
		t.Errorf("another link: got %d %s", answer.Code, answer.Body)
	}
	if answer := l.asks(http.MethodPost, "/ui/logout", "", "Authorization", "Bearer "+first.Token); answer.Code != http.StatusOK || !l.sessions.valid(second.Token) {
		t.Errorf("signing out: got %d %s", answer.Code, answer.Body)
	}
	out := l.asks(http.MethodGet, images, "", "Authorization", "Bearer "+first.Token)
	checkStatus(t, "a page that signed out", out, http.StatusUnauthorized, notSignedIn)
	if seen := l.forwarded(); len(seen) != 1 {
		t.Errorf("the server got %d requests, want the one for images", len(seen))
	}
}

func TestSignInsThatAreRefused(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	for name, test := range map[string]struct {
		body, authorization string
		code                int32
		message             string
	}{
		"an unknown code":              {`{"code": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}`, "", http.StatusUnauthorized, "this link was used before"},
		"no code":                      {`{}`, "", http.StatusUnauthorized, "this link was used before"},
		"an empty code":                {`{"code": ""}`, "", http.StatusUnauthorized, "this link was used before"},
		"a token instead of a code":    {`{}`, "Bearer " + l.sessions.start(), http.StatusUnauthorized, "this link was used before"},
		"the code of another process":  {`{"code": "` + codeOf(t, NewSessions(l.clock)) + `"}`, "", http.StatusUnauthorized, "this link was used before"},
		"no JSON":                      {`code=1`, "", http.StatusBadRequest, "read the request: "},
		"nothing":                      {``, "", http.StatusBadRequest, "read the request: "},
		"a number":                     {`{"code": 1}`, "", http.StatusBadRequest, "read the request: "},
		"more than a page ever sends":  {`{"code": "` + strings.Repeat("A", 1<<20) + `"}`, "", http.StatusBadRequest, "too large"},
		"garbage with a valid session": {`garbage`, "Bearer " + l.sessions.start(), http.StatusBadRequest, "read the request: "},
	} {
		checkStatus(t, name, l.asks(http.MethodPost, "/ui/session", test.body, "Authorization", test.authorization), test.code, test.message)
	}
}

func TestEverybodyIsToldHowToSignIn(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	answer := l.asks(http.MethodGet, "/ui/session", "", "Authorization", "")
	if want := `{"signIn":"link","command":"` + command + `"}` + "\n"; answer.Code != http.StatusOK || answer.Body.String() != want {
		t.Errorf("got %d %s, want %s", answer.Code, answer.Body, want)
	}
}

func TestEverybodyReadsTheReasons(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	l.handler = require.Value(Local{Server: &rest.Config{Host: "http://127.0.0.1:1"}, Sessions: l.sessions, Reasons: []Reason{
		{Reason: "OOMKilled", Reporter: "a failure", Meaning: "the build <used> too much memory", Remedy: "nothing"},
	}}.Handler())(t)
	const want = `[{"reason":"OOMKilled","reporter":"a failure","meaning":"the build \u003cused\u003e too much memory","remedy":"nothing"}]` + "\n"
	answer := l.asks(http.MethodGet, "/ui/reasons", "", "Authorization", "")
	if answer.Code != http.StatusOK || answer.Body.String() != want || answer.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s, want %s", answer.Code, answer.Body, want)
	}
}

func TestRequestsOfPagesThatAreNotSignedInAreRefused(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	ended := l.sessions.start()
	l.clock.SetTime(noon.Add(signInLimit))
	for name, authorization := range map[string]string{
		"none":               "",
		"the scheme alone":   "Bearer ",
		"garbage":            "Bearer garbage",
		"another process":    "Bearer " + NewSessions(l.clock).start(),
		"one that has ended": "Bearer " + ended,
		"without its scheme": l.sessions.start(),
		"another scheme":     "Basic " + l.sessions.start(),
		"the server's token": "Bearer token of the user",
		"a code":             "Bearer " + codeOf(t, l.sessions),
	} {
		for _, target := range []string{images, "/version", "/api/v1/secrets", "/metrics", "/apis"} {
			checkStatus(t, name+" for "+target, l.asks(http.MethodGet, target, "", "Authorization", authorization), http.StatusUnauthorized, notSignedIn)
		}
	}
	cookie := l.asks(http.MethodGet, images, "", "Authorization", "", "Cookie", "token="+l.sessions.start())
	checkStatus(t, "a cookie", cookie, http.StatusUnauthorized, notSignedIn)
	query := l.asks(http.MethodGet, images+"?token="+l.sessions.start(), "", "Authorization", "")
	checkStatus(t, "a query", query, http.StatusUnauthorized, notSignedIn)
	if seen := l.forwarded(); len(seen) > 0 {
		t.Errorf("the server got %d requests", len(seen))
	}
	if answer := l.asks(http.MethodGet, images, "", "Authorization", "bearer "+l.sessions.start()); answer.Code != http.StatusOK {
		t.Errorf("a scheme in lower case: got %d %s", answer.Code, answer.Body)
	}
}

func TestOnlyTheNameInTheLinksIsTheHost(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	own, former := l.sessions.host, NewSessions(l.clock).host
	if label, ok := strings.CutSuffix(own, ".localhost"); !ok || len(label) != 26 || own == former {
		t.Errorf("the names of two processes are %q and %q, want one label of 128 bits each", own, former)
	}
	for _, host := range []string{own, own + ":8080", own + ":80", strings.ToUpper(own)} { // the port may be that of a tunnel
		for _, target := range []string{"/ui/", images} {
			if answer := l.asks(http.MethodGet, target, "", "Host", host); answer.Code != http.StatusOK {
				t.Errorf("GET %s of the host %q: got %d %s", target, host, answer.Code, answer.Body)
			}
		}
	}
	l.forwarded()
	for _, host := range []string{
		"", "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "127.0.0.1.evil.example:8080", "localhost.evil.example:8080", "notlocalhost:8080",
		"127.0.0.1", "127.0.0.1:8080", "localhost", "localhost:8080", "[::1]:8080", former, former + ":8080", "www." + own, own + ".", own + ".evil.example:8080", strings.TrimSuffix(own, ".localhost"),
		"192.0.2.1", "192.0.2.1:8080", "10.0.0.1:8080", "0.0.0.0:8080", "[::]:8080", "[2001:db8::1]:8080", "2130706433:8080", "0x7f000001", "127.1:8080",
		"127.0.0.1@evil.example", "evil.example@127.0.0.1:8080", "127.0.0.1:8080:evil.example", "127.0.0.1,evil.example", " 127.0.0.1",
	} {
		link := codeOf(t, l.sessions)
		for target, answer := range map[string]*httptest.ResponseRecorder{
			"GET /ui/":         l.asks(http.MethodGet, "/ui/", "", "Host", host),
			"GET " + images:    l.asks(http.MethodGet, images, "", "Host", host),
			"GET /ui/session":  l.asks(http.MethodGet, "/ui/session", "", "Host", host),
			"POST /ui/session": l.asks(http.MethodPost, "/ui/session", `{"code": "`+link+`"}`, "Host", host),
		} {
			checkStatus(t, target+" of the host "+host, answer, http.StatusMisdirectedRequest, "is not served for the host")
		}
		if !l.sessions.redeem(link) {
			t.Errorf("the host %q used up a link", host)
		}
	}
	if seen := l.forwarded(); len(seen) > 0 {
		t.Errorf("the server got %d requests", len(seen))
	}
}

func TestPagesOfOtherOriginsCannotSendRequests(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	own := "http://" + l.sessions.host + ":8080"
	for name, test := range map[string]struct {
		headers []string
		refused bool
	}{
		"this page":                        {[]string{"Origin", own, "Sec-Fetch-Site", "same-origin"}, false},
		"this page in an old browser":      {[]string{"Origin", own}, false},
		"no browser":                       {nil, false},
		"another site":                     {[]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, true},
		"another site in an old browser":   {[]string{"Origin", "https://evil.example"}, true},
		"another site without an origin":   {[]string{"Sec-Fetch-Site", "cross-site"}, true},
		"another port of this machine":     {[]string{"Origin", "http://" + l.sessions.host + ":8081", "Sec-Fetch-Site", "same-site"}, true},
		"another port in an old browser":   {[]string{"Origin", "http://" + l.sessions.host + ":8081"}, true},
		"another name of this machine":     {[]string{"Origin", "http://127.0.0.1:8080"}, true},
		"a sandboxed frame":                {[]string{"Origin", "null"}, true},
		"a forged origin":                  {[]string{"Origin", own, "Sec-Fetch-Site", "cross-site"}, true},
		"a host that begins with this one": {[]string{"Origin", own + ".evil.example"}, true},
	} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			answer := l.asks(method, images, "{}", test.headers...)
			if want := map[bool]int{true: http.StatusForbidden, false: http.StatusOK}[test.refused]; answer.Code != want || len(l.forwarded()) == 0 != test.refused {
				t.Errorf("%s: %s: got %d %s, want %d", name, method, answer.Code, answer.Body, want)
			}
		}
		code := codeOf(t, l.sessions)
		answer := l.asks(http.MethodPost, "/ui/session", `{"code": "`+code+`"}`, test.headers...)
		if refused := answer.Code == http.StatusForbidden; refused != test.refused || l.sessions.redeem(code) != test.refused {
			t.Errorf("%s: sign in: got %d %s", name, answer.Code, answer.Body)
		}
	}
}

func TestEveryAnswerHasHeadersThatProtectIt(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	for name, answer := range map[string]*httptest.ResponseRecorder{
		"the API":         l.asks(http.MethodGet, images, ""),
		"no token":        l.asks(http.MethodGet, images, "", "Authorization", ""),
		"no such request": l.asks(http.MethodGet, "/metrics", ""),
		"no such page":    l.asks(http.MethodGet, "/ui/missing.js", ""),
		"another host":    l.asks(http.MethodGet, "/ui/", "", "Host", "evil.example"),
		"another origin":  l.asks(http.MethodPost, "/ui/session", "{}", "Origin", "https://evil.example"),
		"a session":       l.asks(http.MethodPost, "/ui/session", "{}"),
		"a redirect":      l.asks(http.MethodGet, "/", ""),
	} {
		for header, want := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'; sandbox",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := answer.Header().Values(header); len(got) != 1 || got[0] != want {
				t.Errorf("%s: got %s %q, want %q", name, header, got, want)
			}
		}
	}
}
