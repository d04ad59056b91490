// SPDX-License-Identifier: Apache-2.0

package kept

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// The headers of answers.
const (
	headerDigest = "Kept-Digest"
	headerSize   = "Kept-Size"
)

// Server serves one build. It takes one connection, on which it answers one GET of a key. If there is no content for the key, it keeps that of one PUT.
type Server struct {
	Store *Store
	// Namespace is that of the build. What other namespaces have kept is not found.
	Namespace string
	// Log receives why something is not used or not kept.
	Log io.Writer

	mu     sync.Mutex
	key    string // of the GET
	wanted bool   // a PUT is allowed
}

var keyPath = regexp.MustCompile(`\A/[0-9a-f]{64}\z`)

// Serve serves the first connection, until it is closed. Then the listener is closed, too.
func (s *Server) Serve(listener net.Listener) error {
	once := &onceListener{Listener: listener, closed: make(chan struct{})}
	server := &http.Server{Handler: s, ConnState: func(_ net.Conn, state http.ConnState) { //nolint:gosec // only the builder can connect, and may take its time
		if state == http.StateClosed {
			_ = once.Close() // nobody connects again
		}
	}}
	if err := server.Serve(once); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// onceListener accepts one connection. It stops listening then, but tells its end only after Close.
type onceListener struct {
	net.Listener
	accepted bool
	closing  sync.Once
	closed   chan struct{}
}

// Accept implements net.Listener.
func (l *onceListener) Accept() (net.Conn, error) {
	if l.accepted {
		<-l.closed
		return nil, net.ErrClosed
	}
	l.accepted = true
	connection, err := l.Listener.Accept()
	return connection, errors.Join(err, l.Listener.Close())
}

// Close implements net.Listener.
func (l *onceListener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	if !keyPath.MatchString(request.URL.Path) {
		http.Error(writer, "the path must be a key", http.StatusNotFound)
		return
	}
	sum := sha256.Sum256([]byte(s.Namespace + request.URL.Path))
	key := hex.EncodeToString(sum[:])
	switch {
	case request.Method == http.MethodGet && s.admitGet(key):
		s.get(writer, key)
	case request.Method == http.MethodPut && s.admitPut(key):
		s.put(writer, request, key)
	default:
		http.Error(writer, "one GET, and one PUT of the same key", http.StatusForbidden)
	}
}

func (s *Server) admitGet(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key != "" {
		return false
	}
	s.key = key
	return true
}

func (s *Server) admitPut(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	admitted := s.wanted && s.key == key
	s.wanted = s.wanted && !admitted
	return admitted
}

func (s *Server) get(writer http.ResponseWriter, key string) {
	file, digest, err := s.Store.Open(key)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.logf("the kept packages are not used: %v", err)
		}
		s.mu.Lock()
		s.wanted = true
		s.mu.Unlock()
		http.Error(writer, ErrNothing.Error(), http.StatusNotFound)
		return
	}
	defer func() { _ = file.Close() }() // only read from
	decoder, err := zstd.NewReader(file)
	if err == nil {
		defer decoder.Close()
		writer.Header().Set(headerDigest, digest)
		_, err = io.Copy(writer, decoder)
	}
	if err != nil {
		s.logf("the kept packages are not used: %v", err)
		panic(http.ErrAbortHandler) // the client sees that the end is missing
	}
}

func (s *Server) put(writer http.ResponseWriter, request *http.Request, key string) {
	digest, size, err := s.Store.Add(key, request.Body)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInsufficientStorage)
		return
	}
	writer.Header().Set(headerDigest, digest)
	writer.Header().Set(headerSize, strconv.FormatInt(size, 10))
}

func (s *Server) logf(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Log, format+"\n", args...) // a failure to write the log cannot be reported anywhere
}
