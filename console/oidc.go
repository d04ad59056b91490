// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"k8s.io/utils/clock"
)

const (
	// attemptLifetime is how long a user may take at the provider.
	attemptLifetime = 10 * time.Minute
	// maxAttempts is how many attempts one browser can make at once, each in a window of its own.
	maxAttempts = 5
	// maxBack is the longest address, in bytes, to which a sign-in returns.
	maxBack = 1024
	// maxAttempt is the longest sealed attempt, in bytes. A longer one, whose address has many escapes, returns to the first page.
	maxAttempt = 2048
	// maxMessage is the longest message, in bytes. With all characters escaped it fits into a cookie.
	maxMessage = 400
	// skew is how much the clocks of the provider and of this process may differ.
	skew = 5 * time.Minute
	// renewBefore is how long before its end an ID token is replaced. Tokens of less than five times this are replaced when a fifth of their time is left.
	renewBefore = time.Minute
	// renewedFor is how long a former session gets the tokens of its renewal. Requests that were sent before the renewal still have the former
	// refresh token, and providers end a session whose refresh token is used twice.
	renewedFor = 5 * time.Minute
	// failedFor is how long a failure of the provider stands, so that not each request waits for the provider.
	failedFor = 5 * time.Second
)

// OIDC is a provider of OpenID Connect whose ID tokens the API server accepts.
type OIDC struct {
	// Issuer is the URL of the provider, as ID tokens have it.
	Issuer string
	// ClientID is the console's client at the provider. The API server accepts ID tokens for it.
	ClientID string
	// ClientSecret is empty for a public client.
	ClientSecret string
	// Scopes are those to ask for besides openid, such as offline_access for a refresh token.
	Scopes []string
	// Client reaches the provider.
	Client *http.Client
}

// provider signs users in, and renews their tokens.
type provider struct {
	OIDC
	clock clock.PassiveClock

	discovery struct {
		sync.Mutex
		found *oidc.Provider
		err   error
		until time.Time // when the error does not count any more
	}
	mutex    sync.Mutex
	renewals map[[sha256.Size]byte]*renewal // by the digest of the former tokens
}

func newProvider(o OIDC, clock clock.PassiveClock) *provider {
	client := http.Client{}
	if o.Client != nil {
		client = *o.Client
	}
	client.CheckRedirect, client.Timeout = noRedirect, answerLimit
	o.Client = &client
	return &provider{OIDC: o, clock: clock, renewals: map[[sha256.Size]byte]*renewal{}}
}

// host returns the name of the provider for people.
func (p *provider) host() string {
	address, err := url.Parse(p.Issuer)
	if err != nil {
		return p.Issuer
	}
	return address.Host
}

// unavailableError reports that the provider cannot answer now.
type unavailableError struct {
	issuer string
	err    error
}

// Error is short: the error of a server that is no provider has the page that the server sent.
func (e *unavailableError) Error() string {
	return shortened(fmt.Sprintf("the provider %s cannot be used now: %v", e.issuer, e.err))
}

func shortened(message string) string {
	return strings.ToValidUTF8(message[:min(len(message), maxMessage)], "")
}

func (e *unavailableError) Unwrap() error { return e.err }

// find returns the endpoints of the provider. They are read once.
func (p *provider) find(ctx context.Context) (*oidc.Provider, error) {
	known := &p.discovery
	known.Lock()
	defer known.Unlock()
	if known.found != nil || p.clock.Now().Before(known.until) {
		return known.found, known.err
	}
	found, err := oidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		known.err, known.until = &unavailableError{p.Issuer, err}, p.clock.Now().Add(failedFor)
		return nil, known.err
	}
	known.found, known.err = found, nil
	return found, nil
}

// use calls a function with the provider. A browser that does not wait any more does not end the function, which can have used a code or a
// refresh token.
func (p *provider) use(ctx context.Context, host string, function func(context.Context, *oidc.Provider, *oauth2.Config) error) error {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(context.WithoutCancel(ctx), p.Client), answerLimit)
	defer cancel()
	found, err := p.find(ctx)
	if err != nil {
		return err
	}
	var claims struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
		Scopes  []string `json:"scopes_supported"`
	}
	if err := found.Claims(&claims); err != nil {
		return &unavailableError{p.Issuer, err}
	}
	endpoint := found.Endpoint()
	endpoint.AuthStyle = p.style(claims.Methods)
	return function(ctx, found, &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: endpoint,
		RedirectURL: "https://" + host + Path + "callback",
		Scopes:      p.scopes(claims.Scopes),
	})
}

