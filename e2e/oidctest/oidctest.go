// SPDX-License-Identifier: Apache-2.0

// Package oidctest is a provider of OpenID Connect for tests. Like a provider with rotation, it takes each code and each refresh token once, and
// ends a session whose refresh token is used twice.
package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	certutil "k8s.io/client-go/util/cert"
)

// ClientID and ClientSecret are those of the only client.
const (
	ClientID     = "goldsmith"
	ClientSecret = "secret of the client"
)

// Lifetime is that of ID tokens.
const Lifetime = 10 * time.Minute

// Provider is a running provider, whose only user is always signed in.
type Provider struct {
	*httptest.Server
	// Page shows a page with a button before the user returns, as providers do without a session of their own.
	Page bool
	// Methods are the ways in which clients send their secret. By default, the provider names none, and takes client_secret_basic. With none, the
	// client is public.
	Methods []string
	// Described are further members of the description of the provider. With revocation_endpoint, clients end sessions at /revoke.
	Described map[string]any
	// Now is the time of the provider.
	Now func() time.Time

	key       *ecdsa.PrivateKey
	discovery *oidctest.Server

	mutex    sync.Mutex
	faults   Faults
	codes    map[string]code
	tokens   map[string]*family // by refresh token
	used     map[string]*family
	requests map[string]int
}

// Faults are what the provider does wrong.
type Faults struct {
	// Status is the status of all answers, unless it is 0.
	Status int
	// Error is the error with which users return.
	Error, ErrorDescription string
	// Elsewhere is where the token endpoint redirects to.
	Elsewhere string
	// TokenError is the error of the token endpoint.
	TokenError string
	// Claims changes the claims of ID tokens.
	Claims func(map[string]any)
	// Key signs ID tokens, instead of the provider's key.
	Key *ecdsa.PrivateKey
	// WithoutIDToken and WithoutRefresh leave tokens out of answers.
	WithoutIDToken, WithoutRefresh bool
	// WithoutRotation keeps refresh tokens valid, and leaves them out of answers to them.
	WithoutRotation bool
}

type code struct{ challenge, nonce, redirect string }

// family is a session at the provider.
type family struct{ ended bool }

// Start starts a provider with TLS on a loopback address. The caller closes it.
func Start() *Provider {
	p := newProvider()
	p.Server = httptest.NewTLSServer(p)
	p.discovery.SetIssuer(p.URL)
	return p
}

// StartAt starts a provider with TLS at an address of this machine. The caller closes it.
func StartAt(address net.IP) (*Provider, error) {
	certificate, key, err := certutil.GenerateSelfSignedCertKey(address.String(), []net.IP{address}, nil)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of %s: %w", address, err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of %s: %w", address, err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address.String(), "0"))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := newProvider()
	p.Server = &httptest.Server{Listener: listener, TLS: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, Config: &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}}
	p.StartTLS()
	p.discovery.SetIssuer(p.URL)
	return p, nil
}

func newProvider() *Provider {
	p := &Provider{Now: time.Now, key: NewKey(), codes: map[string]code{}, tokens: map[string]*family{}, used: map[string]*family{}, requests: map[string]int{}}
	p.discovery = &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: p.key.Public(), KeyID: "key", Algorithm: oidc.ES256}}, Algorithms: []string{oidc.ES256}}
	return p
}

// Authority returns the certificate authority of the provider in PEM.
func (p *Provider) Authority() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.TLS.Certificates[0].Certificate[len(p.TLS.Certificates[0].Certificate)-1]}))
}

// NewKey returns a key that signs ID tokens.
func NewKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return key
}

// Fail sets what the provider does wrong from now on.
func (p *Provider) Fail(faults Faults) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.faults = faults
}

// Requests returns how many requests a path has had.
func (p *Provider) Requests(path string) int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.requests[path]
}

// Subject returns the subject of an ID token of this provider, and whether the token is valid.
func (p *Provider) Subject(request *http.Request, token string) (string, bool) {
	keys := &oidc.StaticKeySet{}
	keys.PublicKeys = append(keys.PublicKeys, p.key.Public())
	verified, err := oidc.NewVerifier(p.URL, keys, &oidc.Config{ClientID: ClientID, SupportedSigningAlgs: []string{oidc.ES256}, Now: p.Now}).Verify(request.Context(), token)
	if err != nil {
		return "", false
	}
	return verified.Subject, true
}

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.requests[request.URL.Path]++
	switch {
	case p.faults.Status != 0:
		http.Error(writer, "<p>out of order</p>", p.faults.Status)
	case request.URL.Path == "/token" && p.faults.Elsewhere != "":
		http.Redirect(writer, request, p.faults.Elsewhere, http.StatusTemporaryRedirect)
	case request.URL.Path == "/auth":
		p.authorize(writer, request)
	case request.URL.Path == "/token":
		p.issue(writer, request)
	case request.URL.Path == "/revoke" && p.admits(request):
		if session := p.tokens[request.PostFormValue("token")]; session != nil {
			session.ended = true
		}
	case request.URL.Path == "/.well-known/openid-configuration" && (p.Methods != nil || p.Described != nil):
		described := httptest.NewRecorder()
		p.discovery.ServeHTTP(described, request)
		var document map[string]any
		_ = json.Unmarshal(described.Body.Bytes(), &document) // it was just encoded
		if p.Methods != nil {
			document["token_endpoint_auth_methods_supported"] = p.Methods
		}
		maps.Copy(document, p.Described)
		_ = json.NewEncoder(writer).Encode(document)
	default:
		p.discovery.ServeHTTP(writer, request)
	}
}

