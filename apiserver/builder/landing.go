// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"mime"
	"net/http"
	"strings"
)

// greetBrowsers answers a browser that has no credentials and asks for "/" with a page. Every other request goes to next.
func greetBrowsers(page []byte, next http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if !fromBrowser(request) {
			next.ServeHTTP(writer, request)
			return
		}
		header := writer.Header()
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store") // clients with other headers get another answer
		_, _ = writer.Write(page)               // a browser that closed its connection reads no error either
	})
}

// fromBrowser reports whether a request is that of a person who opened the server's address. API clients never accept HTML.
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
