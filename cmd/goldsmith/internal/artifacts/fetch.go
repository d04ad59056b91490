// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// bufferSize is how many bytes are read before they are written and hashed.
const bufferSize = 128 << 10

// source is where a content can be read from any offset.
type source interface {
	// open opens the content at an offset, which is not its end. The reader resumes after broken connections.
	open(ctx context.Context, at int64) (io.ReadCloser, error)
	// String returns the name of the source for people.
	fmt.Stringer
}

// fetch fetches one content from the first of its sources that has it.
type fetch struct {
	*content
	sources  []source
	progress *progress
	again    string // how the user gets the content back if the server has lost it
}

func newFetch(connection *client.Connection, wanted *content, o *options) (*fetch, error) {
	shown := &progress{out: o.stderr, style: o.style, clock: o.clock, task: "fetching " + wanted.String(), size: wanted.SizeBytes}
	sources, err := o.sourcesOf(connection, wanted, shown)
	if err != nil {
		return nil, err
	}
	if from := sources[0].String(); from != theServer {
		shown.place = "from " + from
	}
	return &fetch{content: wanted, sources: sources, progress: shown, again: o.again}, nil
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
		return f.explainFailure(err)
	}
	return f.verify(sum)
}

// explainFailure completes the error of a fetch. For a content that the server has lost, it has the user's next step.
func (f *fetch) explainFailure(err error) error {
	if refused, ok := errors.AsType[*refusal](err); ok && refused.code == http.StatusGone {
		return fmt.Errorf("the server has lost the %s: %s", f.content, f.again)
	}
	return fmt.Errorf("fetch the %s: %w", f.content, err)
}

// verify compares the digest of the fetched bytes.
func (f *fetch) verify(sum hash.Hash) error {
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != f.Digest {
		return fmt.Errorf("the fetched %s is damaged: its digest is %s, not %s", f.content, got, f.Digest)
	}
	return nil
}

// rest writes the content from an offset to its end. If a source does not have it, rest continues with the next source.
func (f *fetch) rest(ctx context.Context, out io.Writer, at int64) error {
	for len(f.sources) > 0 {
		got, err := f.writeFrom(ctx, f.sources[0], out, at)
		at += got
		refused, ok := errors.AsType[*refusal](err)
		if !ok || !refused.absent() || len(f.sources) == 1 {
			return err
		}
		f.sources = f.sources[1:]
		_ = f.progress.writeLine(fmt.Sprintf("%s the server does not keep the %s: fetching it from %s", f.progress.step(), f.content, f.sources[0]))
	}
	return nil
}

// writeFrom writes the content from an offset to its end, and returns how many bytes that is.
func (f *fetch) writeFrom(ctx context.Context, source source, out io.Writer, at int64) (int64, error) {
	left := f.SizeBytes - at
	if left == 0 {
		return 0, nil
	}
	body, err := source.open(ctx, at)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }() // was only read
	got, err := copyFull(f.progress.counting(out), io.LimitReader(body, left))
	if err == nil && got < left {
		err = io.ErrUnexpectedEOF
	}
	return got, err
}

// copyFull copies in pieces of bufferSize. An answer over HTTP/2 comes in much smaller pieces. The end of in is no error.
func copyFull(out io.Writer, in io.Reader) (written int64, err error) {
	buffer := make([]byte, bufferSize)
	for {
		n, failure := fill(buffer, in)
		if n > 0 {
			stored, err := out.Write(buffer[:n])
			if written += int64(stored); err != nil {
				return written, err
			}
		}
		switch failure {
		case nil:
		case io.EOF: //nolint:errorlint // a broken connection can be a wrapped io.EOF
			return written, nil
		default:
			return written, failure
		}
	}
}

// fill reads until the buffer is full. Unlike io.ReadFull it returns io.EOF at the end, even after some bytes.
func fill(buffer []byte, in io.Reader) (n int, err error) {
	for n < len(buffer) && err == nil {
		var got int
		got, err = in.Read(buffer[n:])
		n += got
	}
	return n, err
}
