// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// Path is where the pages are.
const Path = "/ui/"

// policy lets a page load only files of this server. Its scripts write no HTML, because Trusted Types refuse text: "lit-html" is the
// policy of the library of that name, and "goldsmith" makes the addresses of workers.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html goldsmith"

// Local configures the console of one person on one machine.
type Local struct {
	// Server is the API server, with the credentials that all requests of signed-in pages get.
	Server *rest.Config
	// Namespace is the namespace of the first page.
	Namespace string
	// Command is the command that prints a new link, such as "goldsmith console".
	Command string
	// Sessions sign pages in.
	Sessions *Sessions
	// Reasons explain the reasons of failures and conditions.
	Reasons []Reason
	// SignedIn is called with the remote address of each request of a signed-in page. Nil if nobody asks.
	SignedIn func(remote string)
}

// Reason explains a reason in plain text.
type Reason struct {
	Reason string `json:"reason"`
	// Reporter is what reports the reason, such as "condition Admitted: True".
	Reporter string `json:"reporter"`
	Meaning  string `json:"meaning"`
	// Remedy is what to do, or "nothing".
	Remedy string `json:"remedy"`
}

// Handler serves the console for a listener of Listen. A page signs in with a link of Sessions, and stores its token in the browser's local storage:
// browsers send cookies to all ports of a machine.
func (l Local) Handler() (http.Handler, error) {
	transport, address, err := connect(l.Server)
	if err != nil {
		return nil, err
	}
	mux := newMux(l.signedIn(forward(transport, address)), l.Reasons)
	mux.HandleFunc("GET "+Path+"session", l.describeSession)
	mux.HandleFunc("POST "+Path+"session", l.openSession)
	mux.HandleFunc("POST "+Path+"logout", l.endSession)
	return guard(func(host string) bool { return strings.EqualFold(host, l.Sessions.host) }, mux), nil
}

// newMux serves the pages and the reasons, of which there can be none, to everybody. It passes on requests to the API.
func newMux(api http.Handler, reasons []Reason) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.Handle("GET /{$}", http.RedirectHandler(Path, http.StatusFound))
	mux.Handle("GET "+Path, pages())
	mux.HandleFunc("GET "+Path+"reasons", func(writer http.ResponseWriter, _ *http.Request) {
		answer(writer, http.StatusOK, append([]Reason{}, reasons...))
	})
	return mux
}

// session describes how a page is signed in.
type session struct {
	// SignIn is how users sign in: link, token or oidc.
	SignIn string `json:"signIn"`
	// Token is the bearer token of the page's requests.
	Token string `json:"token,omitempty"`
	// Namespace is the namespace of the first page.
	Namespace string `json:"namespace,omitempty"`
	// Command is the command that prints a new link or a token.
	Command string `json:"command,omitempty"`
	// User is the name of the signed-in user of a cluster.
	User string `json:"user,omitempty"`
	// Provider is the host that signs users in with OIDC.
	Provider string `json:"provider,omitempty"`
	// Message is why the user of a cluster is not signed in.
	Message string `json:"message,omitempty"`
}

// describeSession tells a page how to sign in.
func (l Local) describeSession(writer http.ResponseWriter, _ *http.Request) {
	answer(writer, http.StatusOK, session{SignIn: "link", Command: l.Command})
}

// notSignedIn is what pages without a valid token are told. They show the command that prints a link.
const notSignedIn = "this page is not signed in, or its session has ended"

// openSession gives a page a token for the code of its link.
func (l Local) openSession(writer http.ResponseWriter, request *http.Request) {
	var asked struct {
		Code string `json:"code"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(writer, request.Body, 1<<10)).Decode(&asked); err != nil {
		refuse(writer, http.StatusBadRequest, metav1.StatusReasonBadRequest, "read the request: "+err.Error())
		return
	}
	if !l.Sessions.redeem(asked.Code) {
		refuse(writer, http.StatusUnauthorized, metav1.StatusReasonUnauthorized,
			fmt.Sprintf("this link was used before, or is older than %.0f minutes", linkLifetime.Minutes()))
		return
	}
	answer(writer, http.StatusOK, session{SignIn: "link", Token: l.Sessions.start(), Namespace: l.Namespace, Command: l.Command})
}

// endSession signs a page out.
func (l Local) endSession(writer http.ResponseWriter, request *http.Request) {
	l.Sessions.end(bearer(request))
	answer(writer, http.StatusOK, struct{}{})
}

// signedIn passes on the requests of pages with a valid token.
func (l Local) signedIn(api http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if !l.Sessions.valid(bearer(request)) {
			refuse(writer, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, notSignedIn)
			return
		}
		if l.SignedIn != nil {
			l.SignedIn(request.RemoteAddr)
		}
		api.ServeHTTP(writer, request)
	})
}

func bearer(request *http.Request) string {
	scheme, token, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// guard refuses requests for other hosts and from pages of other origins, and sets the headers that all answers have. Without the check
// of the host, the page of another site could change the address of its own name to this machine's (DNS rebinding).
func guard(known func(host string) bool, next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		header := writer.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox") // pages set their own
		if !known(hostname(request.Host)) {
			refuse(writer, http.StatusMisdirectedRequest, metav1.StatusReasonUnknown, fmt.Sprintf("the console is not served for the host %q", request.Host))
			return
		}
		next.ServeHTTP(writer, request)
	})
}

// hostname returns a host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.Trim(host, "[]")
}

func answer(writer http.ResponseWriter, code int, body any) {
	header := writer.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	writer.WriteHeader(code)
	_ = json.NewEncoder(writer).Encode(body) // a browser that closed its connection cannot read an error
}

// refuse answers with a Status, as the API does.
func refuse(writer http.ResponseWriter, code int32, reason metav1.StatusReason, message string) {
	answer(writer, int(code), metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: code, Reason: reason, Message: message,
	})
}

// allowed reports whether a request is one that the pages make.
func allowed(request *http.Request) bool {
	path := request.URL.Path
	if request.URL.RawPath != "" || strings.Contains(path, "//") || slices.ContainsFunc(strings.Split(path, "/"), func(part string) bool { return part == "." || part == ".." }) {
		return false // a path that servers read in different ways
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for _, rule := range rules {
		if rule.matches(request.Method, parts) {
			return true
		}
	}
	return false
}

// A rule allows requests of a method, or of any method if it is empty, to paths of a pattern: "*" is any part, and "**" at the end is any number of parts.
type rule struct{ method, pattern string }

// rules are all requests that pages make.
var rules = []rule{
	{"", "apis/images.goldsmith.dev/**"},
	{"", "apis/catalog.goldsmith.dev/**"},
	{http.MethodGet, "api/v1/namespaces"},
	{http.MethodGet, "api/v1/namespaces/*"},
	{http.MethodGet, "api/v1/events"},
	{http.MethodGet, "api/v1/namespaces/*/events"},
	{http.MethodPost, "apis/authentication.k8s.io/v1/selfsubjectreviews"},
	{http.MethodPost, "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"},
	{http.MethodPost, "apis/authorization.k8s.io/v1/selfsubjectrulesreviews"},
	{http.MethodGet, "openapi/v3/**"},
	{http.MethodGet, "version"},
}

func (r rule) matches(method string, parts []string) bool {
	if r.method != "" && r.method != method {
		return false
	}
	pattern := strings.Split(r.pattern, "/")
	for i, want := range pattern {
		if want == "**" {
			return true
		}
		if i >= len(parts) || want != "*" && want != parts[i] {
			return false
		}
	}
	return len(parts) == len(pattern)
}
