// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	dialTimeout = 30 * time.Second
	// writeStall is how long a connection may take no byte, and answerStall how long a registry may be silent: it can need minutes to
	// check a large blob. To a request that gives it nothing to do a registry has to answer within promptStall.
	writeStall  = time.Minute
	answerStall = 5 * time.Minute
	promptStall = time.Minute
	// firstDelay is how long the first retry waits at most. Each further one of the same outage waits twice as long, up to lastDelay.
	firstDelay = 500 * time.Millisecond
	lastDelay  = 15 * time.Second
	// firstPatience is how long the first connection to a registry is retried for an impatient user.
	firstPatience = 5 * time.Second
	// noticeInterval is the time between two notices about retries.
	noticeInterval = time.Minute
)

// client sends requests to one repository. It is the client of oras-go's repository, too.
type client struct {
	verb        string // for errors: "push to"
	repository  string // as users write it
	reference   registry.Reference
	base        *url.URL // scheme and host of the registry
	remote      *remote.Repository
	credentials credentials
	remedies    remedies
	transport   roundTripper
	guard       *guard
	signed      *auth.Client // with credentials, for the registry's origin, which no redirect leaves with them
	bare        *http.Client // for other hosts
	actions     []string     // that tokens have to allow
	userAgent   string
	patience    time.Duration
	impatient   bool
	reached     atomic.Bool // whether the registry has answered
	clock       clock.Clock
	retrying    func(err error)
	noticed     time.Time // of the last notice about a retry
}

// remedies are what to do about a denial. plainHTTP is for a registry without TLS, and otherHost for another host without TLS.
type remedies struct{ missing, wrong, forbidden, authority, plainHTTP, otherHost string }

func newClient(verb, repository string, o Options, actions ...string) (*client, error) {
	o = o.WithDefaults()
	c := &client{
		verb: verb, repository: repository, actions: actions, userAgent: o.UserAgent,
		patience: o.Patience, impatient: o.Impatient, clock: o.Clock, retrying: o.Retrying,
	}
	var err error
	c.reference, err = registry.ParseReference(repository)
	if err != nil || c.reference.Reference != "" {
		c.repository = repository[strings.LastIndex(repository, "@")+1:] // it can be a URL with credentials
		return nil, c.fault(v1alpha1.ReasonRegistryRefused, "not a repository", "write HOST[:PORT]/PATH without a tag, in lower case", err)
	}
	host := c.reference.Host() // docker.io is served by another host
	plain := plainHosts{named: o.PlainHTTP, loopback: len(o.CA) == 0}
	c.base = &url.URL{Scheme: "https", Host: host}
	if plain.allow(host) {
		c.base.Scheme = "http"
	}
	var login string
	if c.credentials, login, err = o.credentials(c.reference); err != nil {
		return nil, c.fault(v1alpha1.ReasonRegistryDenied, err.Error(), "", err)
	}
	c.remedies = remediesFor(verb, c.reference, o, login)
	roots, err := Authorities(o.CA)
	if err != nil {
		return nil, c.fault(v1alpha1.ReasonRegistryRefused, err.Error(), "", err)
	}
	c.transport = newTransport(roots, o.Control)
	c.guard = &guard{next: c.transport, plain: plain, clock: clock.RealClock{}}
	c.bare = &http.Client{Transport: c.guard}
	c.signed = &auth.Client{Client: c.bare, Cache: auth.NewCache(), ClientID: "goldsmith", Credential: c.credential}
	c.signed.SetUserAgent(c.userAgent)
	c.remote = &remote.Repository{
		Client: c, Reference: c.reference, PlainHTTP: c.base.Scheme == "http",
		SkipReferrersGC: true, // an index of referrers that nothing names is the registry's to delete, and may still be read
	}
	return c, nil
}

func remediesFor(verb string, reference registry.Reference, o Options, login string) remedies {
	if login != "" {
		login = "run: " + login + " " + reference.Registry
		return remedies{
			missing: login, wrong: login, forbidden: "ask for the permission on the repository, or " + login,
			authority: "let the system trust the registry's authority",
			plainHTTP: "--plain-http allows that",
		}
	}
	const operator = "the operator can allow that with --plain-http-registries"
	const file = "in .dockerconfigjson of the Secret"
	entry := fmt.Sprintf("the entry for %s %s", reference.Registry, file)
	missing := "name a Secret in " + o.SecretField + " with credentials for " + reference.Registry
	if len(o.DockerConfig) > 0 {
		missing = fmt.Sprintf("add an entry for %s %s, which has none", reference.Registry, file)
	}
	return remedies{
		missing:   missing,
		wrong:     "correct " + entry,
		forbidden: "let the account " + verb + " the repository, or correct " + entry,
		authority: "add the registry's authority to the Secret, as ca.crt",
		plainHTTP: operator,
		otherHost: operator,
	}
}

