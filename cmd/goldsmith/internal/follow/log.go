// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"context"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// chunkBytes is the maximum size of one read from a log.
const chunkBytes = 32 << 10

// maxStuck is how often a log is opened again without a further byte of it.
const maxStuck = 2

// attemptLog reads the log of one attempt to its end.
type attemptLog struct {
	*source
	options v1alpha1.ImageBuildLogOptions
	clock   clock.Clock
	chunks  chan<- []byte
	broken  chan<- error
	// sent counts the bytes of the log that were sent. The log of an attempt only grows, so a log that is opened again starts with
	// these bytes.
	sent int64
	// stuck counts how often the log, opened again, broke off at once where it had before.
	stuck int
}

// read returns once the whole log was sent. A log that ends without an error is complete. If a server stops and breaks the log off,
// read opens the log again. A log that always breaks off at the same place is damaged. read returns a goneError if the log is no longer kept.
func (l *attemptLog) read(ctx context.Context) error {
	for {
		err := l.copy(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			return nil
		case apierrors.IsGone(err):
			return &goneError{err}
		case !client.Temporary(err), l.stuck >= maxStuck, l.sent > 0 && l.options.TailLines != nil: // with TailLines, the number of lines added meanwhile is unknown
			return fmt.Errorf("read the log of build %s: %w", l.name, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case l.broken <- err:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.clock.After(client.RetryInterval):
		}
	}
}

// copy opens the log, and sends the bytes that were not sent before.
func (l *attemptLog) copy(ctx context.Context) (err error) {
	stream, err := l.log(l.options).Stream(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	if _, err := io.CopyN(io.Discard, stream, l.sent); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // the middle of a long log is not archived
		}
		return err
	}
	opened := l.clock.Now()
	l.stuck++
	for {
		chunk := make([]byte, chunkBytes)
		n, err := stream.Read(chunk)
		if n > 0 {
			l.stuck = 0
			select {
			case l.chunks <- chunk[:n]:
				l.sent += int64(n)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if l.clock.Since(opened) >= client.RetryInterval { // a silent log of a server that stops
				l.stuck = 0
			}
			return err
		}
	}
}

// goneError reports that the log of an attempt is no longer kept.
type goneError struct{ error }

// Unwrap returns the error from the server.
func (g *goneError) Unwrap() error { return g.error }
