// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// skipped is how many bytes are read and dropped, because that is faster than another request.
const skipped = 64 << 10

// remote is a file whose content the API server keeps. It holds nothing on disk or in memory: reads that continue where the last one ended
// share one request, and others begin another.
type remote struct {
	*kept
	ctx context.Context //nolint:containedctx // of all requests, as long as the file is open

	mu     sync.Mutex
	stream io.ReadCloser // nil before the first read, and after one that failed
	at     int64         // where the stream is
	offset int64         // of Read
}

// Read implements io.Reader.
func (r *remote) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.readAt(p, r.offset)
	r.offset += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Seek implements io.Seeker.
func (r *remote) Seek(offset int64, whence int) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += r.offset
	case io.SeekEnd:
		offset += r.SizeBytes
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek in the %s: the offset %d is negative", r.content, offset)
	}
	r.offset = offset
	return offset, nil
}

// ReadAt implements io.ReaderAt.
func (r *remote) ReadAt(p []byte, at int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.readAt(p, at)
}

func (r *remote) readAt(p []byte, at int64) (int, error) {
	left := r.SizeBytes - at
	if at < 0 || left <= 0 {
		return 0, io.EOF
	}
	wanted := p[:min(int64(len(p)), left)]
	if err := r.seekTo(at); err != nil {
		return 0, r.explain(err)
	}
	n, err := io.ReadFull(r.stream, wanted)
	r.at += int64(n)
	if err != nil {
		r.drop()
		return n, r.explain(err)
	}
	if len(wanted) < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// seekTo brings the stream to an offset.
func (r *remote) seekTo(at int64) error {
	if r.stream != nil && r.at <= at && at-r.at <= skipped {
		n, err := io.CopyN(io.Discard, r.stream, at-r.at)
		r.at += n
		if err != nil {
			r.drop()
		}
		return err
	}
	r.drop()
	stream, err := r.open(r.ctx, at)
	if err == nil {
		r.stream, r.at = stream, at
	}
	return err
}

func (r *remote) explain(err error) error {
	if refused, ok := errors.AsType[*refusal](err); ok && refused.absent() {
		return fmt.Errorf("the server does not keep the %s: %w", r.content, err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // of a connection, and not the end of the content
		return fmt.Errorf("read the %s from the server: %v", r.content, err) //nolint:errorlint // so that nobody takes it for the end
	}
	return fmt.Errorf("read the %s from the server: %w", r.content, err)
}

func (r *remote) drop() {
	if r.stream != nil {
		_ = r.stream.Close() // was only read
		r.stream = nil
	}
}

// Close ends the present request.
func (r *remote) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop()
	return nil
}
