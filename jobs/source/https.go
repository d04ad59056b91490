// SPDX-License-Identifier: Apache-2.0

package source

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	registry "goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/source/reference"
)

// maxRedirects is how many redirects are followed.
const maxRedirects = 5

// https is below go-git's client of HTTP. It judges answers and their sizes.
type https struct {
	meter      *meter
	secrets    secrets
	authorized bool
	transport  *registry.Route
}

// openHTTPS prepares a session. go-git follows redirects of the first request only, never from https to http, and sends the credentials to no
// other host.
func (c *connection) openHTTPS(remote *reference.Remote, o Options) error {
	authentication, hidden, err := authorize(o.Secret)
	if err != nil {
		return err
	}
	roots, err := registry.Authorities(o.Secret["ca.crt"])
	if err != nil {
		return failure(Denied, "%v; write the certificate of the server's authority", err)
	}
	port, err := strconv.Atoi(remote.Port)
	if err != nil {
		return err
	}
	h := &https{meter: c.meter, secrets: hidden, authorized: hidden != nil}
	h.transport = registry.NewRoute(&http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: stall,
		ForceAttemptHTTP2:     true,
	}, network{o.Allowed}.check, func(conn net.Conn) net.Conn { return &stalling{Conn: conn} })
	client := githttp.NewClient(&http.Client{Transport: h, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("http redirect: more than %d redirects", maxRedirects)
		}
		return nil
	}})
	endpoint := &transport.Endpoint{Protocol: remote.Scheme, Host: remote.Host, Port: port, Path: (&url.URL{Path: strings.TrimRight(remote.Path, "/")}).EscapedPath()}
	if strings.Contains(endpoint.Host, ":") {
		endpoint.Host = "[" + endpoint.Host + "]"
	}
	opened, err := client.NewUploadPackSession(endpoint, authentication)
	if err != nil {
		return err
	}
	c.session, c.hidden = &httpSession{opened, h.transport}, hidden
	return nil
}

// httpSession is a session with its connections.
type httpSession struct {
	transport.UploadPackSession
	transport *registry.Route
}

// Close closes the session and its connections.
func (s *httpSession) Close() error {
	s.transport.CloseIdleConnections()
	return s.UploadPackSession.Close()
}

// authorize returns how to authenticate, or nil, and what to hide.
func authorize(secret map[string][]byte) (transport.AuthMethod, secrets, error) {
	user, password, token := value(secret, "username"), value(secret, "password"), value(secret, "bearerToken")
	switch {
	case token != "" && password != "":
		return nil, nil, failure(Denied, "the Secret has both password and bearerToken; keep one of them")
	case token != "":
		return &githttp.TokenAuth{Token: token}, secrets{token}, nil
	case password != "":
		user = cmp.Or(user, "git") // servers that take a token as password ignore the name
		encoded := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		return &githttp.BasicAuth{Username: user, Password: password}, secrets{encoded, password, url.QueryEscape(password)}, nil
	case user != "":
		return nil, nil, failure(Denied, "the Secret has a username without a password; add the key password")
	case secret != nil && secret["ca.crt"] == nil:
		return nil, nil, failure(Denied, "the Secret has none of the keys username and password, bearerToken, ca.crt; an https source uses no others")
	}
	return nil, nil, nil
}

// value returns a text of the Secret without the line break at its end, which many tools add.
func value(secret map[string][]byte, key string) string {
	return strings.TrimRight(string(secret[key]), "\r\n")
}

// RoundTrip returns only answers of Git, and redirects.
func (h *https) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := h.transport.RoundTrip(req)
	if err != nil {
		return nil, h.meter.fail(h.connectionError(req.URL, err))
	}
	if err := h.status(resp); err != nil {
		_ = resp.Body.Close() // only read from
		return nil, h.meter.fail(err)
	}
	resp.Body = meteredBody{resp.Body, h.meter}
	// go-git makes the URL of its next request from the path of this one, without escaping it again.
	answered, target := *req, *req.URL
	target.Path, target.RawPath = req.URL.EscapedPath(), ""
	answered.URL, resp.Request = &target, &answered
	return resp, nil
}

func (h *https) connectionError(target *url.URL, err error) error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return failure(Denied, "the certificate of %s is of an unknown authority; add the authority to the Secret as ca.crt", target.Host)
	}
	if expired := registry.Expired(err); expired != "" {
		return failure(Denied, "the certificate of %s %s; renew it on the server, or correct the clock of this machine", target.Host, expired)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return failure(Denied, "the certificate of %s is not valid: %v", target.Host, err)
	}
	return failure(Unavailable, "%s cannot be reached: %s", target.Host, h.secrets.hide(proxyFree(err)))
}

// proxyFree returns the text of an error without the URL of a proxy, which can have credentials.
func proxyFree(err error) string {
	if operation, ok := errors.AsType[*net.OpError](err); ok {
		return operation.Op + ": " + operation.Err.Error()
	}
	return err.Error()
}

// status returns an error for an answer that is neither of Git nor a redirect.
func (h *https) status(resp *http.Response) error {
	host, kind := resp.Request.URL.Host, resp.Header.Get("Content-Type")
	switch {
	case resp.StatusCode/100 == 3 && resp.Header.Get("Location") != "":
		return nil
	case resp.StatusCode == http.StatusOK && resp.Request.Method == http.MethodGet && kind != "application/x-git-upload-pack-advertisement":
		return failure(NotFound, "%s has no Git repository at this URL, but an answer of type %q; correct git.url", host, kind)
	case resp.StatusCode == http.StatusOK:
		return nil
	}
	var message string
	if strings.HasPrefix(kind, "text/plain") {
		content, _ := io.ReadAll(io.LimitReader(resp.Body, 1024)) // what can be read tells enough
		message = " (" + printable(h.secrets.hide(string(content)), 200) + ")"
	}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized && !h.authorized:
		return failure(Denied, "%s answers HTTP 401%s: the repository does not exist, or needs a Secret with username and password, or bearerToken", host, message)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return failure(Denied, "%s answers HTTP %d%s; correct the credentials in the Secret, or let the account read the repository", host, code, message)
	case code == http.StatusNotFound || code == http.StatusGone:
		return failure(NotFound, "%s answers HTTP %d%s: the repository does not exist, or the account cannot read it", host, code, message)
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		return failure(Unavailable, "%s answers HTTP %d%s", host, code, message)
	default:
		return failure(Unsupported, "%s answers HTTP %d%s", host, code, message)
	}
}
