// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/oidctest"
	"goldsmith.dev/goldsmith/e2e/require"
)

// starts goes to the provider, and returns where the browser is then.
func (s *shared) starts(target string) *url.URL {
	s.t.Helper()
	answer := s.asks(http.MethodGet, target, "")
	if answer.Code != http.StatusSeeOther {
		s.t.Fatalf("%s: got %d %s", target, answer.Code, answer.Body)
	}
	return require.Value(url.Parse(answer.Header().Get("Location")))(s.t)
}

// passes uses the page of the provider, and returns where the browser is then.
func (s *shared) passes(at *url.URL) *url.URL {
	s.t.Helper()
	client := *s.provider.Client()
	client.CheckRedirect = noRedirect
	request := require.Value(http.NewRequestWithContext(s.t.Context(), http.MethodGet, at.String(), http.NoBody))(s.t)
	answer, err := client.Do(request)
	require.NoError(s.t, err)
	require.NoError(s.t, answer.Body.Close())
	if answer.StatusCode != http.StatusFound {
		s.t.Fatalf("%s: got %s", at, answer.Status)
	}
	return require.Value(answer.Location())(s.t)
}

// returns comes back from the provider, and returns the address of the page.
func (s *shared) returns(at *url.URL) string {
	s.t.Helper()
	answer := s.asks(http.MethodGet, at.RequestURI(), "")
	if answer.Code != http.StatusSeeOther {
		s.t.Fatalf("%s: got %d %s", at, answer.Code, answer.Body)
	}
	return answer.Header().Get("Location")
}

// signsIn signs in with the provider.
func (s *shared) signsIn() {
	s.t.Helper()
	s.returns(s.passes(s.starts("/ui/login?back=/ui/ns/team/images")))
}

func TestAUserSignsInWithTheProviderAndReturns(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	const page = "/ui/ns/team/builds/web-1/log?attempt=2#L120"
	at := s.starts("/ui/login?back=" + url.QueryEscape(page))
	query := at.Query()
	for name, want := range map[string]string{
		"client_id": oidctest.ClientID, "response_type": "code", "code_challenge_method": "S256", "redirect_uri": "https://console.example.com/ui/callback", "scope": "openid offline_access",
	} {
		if got := query.Get(name); got != want {
			t.Errorf("the provider gets %s %q, want %q", name, got, want)
		}
	}
	if len(query.Get("state")) < 20 || len(query.Get("nonce")) < 20 || len(query.Get("code_challenge")) != 43 || query.Get("state") == query.Get("nonce") {
		t.Errorf("the provider gets %v", query)
	}
	s.expectUser("before", "")
	back := s.passes(at)
	if got := s.returns(back); got != page {
		t.Errorf("the user returns to %s", got)
	}
	s.expectUser("after", "jane")
	if told := s.described(); told.Message != "" || told.SignIn != "oidc" || told.Command != "" {
		t.Errorf("the page is told %+v", told)
	}
	for name := range s.browser {
		if !strings.HasPrefix(name, "session-") {
			t.Errorf("the cookie %s is left", name)
		}
	}
	s.expectSecret(back.Query().Get("code"), oidctest.ClientSecret, query.Get("state"))

	before := maps.Clone(s.browser)
	s.returns(back)
	if got := s.described(); got.User != "jane" || !maps.Equal(before, s.browser) {
		t.Errorf("the same callback again changes the session: %+v", got)
	}
	s.asks(http.MethodPost, "/ui/logout", "")
	s.expectUser("signed out", "")
}

