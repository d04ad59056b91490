// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Position is where a Reader begins: at the latest of what is given. The zero value is the beginning.
type Position struct {
	// Offset in the stream, in bytes. At the end and after it there is nothing to read.
	Offset int64
	// Since leaves out lines whose timestamp is before it, as pods/log does. A line without a timestamp, or the rest of
	// one that Offset is in, belongs to the line before it, and is left out where reading begins with it. Where the
	// clock of the node jumped back, lines before the jump may be missed.
	Since time.Time
	// TailLines begins that many lines before the end, as it is now. Nil is all of them, zero is none.
	TailLines *int64
}

// Reader reads an attempt's timestamped stream, as far as it is stored now. Where the limit has cut the middle out, one
// line says so:
//
//	<timestamp of what follows> [goldsmith: 123456 bytes of the log are not kept: history.logMaxBytes]
//
// A line that the limit has cut in two ends before it, and goes on after it with the same timestamp as that line.
//
// It is ErrNotFound if the archive has nothing of the attempt. It holds one chunk in memory. ctx ends it. The value has
// a method Offset() int64 too: once Read has said io.EOF, it is where the stream goes on if it is not sealed.
func (s *Store) Reader(ctx context.Context, attempt Attempt, from Position) (io.ReadCloser, error) {
	l, err := s.stored(attempt)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	r := &reader{stored: l, ctx: ctx, begins: true}
	if err := r.load(); err != nil {
		return nil, err
	}
	if !r.sealed && len(r.spans) == 0 {
		return nil, fmt.Errorf("log archive: read %q: %w", l.prefix, ErrNotFound)
	}
	if err := r.listing(func() error { return r.seek(from) }); err != nil {
		return nil, err
	}
	r.out = r.raw
	if !from.Since.IsZero() {
		r.out = newLineReader(rawReader{r}, since(from.Since)).Read
	}
	return r, nil
}

// since chooses lines by their time.
func since(t time.Time) choice {
	chosen := false
	return func(of time.Time, stamped bool) (line, stamp bool) {
		if stamped {
			chosen = !of.Before(t)
		}
		return chosen, true
	}
}

// reader is a Reader.
type reader struct {
	stored
	ctx    context.Context
	out    func(p []byte) (int, error)
	spans  spans
	sealed bool

	offset int64     // of what raw gives next, after notice
	notice []byte    // what the stream does not have: that something was cut
	body   []byte    // what is left of the chunk that was read last
	begins bool      // as far as is known, a line begins with what raw gives next
	stamp  time.Time // the last one of the last chunk that had one
}

// rawReader is a reader before lines are chosen.
type rawReader struct{ *reader }

func (r rawReader) Read(p []byte) (int, error) { return r.raw(p) }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) { return r.out(p) }

// Offset in the stream of what comes next, once Read has said io.EOF.
func (r *reader) Offset() int64 { return r.offset }

// Close implements io.Closer. Nothing is open between two calls.
func (r *reader) Close() error {
	r.out = func([]byte) (int, error) { return 0, errors.New("read a log that is closed") }
	r.body, r.notice, r.content, r.compressed = nil, nil, nil, nil
	return nil
}

// load finds out what is stored now.
func (r *reader) load() error {
	summary, err := r.readSeal(r.ctx)
	if err != nil {
		return err
	}
	if summary != nil {
		r.sealed, r.spans = true, summary.spans()
		return nil
	}
	r.spans, err = r.stored.spans(r.ctx)
	return err
}

// raw reads the stream, with notices of what was cut.
func (r *reader) raw(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.notice) == 0 && len(r.body) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	if len(r.notice) > 0 {
		n := copy(p, r.notice)
		r.notice = r.notice[n:]
		return n, nil
	}
	n := copy(p, r.body)
	r.begins = r.body[n-1] == '\n'
	r.body, r.offset = r.body[n:], r.offset+int64(n)
	return n, nil
}

// fill reads the next chunk. What seems to be the end is looked for once more.
func (r *reader) fill() error {
	if !r.sealed && r.spans.at(r.offset) == len(r.spans) {
		if err := r.load(); err != nil {
			return err
		}
	}
	return r.listing(func() error {
		i := r.spans.at(r.offset)
		if i == len(r.spans) {
			return io.EOF
		}
		return r.fillFrom(r.spans[i])
	})
}

// listing runs f, and runs it again with a new list while a chunk of the last one is gone: a writer replaces chunks, and
// deletes those that the limit cuts.
func (r *reader) listing(f func() error) error {
	for {
		err := f()
		if r.sealed || !errors.Is(err, ErrNotFound) {
			return err
		}
		before := slices.Clone(r.spans)
		if err := r.load(); err != nil {
			return err
		}
		if !r.sealed && slices.Equal(before, r.spans) {
			return err
		}
	}
}

// read reads a chunk. What is sealed does not change, but a writer that does not know may have replaced it by a longer one.
func (r *reader) read(chunk span) ([]byte, error) {
	for in := chunk; ; {
		content, err := r.get(r.ctx, in)
		if err == nil {
			return content[chunk.start-in.start : chunk.end-in.start], nil
		}
		if !r.sealed || !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		found, listErr := r.stored.spans(r.ctx)
		if listErr != nil {
			return nil, listErr
		}
		i := found.at(chunk.end - 1)
		if i == len(found) || found[i].start > chunk.start || found[i] == in {
			return nil, err
		}
		in = found[i]
	}
}

// fillFrom reads a chunk that has the next byte, or else the first that is left after what was cut.
func (r *reader) fillFrom(chunk span) error {
	content, err := r.read(chunk)
	if err != nil {
		return err
	}
	if chunk.start > r.offset {
		r.setNotice(content, chunk.start-r.offset)
		r.offset = chunk.start
	}
	r.body = content[r.offset-chunk.start:]
	if t, ok := lastTimestamp(r.body, r.begins); ok {
		r.stamp = t
	}
	return nil
}

// setNotice says that bytes before content are not kept.
func (r *reader) setNotice(content []byte, bytes int64) {
	if !r.begins {
		r.notice = append(r.notice[:0], '\n')
	}
	stamp, at, ok := firstTimestamp(content, true)
	if !ok {
		stamp = r.stamp // the line is longer than the chunk
	}
	text := stamp.UTC().Format(time.RFC3339Nano)
	r.notice = fmt.Appendf(r.notice, "%s [goldsmith: %d bytes of the log are not kept: history.logMaxBytes]\n", text, bytes)
	if !ok || at > 0 {
		r.notice = fmt.Appendf(r.notice, "%s ", text)
	}
}
