// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestSealedValuesOpenInTheirProcessAndForTheirPurposeOnly(t *testing.T) {
	t.Parallel()
	own, other := require.Value(newBox())(t), require.Value(newBox())(t)
	sealed := own.seal(forSession, "jane")
	if sealed == own.seal(forSession, "jane") || strings.Contains(sealed, "jane") {
		t.Errorf("the same value is sealed in the same way, or can be read: %s", sealed)
	}
	content := require.Value(base64.RawURLEncoding.DecodeString(sealed))(t)
	content[len(content)-1] ^= 1
	for name, test := range map[string]struct {
		box             box
		purpose, sealed string
		want            bool
	}{
		"the process that sealed": {own, forSession, sealed, true},
		"another process":         {other, forSession, sealed, false},
		"another purpose":         {own, forMessage, sealed, false},
		"one bit that is changed": {own, forSession, base64.RawURLEncoding.EncodeToString(content), false},
		"a text that is cut":      {own, forSession, sealed[:len(sealed)-4], false},
		"too little":              {own, forSession, "AAAA", false},
		"nothing":                 {own, forSession, "", false},
		"no base64":               {own, forSession, "{}", false},
	} {
		var value string
		if got := test.box.open(test.purpose, test.sealed, &value); got != test.want || got && value != "jane" {
			t.Errorf("%s: opens: %t, with %q", name, got, value)
		}
	}
	var number int
	if own.open(forSession, sealed, &number) {
		t.Error("a text opens as a number")
	}
}

func TestASessionIsSplitIntoCookiesThatBrowsersKeep(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, cookieBytes - 1, cookieBytes, cookieBytes + 1, 2 * cookieBytes, cookieBytes*maxCookies - 1, cookieBytes * maxCookies} {
		sealed := strings.Repeat("x", size-1) + "y"
		jar := browser{}
		for _, before := range []int{maxCookies, 1, 0} { // more and fewer cookies of a former session
			jar.session(t, strings.Repeat("z", before*cookieBytes))
			jar.session(t, sealed)
			if got := sessionOf(jar.request(t)); got != sealed {
				t.Errorf("%d bytes after %d cookies: got %d", size, before, len(got))
			}
			for name, value := range jar {
				if len(name)+len(value) > 4096 {
					t.Errorf("%d bytes: the cookie %s has %d bytes", size, name, len(name)+len(value))
				}
			}
		}
		jar.session(t, "")
		if len(jar) > 0 {
			t.Errorf("%d bytes: signed out, %d cookies are left", size, len(jar))
		}
		if !fits(sealed) || fits(strings.Repeat("x", cookieBytes*maxCookies+1)) {
			t.Errorf("%d bytes: it fits: %t", size, fits(sealed))
		}
	}
}

func TestCookiesOfASessionThatAreNotWhole(t *testing.T) {
	t.Parallel()
	for name, jar := range map[string]browser{
		"no cookie":       {},
		"no first cookie": {"session-1": "abc"},
		"no count":        {"session-0": "abc"},
		"a wrong count":   {"session-0": "x.abc"},
		"a huge count":    {"session-0": "999999999999.abc"},
		"a count below 0": {"session-0": "-1.abc"},
	} {
		got := sessionOf(jar.request(t))
		if want := map[bool]string{true: "abc"}[strings.Contains(jar["session-0"], ".")]; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// browser has the cookies of a browser by their names without the prefix.
type browser map[string]string

// receive takes the cookies of an answer as a browser does, and checks that no other site, host or script gets them.
func (b browser) receive(t *testing.T, answer *http.Response) {
	t.Helper()
	for _, cookie := range answer.Cookies() {
		name, ok := strings.CutPrefix(cookie.Name, "__Host-goldsmith-")
		sameSite := http.SameSiteStrictMode
		if strings.HasPrefix(name, "sign-in-") {
			sameSite = http.SameSiteLaxMode
		}
		if !ok || !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" || cookie.SameSite != sameSite {
			t.Errorf("got the cookie %s", cookie.Raw)
		}
		if len(cookie.Raw) > 4096 {
			continue // no browser keeps it
		}
		b[name] = cookie.Value
		if cookie.MaxAge < 0 {
			delete(b, name)
		}
	}
}

func (b browser) addTo(request *http.Request) {
	for name, value := range b {
		request.AddCookie(&http.Cookie{Name: "__Host-goldsmith-" + name, Value: value})
	}
}

func (b browser) request(t *testing.T) *http.Request {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	b.addTo(request)
	return request
}

func (b browser) session(t *testing.T, sealed string) {
	t.Helper()
	answer := httptest.NewRecorder()
	setSession(answer, b.request(t), sealed)
	b.receive(t, answer.Result())
}