func TestOnlyAddressesOfPagesAreReturnedTo(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"/ui/": "", "/ui/?a=b#c": "", "/ui/ns/team/images": "", "/ui/ns/-/builds?q=%2F%2Fevil#L1": "", "/ui/ns/%3Cscript%3E/images": "", "/ui/ns//evil.example": "",

		"": Path, "/": Path, "/ui": Path, "/uix": Path, "ui/ns/team": Path, "https://evil.example/ui/ns/team": Path, "//evil.example/ui/ns/team": Path, "/\\evil.example/ui/": Path,
		"\\\\evil.example/ui/": Path, "/ui/\\evil.example": Path, "/ui/ns/\\evil": Path, "javascript:alert(1)//ui/ns/": Path, "/ui/../../evil": Path, "/ui/ns/../../evil": Path, "/ui/ns/team/../../../apis": Path,
		"/ui/ns/%2e%2e/%2e%2e/apis": Path, "/ui/login": Path, "/ui/login?back=/ui/login": Path, "/ui/callback?error=a": Path, "/ui/logout": Path, "/ui/session": Path, "/ui/app.js": Path,
		"/ui/ns/a\r\nSet-Cookie: a=b": Path, "/ui/ns/a\tb": Path, "/ui/ns/\x00": Path, "/ui/ns/%zz": Path, "/ui/ns/" + strings.Repeat("a", maxBack): Path, "/apis/images.goldsmith.dev": Path,
	} {
		if want == "" {
			want = address
		}
		if got := checkedBack(address); got != want {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
	s := newOIDC(t)
	for _, target := range []string{"/ui/login?back=https://evil.example/", "/ui/login?back=//evil.example", "/ui/login"} {
		if got := s.returns(s.passes(s.starts(target))); got != Path {
			t.Errorf("%s: the user returns to %s", target, got)
		}
	}
}

// TestSignInsThatFail holds that the page tells why a sign-in failed, and that nobody is signed in then.
func TestSignInsThatFail(t *testing.T) {
	t.Parallel()
	claim := func(name string, value any) func(*shared) {
		return func(s *shared) {
			s.provider.Fail(oidctest.Faults{Claims: func(claims map[string]any) { claims[name] = value }})
		}
	}
	fail := func(faults oidctest.Faults) func(*shared) { return func(s *shared) { s.provider.Fail(faults) } }
	skewed := func(by time.Duration) func(*shared) {
		return func(s *shared) { s.provider.Now = func() time.Time { return noon.Add(by) } }
	}
	const clocks = "and it is 2026-05-01T12:00:00Z here: check the clocks of the provider and of the console"
	for name, test := range map[string]struct {
		begin, end func(*shared) // what goes wrong before the sign-in, and before the return
		change     func(url.Values)
		message    string
	}{
		"access denied":               {begin: fail(oidctest.Faults{Error: "access_denied", ErrorDescription: "jane is not in the group"}), message: "denied access: jane is not in the group"},
		"access denied, no more":      {begin: fail(oidctest.Faults{Error: "access_denied"}), message: "denied access"},
		"another error":               {begin: fail(oidctest.Faults{Error: "invalid_scope", ErrorDescription: "offline_access"}), message: `refused the sign-in with "invalid_scope": offline_access`},
		"a long error":                {begin: fail(oidctest.Faults{Error: "invalid_scope", ErrorDescription: strings.Repeat("\x00é", 5000)}), message: `refused the sign-in with "invalid_scope"`},
		"a wrong state":               {change: func(query url.Values) { query.Set("state", query.Get("state")+"a") }, message: "started in another browser, more than 10 minutes ago, or before the console was restarted: sign in again"},
		"no state":                    {change: func(query url.Values) { query.Del("state") }, message: "started in another browser"},
		"a forged error":              {change: func(query url.Values) { query.Set("error", "call +1 555"); query.Set("state", "forged") }, message: "started in another browser"},
		"another browser":             {end: func(s *shared) { clear(s.browser) }, message: "started in another browser"},
		"a long time at the provider": {end: func(s *shared) { s.clock.SetTime(noon.Add(attemptLifetime)) }, message: "more than 10 minutes ago"},
		"a restart of the console":    {end: func(s *shared) { s.handler = require.Value(s.settings.Handler())(s.t) }, message: "more than 10 minutes ago, or before the console was restarted: sign in again"},
		"no code":                     {change: func(query url.Values) { query.Del("code") }, message: `refused with "invalid_grant"`},
		"a wrong code":                {change: func(query url.Values) { query.Set("code", "wrong") }, message: `refused with "invalid_grant": as the test wants`},
		"a wrong secret":              {end: fail(oidctest.Faults{TokenError: "invalid_client"}), message: `refused with "invalid_client"`},
		"a token endpoint that fails": {end: fail(oidctest.Faults{Status: http.StatusBadGateway}), message: "cannot be used now: its token endpoint answers 502"},
		"a provider that ended":       {end: func(s *shared) { s.provider.Close() }, message: "cannot be used now: "},
		"no ID token":                 {end: fail(oidctest.Faults{WithoutIDToken: true}), message: "sent no ID token"},
		"another nonce":               {end: claim("nonce", "other"), message: "is for another sign-in (nonce)"},
		"no nonce":                    {end: claim("nonce", nil), message: "is for another sign-in (nonce)"},
		"another audience":            {end: claim("aud", "wiki"), message: `is not valid: oidc: expected audience "goldsmith" got ["wiki"]`},
		"another issuer":              {end: claim("iss", "https://evil.example"), message: "is not valid: oidc: id token issued by a different provider"},
		"another key":                 {end: fail(oidctest.Faults{Key: oidctest.NewKey()}), message: "is not valid: failed to verify signature"},
		"an expiry that is none":      {end: claim("exp", "soon"), message: "is not valid"},
		"no expiry":                   {end: claim("exp", nil), message: "the ID token of the provider expired at"},
		"the provider an hour behind": {begin: skewed(-time.Hour), message: "expired at 2026-05-01T11:10:00Z, " + clocks},
		"the provider an hour ahead":  {begin: skewed(time.Hour), message: "is valid from 2026-05-01T13:00:00Z, " + clocks},
		"a token of later":            {end: claim("nbf", noon.Add(time.Hour).Unix()), message: "is valid from 2026-05-01T13:00:00Z, " + clocks},
		"a token of just now":         {end: claim("exp", noon.Unix()), message: "expired at 2026-05-01T12:00:00Z, " + clocks},
		"a cluster of others":         {end: func(s *shared) { s.answersWith(unauthorized) }, message: "the cluster does not accept ID tokens of https://"},
		"no cluster":                  {end: func(s *shared) { s.answersWith(overloaded) }, message: "the cluster cannot tell whose token this is: too many"},
		"a token with many groups":    {end: claim("groups", strings.Repeat("group ", 4000)), message: "bytes, and browsers keep at most"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newOIDC(t)
			if test.begin != nil {
				test.begin(s)
			}
			at := s.passes(s.starts("/ui/login?back=/ui/ns/team/images"))
			if test.end != nil {
				test.end(s)
			}
			if test.change != nil {
				query := at.Query()
				test.change(query)
				at.RawQuery = query.Encode()
			}
			got := s.returns(at)
			s.answersWith(nil)
			if want := map[bool]string{true: Path, false: "/ui/ns/team/images"}[strings.Contains(test.message, "10 minutes") || strings.Contains(test.message, "another browser")]; got != want {
				t.Errorf("the user returns to %s", got)
			}
			told := s.described()
			if !strings.Contains(told.Message, test.message) || told.User != "" || len(told.Message) > maxMessage {
				t.Errorf("the page is told %+v, want %q", told, test.message)
			}
			s.expectUser(name, "")
			if told := s.described(); told.Message != "" {
				t.Errorf("the page is told again: %s", told.Message)
			}
			s.expectSecret(at.Query().Get("code"), oidctest.ClientSecret)
			s.mutex.Lock()
			defer s.mutex.Unlock()
			if !strings.Contains(s.log.String(), `"a sign-in failed"`) {
				t.Errorf("the log is %s", &s.log)
			}
		})
	}
}

