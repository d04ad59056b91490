// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

const (
	// maxFailures is how many requests in a row may get no byte before a fetch ends.
	maxFailures = 6
	// firstWait and maxWait bound the time between two requests, which doubles.
	firstWait, maxWait = 500 * time.Millisecond, 10 * time.Second
	// bufferSize is how many bytes are read before they are written and hashed.
	bufferSize = 128 << 10
	// maxStatus is how many bytes of a refusal are read.
	maxStatus = 64 << 10
)

// fetch fetches one content from the server, in as many requests as it takes.
type fetch struct {
	*content
	http     *http.Client
	address  string
	clock    clock.Clock
	progress *progress
}

func newFetch(connection *client.Connection, wanted *content, o *options) (*fetch, error) {
	plain, err := rest.HTTPClientFor(connection.Config)
	if err != nil {
		return nil, fmt.Errorf("create a client: %w", err)
	}
	address := connection.ImagesV1alpha1().RESTClient().Get().Namespace(wanted.namespace).Resource("imagebuilds").Name(wanted.build).
		SubResource("artifacts", wanted.Digest).URL()
	return &fetch{
		content: wanted, http: plain, address: address.String(), clock: o.clock,
		progress: &progress{out: o.told, style: o.style, clock: o.clock, name: wanted.String(), size: wanted.SizeBytes},
	}, nil
}

// refusal is an answer of the server that is not the content.
type refusal struct {
	code    int
	message string
	// after is how long the server asks to wait before the next request.
	after time.Duration
}

// Error is the message of the server.
func (r *refusal) Error() string { return r.message }

// passes reports whether a later request can get another answer.
func (r *refusal) passes() bool {
	return r.code == http.StatusRequestTimeout || r.code == http.StatusTooManyRequests || r.code >= http.StatusInternalServerError
}

// writeError is the error of the destination.
type writeError struct{ error }

// Unwrap returns the cause.
func (e *writeError) Unwrap() error { return e.error }

// destination tells errors of the destination from those of the connection.
type destination struct{ io.Writer }

// Write implements io.Writer.
func (d destination) Write(p []byte) (int, error) {
	n, err := d.Writer.Write(p)
	if err != nil {
		err = &writeError{err}
	}
	return n, err
}

// hashing is a writer that hashes what it writes, at the same time.
type hashing struct {
	io.Writer
	sum hash.Hash
}

// Write implements io.Writer. After an error, the hash is that of more bytes than were written.
func (h *hashing) Write(p []byte) (int, error) {
	hashed := make(chan struct{})
	go func() {
		defer close(hashed)
		_, _ = h.sum.Write(p) // a hash returns no error
	}()
	n, err := h.Writer.Write(p)
	<-hashed
	return n, err
}

// toWriter writes the content, and fails if its digest differs.
func (f *fetch) toWriter(ctx context.Context, out io.Writer) error {
	sum := sha256.New()
	f.progress.begin(0)
	err := f.rest(ctx, &hashing{out, sum}, 0)
	f.progress.end()
	if err != nil {
		return fmt.Errorf("fetch the %s: %w", f.content, err)
	}
	return f.verify(sum)
}

// verify compares the digest of the fetched bytes.
func (f *fetch) verify(sum hash.Hash) error {
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != f.Digest {
		return fmt.Errorf("the fetched %s is damaged: its digest is %s, not %s", f.content, got, f.Digest)
	}
	return nil
}

// rest writes the content from an offset to its end. If a request breaks off, rest continues with the next request, as long as some
// requests get bytes. Each request has the client's present credentials.
func (f *fetch) rest(ctx context.Context, out io.Writer, at int64) error {
	failures, unauthorized, wait := 0, false, firstWait
	for at < f.SizeBytes {
		got, err := f.request(ctx, destination{out}, at)
		at += got
		if got > 0 {
			failures, unauthorized, wait = 0, false, firstWait
		}
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var refused *refusal
		var write *writeError
		again := wait
		switch {
		case errors.As(err, &write):
			return err
		case errors.As(err, &refused) && refused.code == http.StatusUnauthorized && !unauthorized:
			unauthorized, again = true, 0 // the client has dropped the credentials, and reads them again
		case errors.As(err, &refused) && !refused.passes():
			return err
		default:
			if failures++; failures == maxFailures {
				return fmt.Errorf("%d requests in a row got nothing: %w", failures, err)
			}
			wait = min(2*wait, maxWait)
			if refused != nil {
				again = max(again, min(refused.after, maxWait))
			}
		}
		f.progress.interrupted(err, at)
		if err := f.wait(ctx, again); err != nil {
			return err
		}
	}
	return nil
}

func (f *fetch) wait(ctx context.Context, duration time.Duration) error {
	if duration == 0 {
		return nil
	}
	timer := f.clock.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// request writes what one request gets of the content from an offset, and returns how many bytes that is.
func (f *fetch) request(ctx context.Context, out io.Writer, at int64) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.address, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Accept", "*/*")
	request.Header.Set("Accept-Encoding", "identity")
	if at > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
		request.Header.Set("If-Range", `"`+f.Digest+`"`)
	}
	answer, err := f.http.Do(request)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the long address
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }() // was only read
	switch {
	case answer.StatusCode == http.StatusOK && at > 0: // a proxy dropped the header Range
		if _, err := io.CopyN(io.Discard, answer.Body, at); err != nil {
			return 0, fmt.Errorf("skip the bytes that were fetched before: %w", err)
		}
	case answer.StatusCode == http.StatusOK:
	case answer.StatusCode == http.StatusPartialContent && strings.HasPrefix(answer.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", at)):
	case answer.StatusCode == http.StatusPartialContent:
		return 0, &refusal{code: answer.StatusCode, message: fmt.Sprintf("the server answered other bytes (%s) than those from %d", output.OneLine(answer.Header.Get("Content-Range")), at)}
	default:
		return 0, refusalOf(answer)
	}
	left := f.SizeBytes - at
	got, err := copyFull(f.progress.counting(out), io.LimitReader(answer.Body, left))
	if err == nil && got < left {
		err = io.ErrUnexpectedEOF
	}
	return got, err
}

// copyFull copies in pieces of bufferSize. An answer over HTTP/2 comes in much smaller pieces. The end of in is no error.
func copyFull(out io.Writer, in io.Reader) (written int64, err error) {
	buffer := make([]byte, bufferSize)
	for {
		n, failure := io.ReadFull(in, buffer)
		if n > 0 {
			stored, err := out.Write(buffer[:n])
			if written += int64(stored); err != nil {
				return written, err
			}
		}
		switch {
		case errors.Is(failure, io.EOF), errors.Is(failure, io.ErrUnexpectedEOF):
			return written, nil
		case failure != nil:
			return written, failure
		}
	}
}

// refusalOf reads a refusal, which the API answers as a Status object.
func refusalOf(answer *http.Response) error {
	refused := &refusal{code: answer.StatusCode, message: "the server answered " + answer.Status}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		refused.after = time.Duration(seconds) * time.Second
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxStatus))
	status := &metav1.Status{}
	if err == nil && json.Unmarshal(text, status) == nil && status.Message != "" {
		refused.message = output.OneLine(status.Message)
	}
	return refused
}
