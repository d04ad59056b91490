// SPDX-License-Identifier: Apache-2.0

// Package registrytest is an OCI registry in the process of a test, with faults. No program imports it.
package registrytest

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// User and Password are the credentials of a registry with authentication.
const (
	User     = "robot"
	Password = "s3cret-Passw0rd"
)

// Options are what a registry is like.
type Options struct {
	// Auth is the scheme of authentication: Basic, Bearer, or empty for none.
	Auth string
	// TokenUses is how many requests a token of Bearer is for. 0 for any number.
	TokenUses int
	// TLS serves HTTP/2, with a certificate of an authority that nobody knows.
	TLS bool
	// Referrers serves the referrers API.
	Referrers bool
	// Unreachable lets Host be where nobody listens.
	Unreachable bool
	// NoResume loses an upload with each connection that breaks.
	NoResume bool
}

// Registry is a running registry.
type Registry struct {
	server  *httptest.Server
	options Options
	next    http.Handler

	mu       sync.Mutex
	requests []string
	uploads  map[string]int64
	tokens   map[string]int
	faults   []*fault
}

type fault struct {
	method, path string
	times        int
	do           Fault
}

// Fault answers a request instead of the registry, which next is.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// New starts a registry, which ends with the test.
func New(t testing.TB, o Options) *Registry {
	t.Helper()
	r := &Registry{
		options: o, uploads: map[string]int64{}, tokens: map[string]int{},
		next: registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(o.Referrers)),
	}
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	r.server.Config.ErrorLog = log.New(io.Discard, "", 0) // faults break connections
	if o.TLS {
		r.server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		r.server.EnableHTTP2 = true
		r.server.StartTLS()
	} else {
		r.server.Start()
	}
	t.Cleanup(r.server.Close)
	return r
}

// Host is HOST:PORT.
func (r *Registry) Host() string {
	if r.options.Unreachable {
		return "127.0.0.1:1" // no other server gets this port, unlike one that was closed
	}
	return r.server.Listener.Addr().String()
}

// CA is the certificate of a registry with TLS, as PEM.
func (r *Registry) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.server.Certificate().Raw})
}

// DockerConfig is a .dockerconfigjson with credentials for the registry.
func (r *Registry) DockerConfig(password string) []byte {
	auth := base64.StdEncoding.EncodeToString([]byte(User + ":" + password))
	return fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, r.Host(), auth)
}

// Inject lets a fault answer the next requests of a method whose path contains a text. The empty method is any.
func (r *Registry) Inject(times int, method, path string, do Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, &fault{method, path, times, do})
}

// Requests returns the requests since the last call, each METHOD PATH. The IDs of uploads are left out.
func (r *Registry) Requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	requests := r.requests
	r.requests = nil
	return requests
}

// Get returns what the registry has at a path below /v2, without authentication and faults.
func (r *Registry) Get(path string) (status int, content []byte) {
	recorder := httptest.NewRecorder()
	r.next.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/v2"+path, nil))
	return recorder.Code, recorder.Body.Bytes()
}

// Tags returns the tags of a repository, sorted.
func (r *Registry) Tags(repository string) []string {
	_, content := r.Get("/" + repository + "/tags/list")
	var answer struct{ Tags []string }
	_ = json.Unmarshal(content, &answer) // a repository that does not exist has none
	return slices.DeleteFunc(answer.Tags, func(tag string) bool { return strings.HasPrefix(tag, "sha256:") })
}

func (r *Registry) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	shown := req.URL.Path
	if before, _, ok := strings.Cut(shown, "/uploads/"); ok {
		shown = before + "/uploads/"
	}
	r.requests = append(r.requests, req.Method+" "+shown)
	r.mu.Unlock()
	next := r.handle
	if req.URL.Path == "/token" {
		next = r.serveToken
	} else if !r.authenticated(w, req) {
		return
	}
	if do := r.fault(req); do != nil {
		do(w, req, http.HandlerFunc(next))
		return
	}
	next(w, req)
}

// fault returns the fault for a request, and counts it.
func (r *Registry) fault(req *http.Request) Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	matches := func(f *fault) bool {
		return f.times > 0 && (f.method == "" || f.method == req.Method) && strings.Contains(req.URL.Path, f.path)
	}
	i := slices.IndexFunc(r.faults, matches)
	if i < 0 {
		return nil
	}
	r.faults[i].times--
	return r.faults[i].do
}

