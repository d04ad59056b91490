// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"

	"goldsmith.dev/goldsmith/e2e/require"
)

// patience is how long a test waits for what does happen.
const patience = time.Minute

// started is a running console.
type started struct {
	t       *testing.T
	address string
	client  *http.Client
	stop    context.CancelFunc
	ended   chan error
}

// start serves pages with the certificate in a folder.
func start(t *testing.T, f folder, pages http.HandlerFunc) *started {
	t.Helper()
	certificate := require.Value(certwatcher.New(f.path("tls.crt"), f.path("tls.key")))(t)
	listener := require.Value(net.Listen("tcp", "127.0.0.1:0"))(t)
	ctx, stop := context.WithCancel(t.Context())
	s := &started{t: t, address: "https://" + listener.Addr().String(), stop: stop, ended: make(chan error, 1)}
	go func() {
		s.ended <- (&served{pages: pages, certificate: certificate, drain: time.Millisecond, grace: time.Millisecond}).serve(ctx, listener)
	}()
	s.client = &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	t.Cleanup(stop)
	return s
}

// get sends a request for a host.
func (s *started) get(path, host string) (*http.Response, error) {
	request := require.Value(http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.address+path, http.NoBody))(s.t)
	request.Host = host
	return s.client.Do(request)
}

func (s *started) waits() error {
	select {
	case err := <-s.ended:
		return err
	case <-time.After(patience):
		return errors.New("the console did not end")
	}
}

func TestTheKubeletIsAnsweredAtAnyHostAndPagesWithHTTP2(t *testing.T) {
	t.Parallel()
	s := start(t, newFolder(t, "console.example.com"), func(writer http.ResponseWriter, request *http.Request) {
		_, _ = io.WriteString(writer, "pages of "+request.Host)
	})
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ok", "/ui/": "pages of 10.0.0.1", "/healthz/": "pages of 10.0.0.1"} {
		answer, err := s.get(path, "10.0.0.1")
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, errors.Join(err, answer.Body.Close()))
		if answer.StatusCode != http.StatusOK || string(body) != want || answer.ProtoMajor != 2 {
			t.Errorf("%s: got %s %s %s, want %s", path, answer.Proto, answer.Status, body, want)
		}
	}
	s.stop()
	require.NoError(t, s.waits())
}

func TestTheConsoleOfTheFlagsIsServed(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "console.example.com")
	o := &options{certificate: f.path("tls.crt"), key: f.path("tls.key"), hosts: []string{"console.example.com"}, server: "https://127.0.0.1:1"}
	console := require.Value(o.read(logr.Discard()))(t)
	s := start(t, f, console.pages.ServeHTTP)
	for _, test := range []struct {
		path, host, want string
		code             int
	}{
		{"/ui/session", "console.example.com", `"signIn":"token"`, http.StatusOK},
		{"/ui/reasons", "console.example.com", `"reason":"OOMKilled"`, http.StatusOK},
		{"/ui/ns/team/images", "console.example.com", "/ui/app.js", http.StatusOK},
		{"/ui/", "10.0.0.1", "not served for the host", http.StatusMisdirectedRequest},
		{"/version", "console.example.com", "not signed in", http.StatusUnauthorized},
	} {
		answer, err := s.get(test.path, test.host)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, errors.Join(err, answer.Body.Close()))
		if answer.StatusCode != test.code || !strings.Contains(string(body), test.want) {
			t.Errorf("%s: got %s %s, want %d with %s", test.path, answer.Status, body, test.code, test.want)
		}
	}
}

