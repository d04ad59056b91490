// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"net/http"
	"strings"
)

const (
	// documents is the path of the OpenAPI v3 documents.
	documents = "/openapi/v3/"
	// hash is the parameter with the hash of the document that a client asks for.
	hash = "hash"
)

// AnswerOldHashes answers a request for an OpenAPI v3 document that has changed with the document as it is now. The library redirects such
// a request. A kube-apiserver that forwards it permits no redirection: its clients would get a 502, until it asks for the hashes again, up to
// two minutes after a change.
func AnswerOldHashes(api http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if !strings.HasPrefix(request.URL.Path, documents) {
			api.ServeHTTP(writer, request)
			return
		}
		query := request.URL.Query()
		if !query.Has(hash) {
			api.ServeHTTP(writer, request)
			return
		}
		first := &unredirected{ResponseWriter: writer}
		api.ServeHTTP(first, request)
		if !first.redirected {
			return
		}
		for _, header := range []string{"Location", "Content-Type"} {
			writer.Header().Del(header)
		}
		query.Del(hash)
		again := request.Clone(request.Context())
		again.URL.RawQuery = query.Encode()
		api.ServeHTTP(writer, again)
	})
}

// unredirected drops an answer that redirects the client.
type unredirected struct {
	http.ResponseWriter
	redirected bool
}

// WriteHeader notes a redirection.
func (u *unredirected) WriteHeader(code int) {
	if u.redirected = code == http.StatusMovedPermanently; !u.redirected {
		u.ResponseWriter.WriteHeader(code)
	}
}

// Write drops the text of a redirection.
func (u *unredirected) Write(text []byte) (int, error) {
	if u.redirected {
		return len(text), nil
	}
	return u.ResponseWriter.Write(text)
}