func unauthorized(writer http.ResponseWriter) {
	refuse(writer, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
}

func overloaded(writer http.ResponseWriter) {
	refuse(writer, http.StatusTooManyRequests, "TooManyRequests", "too many")
}

func TestNoOtherServerGetsTheSecretOfTheClient(t *testing.T) {
	t.Parallel()
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another server gets the code and the secret") }))
	t.Cleanup(other.Close)
	s := newOIDC(t)
	at := s.passes(s.starts("/ui/login"))
	s.provider.Fail(oidctest.Faults{Elsewhere: other.URL})
	s.returns(at)
	if told := s.described(); !strings.Contains(told.Message, "its token endpoint answers 307") {
		t.Errorf("the page is told %+v", told)
	}
}

func TestAFailureIsNotToldToUsersWhoAreSignedIn(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	s.signsIn()
	s.asks(http.MethodGet, "/ui/callback?error=access_denied", "")
	if told := s.described(); told.User != "jane" || told.Message != "" || s.browser[forMessage] != "" {
		t.Errorf("the page is told %+v", told)
	}
}

func TestClocksMayDifferALittle(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-oidctest.Lifetime + time.Second, skew} {
		s := newOIDC(t)
		s.provider.Now = func() time.Time { return noon.Add(by) }
		s.signsIn()
		if told := s.described(); told.User != "jane" {
			t.Errorf("%s: the page is told %+v", by, told)
		}
	}
}