// handle adds to the registry that it tells what it has of an upload, and that it lists referrers.
func (r *Registry) handle(w http.ResponseWriter, req *http.Request) {
	if r.options.Referrers && req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/manifests/") {
		var manifest struct {
			Subject *struct{ Digest string }
		}
		content, _ := io.ReadAll(req.Body) // what is missing is no JSON
		req.Body = io.NopCloser(bytes.NewReader(content))
		if json.Unmarshal(content, &manifest) == nil && manifest.Subject != nil {
			w.Header().Set("OCI-Subject", manifest.Subject.Digest)
		}
	}
	id := path.Base(req.URL.Path)
	if !strings.Contains(req.URL.Path, "/blobs/uploads/") || req.Method == http.MethodPost {
		r.next.ServeHTTP(w, req)
		return
	}
	r.mu.Lock()
	had := r.uploads[id]
	r.mu.Unlock()
	if req.Method == http.MethodGet {
		if had == 0 && r.options.NoResume {
			WriteError(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "unknown upload")
			return
		}
		w.Header().Set("Location", req.URL.Path)
		w.Header().Set("Range", "0-"+strconv.FormatInt(max(0, had-1), 10))
		w.WriteHeader(http.StatusNoContent)
		return
	}
	counted := &counter{ReadCloser: req.Body}
	req.Body = counted
	r.next.ServeHTTP(w, req)
	r.mu.Lock()
	defer r.mu.Unlock()
	if req.Method == http.MethodPatch {
		r.uploads[id] = had + counted.bytes
	}
}

type counter struct {
	io.ReadCloser
	bytes int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.bytes += int64(n)
	return n, err
}

func (r *Registry) authenticated(w http.ResponseWriter, req *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	scheme, credentials, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	switch r.options.Auth {
	case "":
		return true
	case "Basic":
		if user, password, _ := req.BasicAuth(); user == User && password == Password {
			return true
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
	case "Bearer":
		if left, ok := r.tokens[credentials]; ok && scheme == "Bearer" && left > 0 {
			r.tokens[credentials]--
			return true
		}
		realm := url.URL{Scheme: "http", Host: r.Host(), Path: "/token"}
		if r.options.TLS {
			realm.Scheme = "https"
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="registry"`, realm.String()))
	}
	WriteError(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required, not "+credentials)
	return false
}

// serveToken gives a token for the credentials.
func (r *Registry) serveToken(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if user, password, _ := req.BasicAuth(); user != User || password != Password {
		WriteError(w, http.StatusUnauthorized, "UNAUTHORIZED", "wrong password "+password)
		return
	}
	uses := r.options.TokenUses
	if uses == 0 {
		uses = 1 << 30
	}
	token := fmt.Sprintf("token-%d-of-the-registry", len(r.tokens))
	r.tokens[token] = uses
	_ = json.NewEncoder(w).Encode(map[string]string{"token": token}) // a client that has left needs none
}

// WriteError answers with an error, as registries do.
func WriteError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}}) // the client may have left
}

// Status answers with a status, and headers by name and value.
func Status(status int, headers ...string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		WriteError(w, status, "INJECTED", http.StatusText(status))
	}
}

// Reset breaks the connection. Of the request's body the registry gets a part in percent.
func Reset(percent int64) Fault {
	return func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if percent > 0 && req.ContentLength > 0 {
			Keep(percent)(httptest.NewRecorder(), req, next)
		}
		reset(w)
	}
}

// Keep gives the registry a part of the request's body in percent.
func Keep(percent int64) Fault {
	return func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		part, _ := io.ReadAll(io.LimitReader(req.Body, req.ContentLength*percent/100)) // the client may break it, too
		kept := req.Clone(req.Context())
		kept.Body, kept.ContentLength = io.NopCloser(bytes.NewReader(part)), int64(len(part))
		if first, _, ok := strings.Cut(req.Header.Get("Content-Range"), "-"); ok {
			from, _ := strconv.Atoi(first)
			kept.Header.Set("Content-Range", fmt.Sprintf("%d-%d", from, from+len(part)-1))
		}
		next.ServeHTTP(w, kept)
	}
}

// Limit does something else to requests of more than so many bytes.
func Limit(bytes int64, do Fault) Fault {
	return func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if req.ContentLength > bytes {
			do(w, req, next)
			return
		}
		next.ServeHTTP(w, req)
	}
}

// Truncate sends a part of the answer in percent, and breaks the connection.
func Truncate(percent int) Fault {
	return func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, req)
		maps.Copy(w.Header(), recorder.Header())
		w.WriteHeader(recorder.Code)
		body := recorder.Body.Bytes()
		_, _ = w.Write(body[:len(body)*percent/100]) // the client may have left
		_ = http.NewResponseController(w).Flush()
		reset(w)
	}
}

// Header lets the registry answer, and sets a header of the answer.
func Header(name, value string) Fault {
	return func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, req)
		maps.Copy(w.Header(), recorder.Header())
		w.Header().Set(name, value)
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(recorder.Body.Bytes()) // the client may have left
	}
}

// reset ends the connection with RST, after which nothing that it still had can be read.
func reset(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if wrapped, ok := connection.(*tls.Conn); ok {
		connection = wrapped.NetConn()
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // then it ends with FIN
	}
	_ = connection.Close() // it is broken on purpose
}
