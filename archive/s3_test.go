// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// s3 speaks just enough of S3 for the archive: objects of one bucket, and ListObjectsV2.
type s3 struct {
	mu       sync.Mutex
	objects  map[string][]byte
	requests int
	// fault may answer a request itself, and then returns true. Nil means no fault.
	fault func(w http.ResponseWriter, r *http.Request, number int) bool
}

// secret must not appear in any error.
const secret = "hunter2hunter2hunter2"

// newS3 starts one, and opens an archive in it.
func newS3(t *testing.T) (*s3, *Store) {
	t.Helper()
	server := &s3{objects: map[string][]byte{}}
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	return server, open(t, "s3://logs?region=us-east-1&use_path_style=true&response_checksum_validation=when_required&endpoint="+h.URL, Options{})
}

func (s *s3) set(fault func(w http.ResponseWriter, r *http.Request, number int) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.requests = fault, 0
}

func (s *s3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	number, fault := s.requests, s.fault
	s.mu.Unlock()
	if fault != nil && fault(w, r, number) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/logs"), "/")
	switch {
	case r.Method == http.MethodPut:
		if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
			body = unchunked(body)
		}
		s.objects[key] = body
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case key == "":
		s.list(w, r)
	default:
		s.get(w, r, key)
	}
}

func (s *s3) get(w http.ResponseWriter, r *http.Request, key string) {
	content, ok := s.objects[key]
	if !ok {
		refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		return
	}
	w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("Etag", `"1"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(content)
	}
}

type listed struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listedObject
	CommonPrefixes        []listedPrefix
}

type listedObject struct {
	Key          string
	LastModified string
	Size         int
	ETag         string
}

type listedPrefix struct{ Prefix string }

// list gives pages of at most three entries.
func (s *s3) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	prefix, after := q.Get("prefix"), q.Get("continuation-token")
	var result listed
	entries := 0
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		folder, _, cut := strings.Cut(key[len(prefix):], "/")
		cut = cut && q.Get("delimiter") != ""
		name := key
		if cut {
			name = prefix + folder + "/"
		}
		if name <= after {
			continue
		}
		if entries == 3 {
			result.IsTruncated, result.NextContinuationToken = true, after
			break
		}
		entries++
		after = name
		if cut {
			result.CommonPrefixes = append(result.CommonPrefixes, listedPrefix{name})
		} else {
			result.Contents = append(result.Contents, listedObject{key, "2026-03-01T12:00:00.000Z", len(s.objects[key]), `"1"`})
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(result)
}

// unchunked takes the content out of the aws-chunked encoding.
func unchunked(body []byte) []byte {
	var content []byte
	for {
		line, rest, _ := bytes.Cut(body, []byte("\r\n"))
		digits, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseInt(string(digits), 16, 64)
		if err != nil || n == 0 || int(n)+2 > len(rest) {
			return content
		}
		content, body = append(content, rest[:n]...), rest[n+2:]
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
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
	if _, deleted := sweep(t, s); deleted != 1 || len(server.objects) != 1 {
		t.Errorf("deleted %d, left %d", deleted, len(server.objects))
	}
}

func TestAServiceThatIsBusyForAWhileLosesNothing(t *testing.T) {
	server, s := newS3(t)
	w := writer(t, s, Limit{})
	w.chunk = 1000
	stream := randomStream(rand.New(rand.NewPCG(51, 51)), 100, false)
	server.set(func(w http.ResponseWriter, _ *http.Request, number int) bool {
		if number > 3 && number%41 != 0 {
			return false
		}
		refuse(w, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
		return true
	})
	write(t, w, stream[:500])
	err := w.Flush(t.Context())
	if err == nil || !strings.Contains(err.Error(), "SlowDown") || strings.Contains(err.Error(), secret) || w.Offset() != 0 {
		t.Errorf("at first: %v, at %d", err, w.Offset())
	}
	steps(t, w, stream, 700)
	server.set(nil)
	same(t, "all", readAll(t, s, Position{}), stream)
}

// The answer to a request is lost, not the request: what is done is not done twice.
func TestAConnectionThatBreaksLosesNothing(t *testing.T) {
	server, s := newS3(t)
	w := writer(t, s, Limit{})
	w.chunk = 1000
	stream := randomStream(rand.New(rand.NewPCG(52, 52)), 100, false)
	server.set(func(_ http.ResponseWriter, r *http.Request, number int) bool {
		if number%19 != 0 {
			return false
		}
		if r.Method == http.MethodPut {
			inner := &s3{objects: server.objects}
			inner.ServeHTTP(httptest.NewRecorder(), r)
		}
		panic(http.ErrAbortHandler)
	})
	steps(t, w, stream, 700)
	server.set(nil)
	same(t, "all", readAll(t, s, Position{}), stream)
	if summary, err := s.Summary(t.Context(), attempt()); err != nil || len(server.objects) != len(summary.Chunks)+1 {
		t.Errorf("left are %d objects, %v", len(server.objects), err)
	}
}

func TestHalfABodyIsAnError(t *testing.T) {
	server, s := newS3(t)
	stream := bytes.Repeat([]byte(stamped(0, "a line")), 100)
	keep(t, s, stream, 0)
	server.set(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		content := server.objects[strings.TrimPrefix(r.URL.Path, "/logs/")]
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
	server.set(nil)
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
	server.set(func(_ http.ResponseWriter, r *http.Request, _ int) bool {
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
	server.set(nil)
	service.timeout = patient
	flush(t, w)
	same(t, "then", readAll(t, s, Position{}), []byte("one\n"))
}

func TestWrongCredentialsAreToldWithoutThem(t *testing.T) {
	server, s := newS3(t)
	w := writer(t, s, Limit{})
	write(t, w, []byte("one\n"))
	server.set(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "The signature of http://"+r.Host+r.URL.Path+"?X-Amz-Credential="+secret+" does not match.")
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