func (p *Provider) authorize(writer http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	back, err := url.Parse(query.Get("redirect_uri"))
	if err != nil || query.Get("client_id") != ClientID || query.Get("response_type") != "code" || query.Get("code_challenge_method") != "S256" || query.Get("state") == "" {
		http.Error(writer, "the request is not as expected: "+request.URL.RawQuery, http.StatusBadRequest)
		return
	}
	if p.Page && request.Method == http.MethodGet {
		writer.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(writer, `<!DOCTYPE html><title>Provider</title><form method="post" action="%s"><button>Continue</button></form>`, html.EscapeString(request.URL.RequestURI()))
		return
	}
	answer := url.Values{"state": {query.Get("state")}}
	if p.faults.Error != "" {
		answer.Set("error", p.faults.Error)
		answer.Set("error_description", p.faults.ErrorDescription)
	} else {
		issued := rand.Text()
		p.codes[issued] = code{query.Get("code_challenge"), query.Get("nonce"), back.String()}
		answer.Set("code", issued)
	}
	back.RawQuery = answer.Encode()
	http.Redirect(writer, request, back.String(), http.StatusFound)
}

func (p *Provider) issue(writer http.ResponseWriter, request *http.Request) {
	refuse := func(code string) {
		writer.Header().Set("Content-Type", "application/json")
		writer.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(writer).Encode(map[string]string{"error": code, "error_description": "as the test wants"})
	}
	if !p.admits(request) {
		refuse("invalid_client")
		return
	}
	if p.faults.TokenError != "" {
		refuse(p.faults.TokenError)
		return
	}
	nonce, session := "", &family{}
	switch request.PostFormValue("grant_type") {
	case "authorization_code":
		asked, known := p.codes[request.PostFormValue("code")]
		delete(p.codes, request.PostFormValue("code"))
		challenge := sha256.Sum256([]byte(request.PostFormValue("code_verifier")))
		if !known || asked.redirect != request.PostFormValue("redirect_uri") || base64.RawURLEncoding.EncodeToString(challenge[:]) != asked.challenge {
			refuse("invalid_grant")
			return
		}
		nonce = asked.nonce
	case "refresh_token":
		token := request.PostFormValue("refresh_token")
		if again := p.used[token]; again != nil {
			again.ended = true
		}
		known := p.tokens[token]
		if !p.faults.WithoutRotation {
			delete(p.tokens, token)
		}
		if known == nil || known.ended {
			refuse("invalid_grant")
			return
		}
		session = known
		if p.faults.WithoutRotation {
			p.answer(writer, map[string]any{}, nonce)
			return
		}
		p.used[token] = session
	default:
		refuse("unsupported_grant_type")
		return
	}
	answer := map[string]any{}
	if !p.faults.WithoutRefresh {
		refresh := rand.Text()
		p.tokens[refresh] = session
		answer["refresh_token"] = refresh
	}
	p.answer(writer, answer, nonce)
}

// answer sends tokens besides those that it gets.
func (p *Provider) answer(writer http.ResponseWriter, answer map[string]any, nonce string) {
	maps.Copy(answer, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": Lifetime / time.Second})
	if !p.faults.WithoutIDToken {
		answer["id_token"] = p.sign(nonce)
	}
	writer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(writer).Encode(answer)
}

// admits reports whether a request is that of the client.
func (p *Provider) admits(request *http.Request) bool {
	id, secret, inHeader := request.BasicAuth()
	secret, err := url.QueryUnescape(secret)
	method := "client_secret_basic"
	if !inHeader {
		id, secret, method = request.PostFormValue("client_id"), request.PostFormValue("client_secret"), "client_secret_post"
	}
	wanted := ClientSecret
	if secret == "" && slices.Contains(p.Methods, "none") {
		wanted, method = "", "none"
	}
	methods := p.Methods
	if methods == nil {
		methods = []string{"client_secret_basic"}
	}
	return err == nil && id == ClientID && secret == wanted && slices.Contains(methods, method)
}

// sign returns an ID token.
func (p *Provider) sign(nonce string) string {
	now := p.Now()
	claims := map[string]any{"iss": p.URL, "aud": ClientID, "sub": "jane", "iat": now.Unix(), "exp": now.Add(Lifetime).Unix(), "jti": rand.Text()}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if p.faults.Claims != nil {
		p.faults.Claims(claims)
	}
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err) // the claims of a test
	}
	key := p.key
	if p.faults.Key != nil {
		key = p.faults.Key
	}
	return oidctest.SignIDToken(key, "key", oidc.ES256, string(text))
}