func TestAProviderThatFailsAtTheStartIsAskedAgain(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	const discovery = "/.well-known/openid-configuration"
	s.provider.Fail(oidctest.Faults{Status: http.StatusServiceUnavailable})
	for range 3 {
		if at := s.starts("/ui/login?back=/ui/ns/team/images"); at.String() != "/ui/ns/team/images" {
			t.Errorf("the user is at %s", at)
		}
		if told := s.described(); !strings.Contains(told.Message, "the provider "+s.provider.URL+" cannot be used now: 503 Service Unavailable") {
			t.Errorf("the page is told %+v", told)
		}
	}
	if got := s.provider.Requests(discovery); got != 1 {
		t.Errorf("the provider was asked %d times at once", got)
	}
	s.provider.Fail(oidctest.Faults{})
	s.clock.SetTime(noon.Add(failedFor))
	s.signsIn()
	s.expectUser("later", "jane")
	s.signsIn()
	if got := s.provider.Requests(discovery); got != 2 {
		t.Errorf("the provider was asked %d times", got)
	}
}

func TestAProviderWithAnotherNameIsRefused(t *testing.T) {
	t.Parallel()
	s := newOIDC(t, func(c *Cluster) { c.OIDC.Issuer += "/" })
	s.starts("/ui/login")
	if told := s.described(); !strings.Contains(told.Message, "did not match the issuer") {
		t.Errorf("the page is told %+v", told)
	}
}

func TestTheSecretIsSentAsTheProviderTakesIt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		methods []string
		secret  string
	}{
		{nil, oidctest.ClientSecret},
		{[]string{"client_secret_basic", "client_secret_post"}, oidctest.ClientSecret},
		{[]string{"client_secret_post"}, oidctest.ClientSecret},
		{[]string{"client_secret_basic", "none"}, ""},
	} {
		s := newOIDC(t, func(c *Cluster) { c.OIDC.ClientSecret = test.secret })
		s.provider.Methods = test.methods
		s.signsIn()
		s.ages(oidctest.Lifetime)
		s.expectUser(fmt.Sprint(test.methods), "jane")
		if got := s.provider.Requests("/token"); got != 2 {
			t.Errorf("%v: the provider was asked %d times", test.methods, got)
		}
	}
}

func TestSeveralWindowsSignInAtOnce(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	first, second := s.starts("/ui/login?back=/ui/ns/a"), s.starts("/ui/login?back=/ui/ns/b")
	for at, want := range map[*url.URL]string{first: "/ui/ns/a", second: "/ui/ns/b"} {
		if got := s.returns(s.passes(at)); got != want {
			t.Errorf("the user returns to %s, want %s", got, want)
		}
		s.expectUser(want, "jane")
	}
	for range 20 {
		s.starts("/ui/login")
		if len(s.browser) > maxAttempts+1 {
			t.Fatalf("the browser has %d cookies", len(s.browser))
		}
	}
}

// ages moves the clock to when the tokens of the session are renewed, or to their end.
func (s *shared) ages(by time.Duration) { s.clock.SetTime(s.clock.Now().Add(by)) }

func TestTokensAreRenewedBeforeTheirEndUntilTheLimit(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	s.signsIn()
	s.ages(oidctest.Lifetime - renewBefore - time.Second)
	s.expectUser("a current token", "jane")
	if got := s.provider.Requests("/token"); got != 1 {
		t.Fatalf("the provider was asked %d times", got)
	}
	before := maps.Clone(s.browser)
	s.ages(time.Second)
	s.expectUser("an old token", "jane")
	if got := s.provider.Requests("/token"); got != 2 || maps.Equal(before, s.browser) {
		t.Errorf("the provider was asked %d times", got)
	}
	for s.clock.Now().Before(noon.Add(signInLimit - oidctest.Lifetime)) {
		s.ages(oidctest.Lifetime - time.Second) // the last token is valid for one second
		s.expectUser(s.clock.Now().String(), "jane")
	}
	s.clock.SetTime(noon.Add(signInLimit))
	s.expectUser("the limit", "")
	if told := s.described(); told.Message != errEnded.Error() {
		t.Errorf("the page is told %+v", told)
	}
	s.expectSecret(oidctest.ClientSecret)
}

func TestATokenOfASecondIsRenewedInTime(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	s.provider.Fail(oidctest.Faults{Claims: func(claims map[string]any) { claims["exp"] = s.clock.Now().Add(20 * time.Second).Unix() }})
	s.signsIn()
	s.ages(15 * time.Second)
	s.expectUser("a current token", "jane")
	if got := s.provider.Requests("/token"); got != 1 {
		t.Errorf("the provider was asked %d times", got)
	}
	s.ages(time.Second)
	s.expectUser("an old token", "jane")
	if got := s.provider.Requests("/token"); got != 2 {
		t.Errorf("the provider was asked %d times", got)
	}
}