// scopes returns those to ask for. A provider that names its scopes without offline_access, as Google does, refuses it.
func (p *provider) scopes(supported []string) []string {
	return append([]string{oidc.ScopeOpenID}, slices.DeleteFunc(slices.Clone(p.Scopes), func(scope string) bool {
		return scope == oidc.ScopeOpenID || scope == oidc.ScopeOfflineAccess && len(supported) > 0 && !slices.Contains(supported, scope)
	})...)
}

// style returns how the provider takes the secret of a client. Trying both ways would use each code and refresh token twice.
func (p *provider) style(methods []string) oauth2.AuthStyle {
	if p.ClientSecret == "" || len(methods) > 0 && !slices.Contains(methods, "client_secret_basic") {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// attempt is a sign-in that was started and has not ended.
type attempt struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	// Back is the address to which the user returns.
	Back string `json:"back"`
	End  int64  `json:"end"`
}

// attemptPrefix begins the names of the cookies of attempts.
const attemptPrefix = forAttempt + "-"

func attemptName(state string) string { return attemptPrefix + state[:min(8, len(state))] }

// startSignIn sends the user to the provider.
func (c *cluster) startSignIn(writer http.ResponseWriter, request *http.Request) {
	started := attempt{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Back: checkedBack(request.URL.Query().Get("back")), End: c.Clock.Now().Add(attemptLifetime).Unix(),
	}
	err := c.provider.use(request.Context(), request.Host, func(_ context.Context, _ *oidc.Provider, config *oauth2.Config) error {
		c.forgetAttempts(writer, request)
		// The provider's redirect is a navigation from another site, for which browsers keep back strict cookies.
		sealed := c.box.seal(forAttempt, started)
		if len(sealed) > maxAttempt {
			started.Back = Path
			sealed = c.box.seal(forAttempt, started)
		}
		setCookie(writer, attemptName(started.State), sealed, http.SameSiteLaxMode, attemptLifetime)
		redirect(writer, config.AuthCodeURL(started.State, oidc.Nonce(started.Nonce), oauth2.S256ChallengeOption(started.Verifier)))
		return nil
	})
	if err != nil {
		c.failSignIn(writer, started.Back, err)
	}
}

// forgetAttempts deletes the cookies of former attempts if there are many of them.
func (c *cluster) forgetAttempts(writer http.ResponseWriter, request *http.Request) {
	var former []string
	for _, cookie := range request.Cookies() {
		if name, ok := strings.CutPrefix(cookie.Name, cookiePrefix); ok && strings.HasPrefix(name, attemptPrefix) {
			former = append(former, name)
		}
	}
	if len(former) < maxAttempts {
		return
	}
	for _, name := range former {
		setCookie(writer, name, "", http.SameSiteLaxMode, -time.Second)
	}
}

// checkedBack returns an address of a page. For any other address, it returns that of the first page.
func checkedBack(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || len(address) > maxBack || parsed.Scheme != "" || parsed.Host != "" || strings.ContainsAny(address, "\\\r\n\t") ||
		!strings.HasPrefix(address, Path) || path.Clean(parsed.Path)+"/" != Path && !strings.HasPrefix(path.Clean(parsed.Path), Path+"ns/") {
		return Path
	}
	return address
}

// redirect sends the browser to a checked address. Its answer is stored nowhere.
func redirect(writer http.ResponseWriter, address string) {
	header := writer.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Location", address)
	writer.WriteHeader(http.StatusSeeOther)
}

// failSignIn tells the page why a sign-in failed. The message is in a cookie, because anybody can write the address of a page.
func (c *cluster) failSignIn(writer http.ResponseWriter, back string, err error) {
	message := shortened(err.Error())
	c.Logger.Info("a sign-in failed", "reason", message)
	setCookie(writer, forMessage, c.box.seal(forMessage, message), http.SameSiteStrictMode, time.Minute)
	redirect(writer, back)
}

// endSignIn receives the user from the provider. The cookies of the session are strict: the browser accepts them here, does not send them with
// the navigation that follows, whose answer is the same for everybody, and sends them with the requests of its page.
func (c *cluster) endSignIn(writer http.ResponseWriter, request *http.Request) {
	var started attempt
	query := request.URL.Query()
	name := attemptName(query.Get("state"))
	sealed := cookieOf(request, name)
	if sealed != "" {
		setCookie(writer, name, "", http.SameSiteLaxMode, -time.Second)
	}
	if !c.box.open(forAttempt, sealed, &started) || started.State != query.Get("state") || c.Clock.Now().Unix() >= started.End {
		c.failSignIn(writer, Path, fmt.Errorf("this sign-in was started in another browser, more than %.0f minutes ago, or before the console was restarted: sign in again", attemptLifetime.Minutes()))
		return
	}
	signedIn, err := c.redeem(request, started)
	if err != nil {
		c.failSignIn(writer, started.Back, err)
		return
	}
	sealed = c.box.seal(forSession, signedIn)
	if !fits(sealed) {
		c.failSignIn(writer, started.Back, tooLarge(signedIn.Token+signedIn.Refresh))
		return
	}
	setSession(writer, request, sealed)
	redirect(writer, started.Back)
}

// redeem returns the user for whom the provider sent a code.
func (c *cluster) redeem(request *http.Request, started attempt) (user, error) {
	query := request.URL.Query()
	switch code := query.Get("error"); {
	case code == "access_denied":
		return user{}, fmt.Errorf("the provider %s denied access%s", c.provider.Issuer, described(query.Get("error_description")))
	case code != "":
		return user{}, fmt.Errorf("the provider %s refused the sign-in with %q%s", c.provider.Issuer, code, described(query.Get("error_description")))
	}
	signedIn := user{Session: rand.Text(), Limit: c.Clock.Now().Add(signInLimit).Unix()}
	err := c.provider.use(request.Context(), request.Host, func(ctx context.Context, found *oidc.Provider, config *oauth2.Config) error {
		tokens, err := config.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(started.Verifier))
		if err != nil {
			return c.provider.refused(err)
		}
		verified, err := c.verify(ctx, found, tokens, &signedIn)
		if err == nil && verified.Nonce != started.Nonce {
			err = errors.New("the ID token of the provider is for another sign-in (nonce): sign in again")
		}
		return err
	})
	if err != nil {
		return user{}, err
	}
	signedIn.Name, err = c.review(request.Context(), signedIn.Token)
	if errors.Is(err, errRefused) {
		err = fmt.Errorf("the cluster does not accept ID tokens of %s for the client %s: the authentication of kube-apiserver has to name both", c.provider.Issuer, c.provider.ClientID)
	}
	return signedIn, err
}

