// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	// theServer is the name of the API server for people.
	theServer = "the server"
	// maxFailures is how many requests in a row may get no byte before a fetch ends.
	maxFailures = 6
	// firstWait and maxWait bound the time between two requests, which doubles.
	firstWait, maxWait = 500 * time.Millisecond, 10 * time.Second
	// maxStatus is how many bytes of a refusal are read.
	maxStatus = 64 << 10
)

// kept is a content that the API server keeps.
type kept struct {
	*content
	http    *http.Client
	address string
	clock   clock.Clock
	// interrupted is called before a request is repeated from an offset.
	interrupted func(err error, at int64)
}

func newKept(connection *client.Connection, wanted *content, clock clock.Clock, interrupted func(error, int64)) (*kept, error) {
	plain, err := rest.HTTPClientFor(connection.Config)
	if err != nil {
		return nil, fmt.Errorf("create a client: %w", err)
	}
	address := connection.ImagesV1alpha1().RESTClient().Get().Namespace(wanted.namespace).Resource("imagebuilds").Name(wanted.build).
		SubResource("artifacts", wanted.Digest).URL()
	return &kept{content: wanted, http: plain, address: address.String(), clock: clock, interrupted: interrupted}, nil
}

// String implements source.
func (*kept) String() string { return theServer }

// open implements source.
func (k *kept) open(ctx context.Context, at int64) (io.ReadCloser, error) {
	s := &stream{kept: k, ctx: ctx, at: at, wait: firstWait}
	if err := s.connect(); err != nil {
		return nil, err
	}
	return s, nil
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

// absent reports whether the server has no such content, so that another source may have it.
func (r *refusal) absent() bool {
	return r.code == http.StatusNotFound || r.code == http.StatusGone
}

// passes reports whether a later request can get another answer.
func (r *refusal) passes() bool {
	return r.code == http.StatusRequestTimeout || r.code == http.StatusTooManyRequests || r.code >= http.StatusInternalServerError
}

// stream reads a content from an offset to its end. If a request breaks off, the stream continues with the next request, as long as
// some requests get bytes. Each request has the client's present credentials.
type stream struct {
	*kept
	ctx context.Context //nolint:containedctx // of all requests, as long as the stream is open
	at  int64
	// body is of the present request. It is nil before the first request, and after one that broke off.
	body   io.ReadCloser
	broken error // why the last request broke off

	failures     int // requests in a row that got nothing
	unauthorized bool
	wait         time.Duration // before the next request
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	for s.at < s.SizeBytes && len(p) > 0 {
		if s.broken != nil {
			if err := s.recover(s.broken); err != nil {
				return 0, err
			}
			s.broken = nil
		}
		if s.body == nil {
			if err := s.connect(); err != nil {
				return 0, err
			}
		}
		n, err := s.body.Read(p[:min(int64(len(p)), s.SizeBytes-s.at)])
		s.at += int64(n)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			_ = s.Close() // it is broken
			s.body, s.broken = nil, err
		}
		if n > 0 {
			s.failures, s.unauthorized, s.wait = 0, false, firstWait
			return n, nil
		}
	}
	if len(p) == 0 {
		return 0, nil
	}
	return 0, io.EOF
}

// Close ends the present request.
func (s *stream) Close() error {
	if s.body == nil {
		return nil
	}
	return s.body.Close()
}

// connect sends requests until one is answered with the content from the offset.
func (s *stream) connect() (err error) {
	for {
		if s.body, err = s.request(s.ctx, s.at); err == nil {
			return nil
		}
		if err := s.recover(err); err != nil {
			return err
		}
	}
}

// recover waits until another request may help. It returns an error if none can.
func (s *stream) recover(err error) error {
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	again := s.wait
	refused, ok := errors.AsType[*refusal](err)
	switch {
	case ok && refused.code == http.StatusUnauthorized && !s.unauthorized:
		s.unauthorized, again = true, 0 // the client has dropped the credentials, and reads them again
	case ok && !refused.passes():
		return err
	default:
		if s.failures++; s.failures == maxFailures {
			return fmt.Errorf("%d requests in a row got nothing: %w", s.failures, err)
		}
		s.wait = min(2*s.wait, maxWait)
		if ok {
			again = max(again, min(refused.after, maxWait))
		}
	}
	s.interrupted(err, s.at)
	return s.pause(again)
}

func (s *stream) pause(duration time.Duration) error {
	if duration == 0 {
		return nil
	}
	timer := s.clock.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// request asks for the content from an offset.
func (k *kept) request(ctx context.Context, at int64) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "*/*")
	request.Header.Set("Accept-Encoding", "identity")
	if at > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
		request.Header.Set("If-Range", `"`+k.Digest+`"`)
	}
	answer, err := k.http.Do(request)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the long address
	}
	if err != nil {
		return nil, err
	}
	switch {
	case answer.StatusCode == http.StatusOK && at > 0: // a proxy dropped the header Range
		if _, err = io.CopyN(io.Discard, answer.Body, at); err != nil {
			err = fmt.Errorf("skip the bytes that were fetched before: %w", err)
		}
	case answer.StatusCode == http.StatusOK:
	case answer.StatusCode == http.StatusPartialContent && strings.HasPrefix(answer.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", at)):
	case answer.StatusCode == http.StatusPartialContent:
		err = &refusal{code: answer.StatusCode, message: fmt.Sprintf("the server answered other bytes (%s) than those from %d", output.OneLine(answer.Header.Get("Content-Range")), at)}
	default:
		err = refusalOf(answer)
	}
	if err != nil {
		_ = answer.Body.Close() // was only read
		return nil, err
	}
	return answer.Body, nil
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