// TestConcurrentRequestsRenewOnce holds that a refresh token is used once: providers end sessions otherwise.
func TestConcurrentRequestsRenewOnce(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	s.signsIn()
	s.ages(oidctest.Lifetime)
	answers := make([]*httptest.ResponseRecorder, 20)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = s.sends(http.MethodGet, images, "") })
	}
	all.Wait()
	former := maps.Clone(s.browser)
	for _, answer := range answers {
		if answer.Code != http.StatusOK || fmt.Sprint(answer.Header()["Set-Cookie"]) != fmt.Sprint(answers[0].Header()["Set-Cookie"]) {
			t.Errorf("got %d %s %v", answer.Code, answer.Body, answer.Header())
		}
	}
	s.browser.receive(t, answers[0].Result())
	if got := s.provider.Requests("/token"); got != 2 || maps.Equal(former, s.browser) {
		t.Errorf("the provider was asked %d times", got)
	}

	// A request that was sent with the former cookies, and arrives late.
	current := s.browser
	s.browser = maps.Clone(former)
	s.ages(renewedFor - time.Second)
	s.expectUser("a late request", "jane")
	if got := s.provider.Requests("/token"); got != 2 {
		t.Errorf("the provider was asked %d times", got)
	}
	if !maps.Equal(s.browser, current) {
		t.Error("a late request gets other cookies")
	}
	s.browser = former
	s.ages(time.Second)
	s.expectUser("a stolen cookie", "")
}

func TestABrowserThatDoesNotWaitLosesNoSession(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	s.signsIn()
	s.ages(oidctest.Lifetime)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	request := s.browser.request(t).WithContext(ctx)
	request.Host = "console.example.com"
	request.URL.Path = images
	s.handler.ServeHTTP(httptest.NewRecorder(), request)
	s.expectUser("the next request", "jane")
	if got := s.provider.Requests("/token"); got != 2 {
		t.Errorf("the provider was asked %d times", got)
	}
}

func TestSessionsThatCannotBeRenewed(t *testing.T) {
	t.Parallel()
	const ended = "the session has ended: "
	for name, test := range map[string]struct {
		begin, then oidctest.Faults
		code        int32
		message     string
	}{
		"no refresh token":  {oidctest.Faults{WithoutRefresh: true}, oidctest.Faults{}, http.StatusUnauthorized, "the provider gave no refresh token: sign in again. The scope offline_access asks most providers for one"},
		"revoked":           {oidctest.Faults{}, oidctest.Faults{TokenError: "invalid_grant"}, http.StatusUnauthorized, ended + "the provider "},
		"no ID token":       {oidctest.Faults{}, oidctest.Faults{WithoutIDToken: true}, http.StatusUnauthorized, "sent no ID token: sign in again"},
		"another user":      {oidctest.Faults{}, oidctest.Faults{Claims: func(claims map[string]any) { claims["sub"] = "ann" }}, http.StatusUnauthorized, "with the ID token of another user"},
		"another audience":  {oidctest.Faults{}, oidctest.Faults{Claims: func(claims map[string]any) { claims["aud"] = "wiki" }}, http.StatusUnauthorized, "expected audience"},
		"another key":       {oidctest.Faults{}, oidctest.Faults{Key: oidctest.NewKey()}, http.StatusUnauthorized, "failed to verify signature"},
		"more groups":       {oidctest.Faults{}, oidctest.Faults{Claims: func(claims map[string]any) { claims["groups"] = strings.Repeat("group ", 4000) }}, http.StatusUnauthorized, "browsers keep at most"},
		"a provider failed": {oidctest.Faults{}, oidctest.Faults{Status: http.StatusServiceUnavailable}, http.StatusServiceUnavailable, "cannot be used now: its token endpoint answers 503"},
	} {
		s := newOIDC(t)
		s.provider.Fail(test.begin)
		s.signsIn()
		s.expectUser(name, "jane")
		s.provider.Fail(test.then)
		s.ages(oidctest.Lifetime - time.Second)
		s.expectUser(name+": a token that is still valid", "jane")
		s.ages(time.Second)
		for range 3 {
			checkStatus(t, name, s.asks(http.MethodGet, images, ""), test.code, test.message)
		}
		if told := s.described(); told.User != "" || !strings.Contains(told.Message, test.message) {
			t.Errorf("%s: the page is told %+v", name, told)
		}
		if got := s.provider.Requests("/token"); got > 3 {
			t.Errorf("%s: the provider was asked %d times", name, got)
		}
		s.provider.Fail(oidctest.Faults{})
		s.ages(failedFor)
		s.expectUser(name+": the provider recovers", map[bool]string{true: "jane"}[test.code == http.StatusServiceUnavailable])
		s.signsIn()
		s.expectUser(name+": signed in again", "jane")
	}
}