func TestAConsoleThatEndsAnswersUntilAllProxiesKnow(t *testing.T) {
	t.Parallel()
	console := &served{pages: http.NotFoundHandler()}
	console.ending.Store(true)
	f := newFolder(t, "console.example.com")
	listener := require.Value(net.Listen("tcp", "127.0.0.1:0"))(t)
	console.certificate, console.drain = require.Value(certwatcher.New(f.path("tls.crt"), f.path("tls.key")))(t), patience
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- console.serve(ctx, listener) }()
	s := &started{t: t, address: "https://" + listener.Addr().String(), client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}}
	stop()
	for path, want := range map[string]int{"/readyz": http.StatusServiceUnavailable, "/healthz": http.StatusOK, "/ui/": http.StatusNotFound} {
		answer, err := s.get(path, "a")
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		if answer.StatusCode != want {
			t.Errorf("%s: got %s, want %d", path, answer.Status, want)
		}
	}
	require.NoError(t, listener.Close()) // or the test would wait
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "serve the console until its end: ") {
		t.Errorf("got error %v", err)
	}
}

func TestTheEndOfTheConsoleEndsItsStreams(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	s := start(t, newFolder(t, "console.example.com"), func(writer http.ResponseWriter, request *http.Request) {
		defer close(left)
		_, _ = io.WriteString(writer, "started\n")
		_ = http.NewResponseController(writer).Flush()
		<-request.Context().Done()
	})
	answer, err := s.get("/apis", "a")
	require.NoError(t, err)
	if line, err := bufio.NewReader(answer.Body).ReadString('\n'); line != "started\n" {
		t.Fatalf("got %q: %v", line, err)
	}
	s.stop()
	require.NoError(t, s.waits())
	select {
	case <-left:
	case <-time.After(patience):
		t.Error("the stream did not end")
	}
	_ = answer.Body.Close() // its connection has ended
}

func TestAListenerThatFailsIsReported(t *testing.T) {
	t.Parallel()
	listener := require.Value(net.Listen("tcp", "127.0.0.1:0"))(t)
	require.NoError(t, listener.Close())
	f := newFolder(t, "console.example.com")
	err := (&served{pages: http.NotFoundHandler(), certificate: require.Value(certwatcher.New(f.path("tls.crt"), f.path("tls.key")))(t)}).serve(t.Context(), listener)
	if err == nil || !strings.Contains(err.Error(), "serve the console: ") {
		t.Errorf("got error %v", err)
	}
}

func TestACertificateIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "first.example.com")
	s := start(t, f, func(http.ResponseWriter, *http.Request) {})
	name := func() string {
		t.Helper()
		s.client.CloseIdleConnections()
		answer, err := s.get("/healthz", "a")
		require.NoError(t, errors.Join(err, answer.Body.Close()))
		return answer.TLS.PeerCertificates[0].DNSNames[0]
	}
	key := require.Value(os.ReadFile(f.path("tls.key")))(t)
	f.write(t, "tls.key", string(key[:len(key)/2]))
	if got := name(); got != "first.example.com" {
		t.Errorf("with half a key: got the certificate of %s", got)
	}
	f.certify(t, "second.example.com")
	for end := time.Now().Add(patience); name() != "second.example.com"; {
		if time.Now().After(end) {
			t.Fatal("the certificate was not read again")
		}
	}
}

func TestABodyThatNeverArrivesEndsItsConnection(t *testing.T) {
	t.Parallel()
	deadlines := make(chan time.Time, 1)
	(&served{pages: http.NotFoundHandler()}).ServeHTTP(&deadlineWriter{httptest.NewRecorder(), deadlines}, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ui/session", strings.NewReader("a")))
	(&served{pages: http.NotFoundHandler()}).ServeHTTP(&deadlineWriter{httptest.NewRecorder(), deadlines}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/apis", http.NoBody))
	if len(deadlines) != 1 || time.Until(<-deadlines) > bodyLimit {
		t.Error("a request with a body has no deadline, or a stream has one")
	}
}

// deadlineWriter receives the deadlines of a connection.
type deadlineWriter struct {
	http.ResponseWriter
	deadlines chan time.Time
}

func (w *deadlineWriter) SetReadDeadline(deadline time.Time) error {
	w.deadlines <- deadline
	return http.ErrNotSupported // which changes nothing
}
