// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// tokenKey is the key of the token that a request of a signed-in user gets, in the request's context.
type tokenKey struct{}

// userAgent names the console to servers.
const userAgent = "goldsmith-console"

// connect returns what sends requests to a server with the credentials of its configuration, and the address of the server.
func connect(server *rest.Config) (http.RoundTripper, *url.URL, error) {
	transport, err := rest.TransportFor(server)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to %s: %w", server.Host, err)
	}
	address, _, err := rest.DefaultServerUrlFor(server)
	if err != nil {
		return nil, nil, fmt.Errorf("read the address %q: %w", server.Host, err)
	}
	return transport, address, nil
}

// forward passes allowed requests on to a server, with the credentials of the transport or the token of the request's context, and none of the
// browser's.
func forward(transport http.RoundTripper, target *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1, // watches and logs arrive line by line
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(target)
			request.Out.Host = ""
			request.Out.Header = headersOf(request.In)
		},
		ModifyResponse: func(response *http.Response) error {
			for name := range response.Header {
				if name == "Set-Cookie" || strings.HasPrefix(name, "Access-Control-") {
					response.Header.Del(name)
				}
			}
			for _, name := range guarded {
				response.Header.Del(name)
			}
			if response.Request.Context().Value(tokenKey{}) != nil { // the answer is of one user, and can set the cookies of the session
				response.Header.Set("Cache-Control", "no-store")
				response.Header.Del("Expires")
			}
			return nil
		},
		ErrorHandler: func(writer http.ResponseWriter, request *http.Request, err error) {
			if context.Cause(request.Context()) != nil {
				return // nobody reads the answer
			}
			message := err.Error()
			if !strings.Contains(message, target.Scheme+"://"+target.Host) { // the errors of some clients have the address
				message = fmt.Sprintf("cannot reach the server at %s: %s", target, message)
			}
			refuse(writer, http.StatusBadGateway, metav1.StatusReasonServiceUnavailable, message)
		},
	}
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if !allowed(request) {
			refuse(writer, http.StatusNotFound, metav1.StatusReasonNotFound, "the console does not forward this request: use kubectl")
			return
		}
		proxy.ServeHTTP(writer, request)
	})
}

// guarded are the headers that guard sets.
var guarded = []string{"X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Content-Security-Policy"}

// headersOf returns the headers that the server gets. All others are left out: cookies, credentials, impersonation, and what a proxy
// says about the user.
func headersOf(request *http.Request) http.Header {
	headers := http.Header{
		// Chromium decodes only the first member of a compressed stream, and kube-apiserver starts a member with each flush.
		"Accept-Encoding": {"identity"},
		"User-Agent":      {userAgent},
	}
	if token, ok := request.Context().Value(tokenKey{}).(string); ok {
		headers.Set("Authorization", "Bearer "+token)
	}
	for _, name := range []string{"Accept", "Content-Type"} {
		if values := request.Header.Values(name); len(values) > 0 {
			headers[name] = values
		}
	}
	return headers
}