// Authorities returns the authorities of the system and those of ca.crt of a Secret. It is nil without ca: those of the system.
func Authorities(ca []byte) (*x509.CertPool, error) {
	if len(ca) == 0 {
		return nil, nil // those of the system
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("ca.crt of the Secret has no certificate in PEM")
	}
	return roots, nil
}

// roundTripper is an *http.Transport, or a Route.
type roundTripper interface {
	http.RoundTripper
	CloseIdleConnections()
}

func newTransport(roots *x509.CertPool, control func(netip.Addr) error) roundTripper {
	template := &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   dialTimeout,
		ExpectContinueTimeout: time.Second,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // a blob is its bytes
		WriteBufferSize:       128 << 10,
		ReadBufferSize:        128 << 10,
	}
	if control != nil {
		check := func(address netip.Addr) error {
			if err := control(address); err != nil {
				return &addressError{err}
			}
			return nil
		}
		return NewRoute(template, check, func(dialed net.Conn) net.Conn { return connection{dialed} })
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	template.Proxy = http.ProxyFromEnvironment
	template.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return connection{dialed}, nil
	}
	return template
}

// connection fails if its peer stalls.
type connection struct{ net.Conn }

func (c connection) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(answerStall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c connection) Write(b []byte) (int, error) {
	now := time.Now()
	// The answer is awaited from the end of the request.
	if err := errors.Join(c.SetReadDeadline(now.Add(answerStall)), c.SetWriteDeadline(now.Add(writeStall))); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// plainHosts are the hosts that may be reached without TLS.
type plainHosts struct {
	named    []string
	loopback bool
}

func (p plainHosts) allow(hostport string) bool {
	host := (&url.URL{Host: hostport}).Hostname()
	if slices.ContainsFunc(p.named, func(name string) bool { return strings.EqualFold(name, hostport) || strings.EqualFold(name, host) }) {
		return true
	}
	if !p.loopback {
		return false
	}
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.IsLoopback()
}

// networkError reports that a host gave no answer.
type networkError struct {
	host string
	err  error
}

func (e *networkError) Error() string { return e.host + ": " + e.err.Error() }
func (e *networkError) Unwrap() error { return e.err }

// addressError reports an address that Options.Control refuses.
type addressError struct{ error }

func (e *addressError) Unwrap() error { return e.error }

// guard refuses requests without TLS to hosts that need it, whoever named them: the registry, a redirect or the address of a token
// server. It remembers what clients authenticate with.
type guard struct {
	next  http.RoundTripper
	plain plainHosts
	clock clock.WithDelayedExecution // of the network, which no fake clock of a caller moves

	mu     sync.Mutex
	tokens []string
}

// secrets returns the tokens and the credentials that were sent.
func (g *guard) secrets() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.tokens)
}

// RoundTrip sends a request that may be sent.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !g.plain.allow(req.URL.Host) {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, &insecureError{req.URL.Hostname()}
	}
	if _, token, ok := strings.Cut(req.Header.Get("Authorization"), " "); ok {
		g.mu.Lock()
		if !slices.Contains(g.tokens, token) {
			g.tokens = append(g.tokens, token)
		}
		g.mu.Unlock()
	}
	resp, err := g.await(req)
	if err != nil {
		return nil, &networkError{req.URL.Hostname(), err}
	}
	return resp, nil
}

// await sends a request. It closes the connection if the answer does not begin in time, so that another request gets another connection.
func (g *guard) await(req *http.Request) (*http.Response, error) {
	if slow(req) {
		return g.next.RoundTrip(req)
	}
	var silent atomic.Bool
	stop := func() {}
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		stop() // the transport can try a second connection
		silent.Store(false)
		timer := g.clock.AfterFunc(promptStall, func() {
			silent.Store(true)
			_ = got.Conn.Close() // it is broken on purpose
		})
		stop = func() { timer.Stop() }
	}})
	resp, err := g.next.RoundTrip(req.WithContext(ctx))
	stop()
	if err != nil && silent.Load() {
		return nil, fmt.Errorf("it was silent for %s: %w", promptStall, err)
	}
	return resp, err
}