func described(description string) string {
	if description == "" {
		return ""
	}
	return ": " + description
}

// refused returns the error of the provider's token endpoint. Its text has no tokens, which an answer can have.
func (p *provider) refused(err error) error {
	var answer *oauth2.RetrieveError
	switch {
	case !errors.As(err, &answer):
		return &unavailableError{p.Issuer, err}
	case answer.ErrorCode == "" || answer.Response.StatusCode >= 500:
		return &unavailableError{p.Issuer, fmt.Errorf("its token endpoint answers %s", cmp.Or(answer.ErrorCode, answer.Response.Status))}
	}
	return fmt.Errorf("the provider %s refused with %q%s", p.Issuer, answer.ErrorCode, described(answer.ErrorDescription))
}

// verify checks the ID token that a provider sent, and writes the tokens to the user.
func (c *cluster) verify(ctx context.Context, found *oidc.Provider, tokens *oauth2.Token, signedIn *user) (*oidc.IDToken, error) {
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		return nil, fmt.Errorf("the provider %s sent no ID token: sign in again", c.provider.Issuer)
	}
	// This verifier keeps the keys of the provider. VerifierContext reads them for each token.
	verified, err := found.Verifier(&oidc.Config{ClientID: c.provider.ClientID, SkipExpiryCheck: true}).Verify(ctx, raw) //nolint:contextcheck // the client of the provider has a limit
	if err != nil {
		return nil, fmt.Errorf("the ID token of the provider is not valid: %w", err)
	}
	var claims struct {
		NotBefore float64 `json:"nbf"`
	}
	if err := verified.Claims(&claims); err != nil {
		return nil, fmt.Errorf("the ID token of the provider is not valid: %w", err)
	}
	now, begin := c.Clock.Now(), verified.IssuedAt
	if notBefore := time.Unix(int64(claims.NotBefore), 0); notBefore.After(begin) {
		begin = notBefore
	}
	const clocks = "check the clocks of the provider and of the console"
	switch {
	case !verified.Expiry.After(now):
		return nil, fmt.Errorf("the ID token of the provider expired at %s, and it is %s here: %s", clockTime(verified.Expiry), clockTime(now), clocks)
	case begin.After(now.Add(skew)):
		return nil, fmt.Errorf("the ID token of the provider is valid from %s, and it is %s here: %s", clockTime(begin), clockTime(now), clocks)
	}
	signedIn.Token, signedIn.Refresh, signedIn.Subject, signedIn.End = raw, tokens.RefreshToken, verified.Subject, verified.Expiry.Unix()
	signedIn.Renew = verified.Expiry.Add(-min(renewBefore, verified.Expiry.Sub(now)/5)).Unix()
	return verified, nil
}

