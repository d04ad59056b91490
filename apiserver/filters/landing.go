// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"mime"
	"net/http"
	"strings"
)

// GreetBrowsers answers the request of a browser without credentials for "/" with a page. It passes every other request to next.
func GreetBrowsers(page []byte, next http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if !fromBrowser(request) {
			next.ServeHTTP(writer, request)
			return
		}
		header := writer.Header()
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store") // the answer depends on the headers
		_, _ = writer.Write(page)               // a browser that closed its connection cannot read an error
	})
}

// fromBrowser reports whether a request comes from a user who opened the server's address in a browser. API clients never
// accept HTML.
func fromBrowser(request *http.Request) bool {
	reads := request.Method == http.MethodGet || request.Method == http.MethodHead
	return reads && request.URL.Path == "/" && request.Header.Get("Authorization") == "" && acceptsHTML(request.Header.Values("Accept"))
}

func acceptsHTML(accepted []string) bool {
	for clause := range strings.SplitSeq(strings.Join(accepted, ","), ",") {
		if mediaType, _, err := mime.ParseMediaType(clause); err == nil && mediaType == "text/html" {
			return true
		}
	}
	return false
}