// slow reports whether a registry can need minutes before it answers: to store or check a content, or to get it from a registry that
// it mirrors.
func slow(req *http.Request) bool {
	upload := req.Method == http.MethodPut || req.Body != nil && req.Body != http.NoBody
	return upload || req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/sha256:")
}

// insecureError reports a host that must not be reached without TLS.
type insecureError struct{ host string }

func (e *insecureError) Error() string { return "the registry refers to " + e.host + " without TLS" }

// credential returns the credential for the registry, the only host for which it is asked.
func (c *client) credential(ctx context.Context, _ string) (auth.Credential, error) {
	found, err := c.credentials.get(ctx)
	if err != nil {
		return auth.EmptyCredential, c.fault(v1alpha1.ReasonRegistryDenied, c.scrub(err.Error()), "", err)
	}
	return found, nil
}

// Do sends a request that may be repeated, until it is answered or an outage lasts too long. A denial, a rate limit and an error of the
// server are errors.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	return c.newOutage().do(req)
}

func (o *outage) do(req *http.Request) (*http.Response, error) {
	for {
		resp, err := o.send(req)
		if err == nil {
			return resp, nil
		}
		if err := o.wait(req.Context(), err); err != nil {
			return nil, err
		}
		if req.Body != nil && req.Body != http.NoBody {
			if req.GetBody == nil {
				return nil, err
			}
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// send sends a request once.
func (c *client) send(req *http.Request) (*http.Response, error) {
	req.URL.User = nil
	var resp *http.Response
	var err error
	if req.URL.Scheme == c.base.Scheme && req.URL.Host == c.base.Host {
		scoped := auth.AppendRepositoryScope(req.Context(), c.reference, c.actions...) // all requests share a token
		resp, err = c.signed.Do(req.WithContext(scoped))
	} else {
		req.Header.Set("User-Agent", c.userAgent)
		resp, err = c.bare.Do(req) //nolint:gosec // users name the registry, and the registry where to upload
	}
	if ctxErr := req.Context().Err(); err != nil && ctxErr != nil {
		return nil, ctxErr
	}
	if err != nil {
		return nil, c.connectionError(err)
	}
	c.reached.Store(true)
	if status := resp.StatusCode; status == http.StatusUnauthorized || status == http.StatusForbidden || transient(status) {
		return nil, c.refusal(resp)
	}
	return resp, nil
}

// Close closes the connections.
func (c *client) Close() { c.transport.CloseIdleConnections() }

// outage is the time since the last progress.
type outage struct {
	*client
	since   time.Time
	backoff time.Duration
}

func (c *client) newOutage() *outage { return &outage{client: c} }

// end ends the outage.
func (o *outage) end() { o.since = time.Time{} }

// wait waits until a request can be repeated that failed with err. It returns err if a repetition does not help, or comes too late.
func (o *outage) wait(ctx context.Context, err error) error {
	failure, ok := errors.AsType[*Error](err)
	if !ok || !failure.retriable() {
		return err
	}
	now := o.clock.Now()
	if o.since.IsZero() {
		o.since, o.backoff = now, firstDelay
	}
	delay := max(failure.retryAfter, wait.Jitter(o.backoff/2, 1))
	o.backoff = min(2*o.backoff, lastDelay)
	patience := o.patience
	if o.impatient && !o.reached.Load() && failure.unconnected() {
		patience = min(patience, firstPatience)
	}
	if now.Add(delay).Sub(o.since) > patience {
		gaveUp := *failure
		gaveUp.patience = now.Sub(o.since)
		if failure.retryAfter > o.patience {
			gaveUp.cause += ", which asks to wait " + failure.retryAfter.String()
		}
		return &gaveUp
	}
	o.notice(failure, now)
	timer := o.clock.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// notice tells why a request is repeated.
func (c *client) notice(failure *Error, now time.Time) {
	if c.retrying == nil || !c.noticed.IsZero() && now.Sub(c.noticed) < noticeInterval {
		return
	}
	c.noticed = now
	c.retrying(failure)
}
