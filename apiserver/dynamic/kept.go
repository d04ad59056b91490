// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"net/http"
	"net/url"
	"sync"

	genericapiserver "k8s.io/apiserver/pkg/server"
)

// kept gives back the memory of OpenAPI documents. The library keeps the last document that a client asked for until a client asks again, which
// may be never: so the documents are read once more after each change. It is safe for concurrent use.
type kept struct {
	generic *genericapiserver.GenericAPIServer
	begun   bool // the publisher alone uses it

	mutex   sync.Mutex
	asked   map[string]bool // the paths of documents that were read
	stale   bool
	reading bool
}

// ask notes that a document is read.
func (k *kept) ask(path string) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.asked[path] = true
}

// refresh reads the documents that were read before in the background. Changes that follow each other quickly cause one read.
func (k *kept) refresh() {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.stale = len(k.asked) > 0; !k.stale || k.reading {
		return
	}
	k.reading = true
	go func() {
		for paths := k.next(); len(paths) > 0; paths = k.next() {
			for _, path := range paths {
				k.read(path)
			}
		}
	}()
}

// next returns the paths to read, or none if the documents are as they were read last.
func (k *kept) next() (paths []string) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if !k.stale {
		k.reading = false
		return nil
	}
	k.stale = false
	for path := range k.asked {
		paths = append(paths, path)
	}
	return paths
}

// read asks the handler of the library for a document.
func (k *kept) read(path string) {
	request := &http.Request{
		Method: http.MethodGet, URL: &url.URL{Path: path}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "localhost", Body: http.NoBody,
		Header: http.Header{"Accept": []string{"application/json"}},
	}
	k.generic.Handler.NonGoRestfulMux.ServeHTTP(discarded{}, request)
}

// discarded is an answer that nobody reads.
type discarded struct{}

// Header implements http.ResponseWriter.
func (discarded) Header() http.Header { return http.Header{} }

// Write implements http.ResponseWriter.
func (discarded) Write(content []byte) (int, error) { return len(content), nil }

// WriteHeader implements http.ResponseWriter.
func (discarded) WriteHeader(int) {}
