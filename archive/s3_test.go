// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/archive/s3/s3test"
	"goldsmith.dev/goldsmith/e2e/require"
)

// secret must not appear in any error.
const secret = "hunter2hunter2hunter2"

// newS3 starts a server, and opens an archive in it.
func newS3(t *testing.T) (*s3test.Server, *Store) {
	t.Helper()
	server := &s3test.Server{Objects: map[string][]byte{}, Secret: secret}
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	return server, open(t, "s3://logs?region=us-east-1&use_path_style=true&response_checksum_validation=when_required&endpoint="+h.URL, Options{})
}

func TestALogInS3(t *testing.T) {
	server, s := newS3(t)
	require.NoError(t, s.Ping(t.Context()))
	if _, err := s.Reader(t.Context(), attempt(), Position{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("nothing: %v", err)
	}
	require.NoError(t, s.PutBuild(t.Context(), finished("b-1")))
	stream := randomStream(rand.New(rand.NewPCG(50, 50)), 60, false)
	keep(t, s, stream[:600], 100)
	w := writer(t, s, Limit{})
	w.chunk = 100
	store(t, w, stream[600:])
	same(t, "open", readAll(t, s, Position{}), stream)
	summary := seal(t, w, Seal{})
	same(t, "sealed", readAll(t, s, Position{}), stream)
	if summary.Digest != digestOf(stream) || logsOf(t, s, "b-1") != 1 {
		t.Errorf("got %+v, %d logs", summary, logsOf(t, s, "b-1"))
	}
	if _, deleted := sweep(t, s); deleted != 1 || len(server.Objects) != 1 {
		t.Errorf("deleted %d, left %d", deleted, len(server.Objects))
	}
}

func TestAServiceThatIsBusyForAWhileLosesNothing(t *testing.T) {
	server, s := newS3(t)
	w := writer(t, s, Limit{})
	w.chunk = 1000
	stream := randomStream(rand.New(rand.NewPCG(51, 51)), 100, false)
	server.Set(func(w http.ResponseWriter, _ *http.Request, number int) bool {
		if number > 3 && number%41 != 0 {
			return false
		}
		s3test.Refuse(w, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
		return true
	})
	write(t, w, stream[:500])
	err := w.Flush(t.Context())
	if err == nil || !strings.Contains(err.Error(), "SlowDown") || strings.Contains(err.Error(), secret) || w.Offset() != 0 {
		t.Errorf("at first: %v, at %d", err, w.Offset())
	}
	steps(t, w, stream, 700)
	server.Set(nil)
	same(t, "all", readAll(t, s, Position{}), stream)
}

// The answer to a request is lost, not the request: what is done is not done twice.
func TestAConnectionThatBreaksLosesNothing(t *testing.T) {
	server, s := newS3(t)
	w := writer(t, s, Limit{})
	w.chunk = 1000
	stream := randomStream(rand.New(rand.NewPCG(52, 52)), 100, false)
	server.Set(func(_ http.ResponseWriter, r *http.Request, number int) bool {
		if number%19 != 0 {
			return false
		}
		if r.Method == http.MethodPut {
			inner := &s3test.Server{Objects: server.Objects}
			inner.ServeHTTP(httptest.NewRecorder(), r)
		}
		panic(http.ErrAbortHandler)
	})
	steps(t, w, stream, 700)
	server.Set(nil)
	same(t, "all", readAll(t, s, Position{}), stream)
	if summary, err := s.Summary(t.Context(), attempt()); err != nil || len(server.Objects) != len(summary.Chunks)+1 {
		t.Errorf("left are %d objects, %v", len(server.Objects), err)
	}
}

func TestHalfABodyIsAnError(t *testing.T) {
	server, s := newS3(t)
	stream := bytes.Repeat([]byte(stamped(0, "a line")), 100)
	keep(t, s, stream, 0)
	server.Set(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		content := server.Objects[strings.TrimPrefix(r.URL.Path, "/logs/")]
		if r.Method != http.MethodGet || content == nil {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content[:len(content)/2])
		panic(http.ErrAbortHandler)
	})
	r := require.Value(s.Reader(t.Context(), attempt(), Position{}))(t)
	got, err := io.ReadAll(r)
	if len(got) != 0 || err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	server.Set(nil)
	got = require.Value(io.ReadAll(r))(t)
	same(t, "the same reader, then", got, stream)
}

func TestAServiceThatHangsIsGivenUp(t *testing.T) {
	server, s := newS3(t)
	w := writer(t, s, Limit{})
	write(t, w, []byte("one\n"))
	service := s.objects.(*bucket)
	patient := service.timeout
	service.timeout = 100 * time.Millisecond
	server.Set(func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		_, _ = io.Copy(io.Discard, r.Body) // without this the server does not notice that the client has disconnected
		<-r.Context().Done()
		return true
	})
	for what, run := range map[string]func() error{
		"flush":  func() error { return w.Flush(t.Context()) },
		"ping":   func() error { return s.Ping(t.Context()) },
		"list":   func() error { _, err := s.Attempts(t.Context(), "team", "b"); return err },
		"read":   func() error { _, err := s.GetBuild(t.Context(), "team", "b"); return err },
		"delete": func() error { return s.remove(t.Context(), "v1/x") },
	} {
		if err := run(); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	server.Set(nil)
	service.timeout = patient
	flush(t, w)
	same(t, "then", readAll(t, s, Position{}), []byte("one\n"))
}

func TestWrongCredentialsAreToldWithoutThem(t *testing.T) {
	server, s := newS3(t)
	w := writer(t, s, Limit{})
	write(t, w, []byte("one\n"))
	server.Set(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		s3test.Refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "The signature of http://"+r.Host+r.URL.Path+"?X-Amz-Credential="+secret+" does not match.")
		return true
	})
	for what, run := range map[string]func() error{
		"ping":  func() error { return s.Ping(t.Context()) },
		"flush": func() error { return w.Flush(t.Context()) },
		"read":  func() error { _, err := s.Summary(t.Context(), attempt()); return err },
		"sweep": func() error { _, err := s.Sweep(t.Context(), nil); return err },
	} {
		err := run()
		if err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", what, err)
			continue
		}
		text := err.Error()
		if !strings.Contains(text, "403") || !strings.Contains(text, "SignatureDoesNotMatch") || strings.Contains(text, secret) || strings.Contains(text, "\n") {
			t.Errorf("%s: %s", what, text)
		}
	}
}