func TestRenewalsAreForgotten(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	serving := &cluster{Cluster: s.settings, box: require.Value(newBox())(t), provider: newProvider(*s.settings.OIDC, s.clock)}
	for i := range 100 {
		_, _, err := serving.renew(t.Context(), user{Refresh: fmt.Sprint(i)}, patience)
		if err == nil {
			t.Error("an unknown refresh token is renewed")
		}
		s.ages(time.Minute)
	}
	if got := len(serving.provider.renewals); got > 6 {
		t.Errorf("%d renewals are remembered", got)
	}
}

func TestTheKeysOfTheProviderAreKept(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	for range 3 {
		s.signsIn()
	}
	if got := s.provider.Requests("/keys"); got != 1 {
		t.Errorf("the keys were read %d times", got)
	}
}

// TestProvidersThatKeepTheRefreshToken holds that a renewal is not taken for that before.
func TestProvidersThatKeepTheRefreshToken(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	const lifetime = 2 * time.Minute
	s.provider.Fail(oidctest.Faults{WithoutRotation: true, Claims: func(claims map[string]any) { claims["exp"] = s.clock.Now().Add(lifetime).Unix() }})
	s.signsIn()
	for i := range 5 {
		s.ages(lifetime)
		s.expectUser(fmt.Sprint("renewal ", i), "jane")
	}
	if got := s.provider.Requests("/token"); got != 6 {
		t.Errorf("the provider was asked %d times", got)
	}
}

// TestSigningOutEndsEveryCopyOfTheSession holds it here and at the provider.
func TestSigningOutEndsEveryCopyOfTheSession(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{oidctest.ClientSecret, ""} {
		s := newOIDC(t, func(c *Cluster) { c.OIDC.ClientSecret = secret })
		s.provider.Described = map[string]any{"revocation_endpoint": s.provider.URL + "/revoke"}
		if secret == "" {
			s.provider.Methods = []string{"none"}
		}
		s.signsIn()
		copied := maps.Clone(s.browser)
		s.asks(http.MethodPost, "/ui/logout", "")
		s.browser = copied
		s.expectUser("a copy", "")
		s.ages(oidctest.Lifetime)
		s.expectUser("a copy later", "")
		s.handler = require.Value(s.settings.Handler())(t)
		s.expectUser("a copy after a restart", "")
		if got := s.provider.Requests("/revoke"); got != 1 || strings.Contains(s.log.String(), "not revoked") {
			t.Errorf("the provider was told %d times: %s", got, &s.log)
		}
	}
	s := newOIDC(t)
	s.provider.Described = map[string]any{"revocation_endpoint": s.provider.URL + "/missing"}
	s.signsIn()
	if got := s.asks(http.MethodPost, "/ui/logout", ""); got.Code != http.StatusOK || !strings.Contains(s.log.String(), "the revocation endpoint answers 404") {
		t.Errorf("got %d %s: %s", got.Code, got.Body, &s.log)
	}
	s.expectUser("a provider that fails", "")
}

func TestScopesThatTheProviderDoesNotHaveAreLeftOut(t *testing.T) {
	t.Parallel()
	for want, supported := range map[string][]string{"openid email": {"openid", "email"}, "openid email offline_access": {"offline_access"}} {
		s := newOIDC(t, func(c *Cluster) { c.OIDC.Scopes = []string{"email", "openid", "offline_access"} })
		s.provider.Described = map[string]any{"scopes_supported": supported}
		if got := s.starts("/ui/login").Query().Get("scope"); got != want {
			t.Errorf("of %v: got %q", supported, got)
		}
	}
}

func TestAnAttemptFitsIntoACookie(t *testing.T) {
	t.Parallel()
	s := newOIDC(t)
	if got := s.returns(s.passes(s.starts("/ui/login?back=" + url.QueryEscape("/ui/ns/a?"+strings.Repeat("&", 900))))); got != Path {
		t.Errorf("the user returns to %s", got)
	}
	s.expectUser("a long address", "jane")
}