func clockTime(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// renewal is the replacement of the tokens of one session, for all its requests.
type renewal struct {
	done   chan struct{}
	until  time.Time // when it is forgotten
	user   user
	sealed string
	err    error
}

// renew returns a user with new tokens, and the sealed session. A renewal goes on when nobody waits for it any more.
func (c *cluster) renew(ctx context.Context, former user, wait time.Duration) (user, string, error) {
	if former.Refresh == "" {
		return user{}, "", errors.New("the session has ended with its ID token, because the provider gave no refresh token: sign in again. The scope offline_access asks most providers for one")
	}
	// Some providers never replace the refresh token.
	key, p := sha256.Sum256([]byte(former.Token+"\n"+former.Refresh)), c.provider
	p.mutex.Lock()
	now := c.Clock.Now()
	for key, each := range p.renewals {
		if !each.until.IsZero() && !now.Before(each.until) {
			delete(p.renewals, key)
		}
	}
	shared, known := p.renewals[key]
	if !known {
		shared = &renewal{done: make(chan struct{})}
		p.renewals[key] = shared
	}
	p.mutex.Unlock()
	if !known {
		go c.fetch(ctx, former, shared)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	select {
	case <-shared.done:
		return shared.user, shared.sealed, shared.err
	case <-ctx.Done():
		return user{}, "", &unavailableError{p.Issuer, ctx.Err()}
	}
}

// fetch gets new tokens from the provider.
func (c *cluster) fetch(ctx context.Context, former user, shared *renewal) {
	renewed := former
	shared.err = c.provider.use(ctx, "", func(ctx context.Context, found *oidc.Provider, config *oauth2.Config) error {
		tokens, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: former.Refresh}).Token()
		if err != nil {
			return c.provider.refused(err)
		}
		verified, err := c.verify(ctx, found, tokens, &renewed)
		if err == nil && verified.Subject != former.Subject {
			err = errors.New("the provider renewed the session with the ID token of another user: sign in again")
		}
		return err
	})
	remembered := renewedFor
	switch {
	case errors.As(shared.err, new(*unavailableError)):
		remembered = failedFor
	case shared.err != nil:
		shared.err = fmt.Errorf("the session has ended: %w", shared.err)
	default:
		shared.user, shared.sealed = renewed, c.box.seal(forSession, renewed)
		if !fits(shared.sealed) {
			shared.err = tooLarge(renewed.Token + renewed.Refresh)
		}
	}
	if shared.err != nil {
		c.Logger.Info("a session was not renewed", "reason", shared.err.Error())
	} else if c.hasEnded(renewed) { // meanwhile, with the former tokens
		c.revoke(ctx, renewed)
	}
	c.provider.mutex.Lock()
	shared.until = c.Clock.Now().Add(remembered)
	c.provider.mutex.Unlock()
	close(shared.done)
}

// revoke ends a session at the provider, if the provider can (RFC 7009). The tokens end by themselves otherwise.
func (c *cluster) revoke(ctx context.Context, signedIn user) {
	if signedIn.Refresh == "" {
		return
	}
	err := c.provider.use(ctx, "", func(ctx context.Context, found *oidc.Provider, config *oauth2.Config) error {
		var claims struct {
			Endpoint string `json:"revocation_endpoint"`
		}
		if err := found.Claims(&claims); err != nil || claims.Endpoint == "" {
			return err
		}
		form := url.Values{"token": {signedIn.Refresh}, "token_type_hint": {"refresh_token"}}
		if config.Endpoint.AuthStyle == oauth2.AuthStyleInParams {
			form.Set("client_id", config.ClientID)
			if config.ClientSecret != "" {
				form.Set("client_secret", config.ClientSecret)
			}
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, claims.Endpoint, strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if config.Endpoint.AuthStyle == oauth2.AuthStyleInHeader {
			request.SetBasicAuth(url.QueryEscape(config.ClientID), url.QueryEscape(config.ClientSecret))
		}
		response, err := c.provider.Client.Do(request)
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			err = fmt.Errorf("the revocation endpoint answers %s", response.Status)
		}
		return errors.Join(err, response.Body.Close())
	})
	if err != nil {
		c.Logger.Info("a session was not revoked at the provider", "reason", shortened(err.Error()))
	}
}
