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
// It is ErrNotFound if the archive has nothing of the attempt. It holds one chunk in memory. ctx ends it.
func (s *Store) Reader(ctx context.Context, attempt Attempt, from Position) (*Reader, error) {
	return s.reader(ctx, attempt, nil, from)
}

// SealedReader reads as Reader does a log whose Summary the caller has: it is not read again.
func (s *Store) SealedReader(ctx context.Context, attempt Attempt, summary *Summary, from Position) (*Reader, error) {
	return s.reader(ctx, attempt, summary, from)
}

func (s *Store) reader(ctx context.Context, attempt Attempt, summary *Summary, from Position) (*Reader, error) {
	l, err := s.stored(attempt)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	r := &Reader{stored: l, ctx: ctx, begins: true}
	if summary != nil {
		r.seal(summary)
	} else if err := r.load(); err != nil {
		return nil, err
	}
	if r.summary == nil && len(r.spans) == 0 {
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

// Reader reads a log. It is for one goroutine at a time.
type Reader struct {
	stored
	ctx     context.Context
	out     func(p []byte) (int, error)
	spans   spans
	summary *Summary // nil until it is sealed

	offset int64     // of what raw gives next, after notice
	notice []byte    // what the stream does not have: that something was cut
	body   []byte    // what is left of the chunk that was read last
	begins bool      // as far as is known, a line begins with what raw gives next
	stamp  time.Time // the last one of the last chunk that had one
}

// rawReader is a reader before lines are chosen.
type rawReader struct{ *Reader }

func (r rawReader) Read(p []byte) (int, error) { return r.raw(p) }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) { return r.out(p) }

// Offset in the stream, once Read has said io.EOF: where it goes on if the log is not sealed.
func (r *Reader) Offset() int64 { return r.offset }

// Summary of the log, as far as the Reader has seen; nil if it has not seen it sealed. If it is there when Read says io.EOF,
// nothing comes after that.
func (r *Reader) Summary() *Summary { return r.summary }

// Close implements io.Closer. Nothing is open between two calls.
func (r *Reader) Close() error {
	r.out = func([]byte) (int, error) { return 0, errors.New("read a log that is closed") }
	r.body, r.notice, r.content, r.compressed = nil, nil, nil, nil
	return nil
}

// load finds out what is stored now.
func (r *Reader) load() error {
	summary, err := r.readSeal(r.ctx)
	if err != nil {
		return err
	}
	if summary != nil {
		r.seal(summary)
		return nil
	}
	r.spans, err = r.stored.spans(r.ctx)
	return err
}

func (r *Reader) seal(summary *Summary) { r.summary, r.spans = summary, summary.spans() }

// raw reads the stream, with notices of what was cut.
func (r *Reader) raw(p []byte) (int, error) {
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
func (r *Reader) fill() error {
	if r.summary == nil && r.spans.at(r.offset) == len(r.spans) {
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
func (r *Reader) listing(f func() error) error {
	for {
		err := f()
		if r.summary != nil || !errors.Is(err, ErrNotFound) {
			return err
		}
		before := slices.Clone(r.spans)
		if err := r.load(); err != nil {
			return err
		}
		if r.summary == nil && slices.Equal(before, r.spans) {
			return err
		}
	}
}

// read reads a chunk. What is sealed does not change, but a writer that does not know may have replaced it by a longer one.
func (r *Reader) read(chunk span) ([]byte, error) {
	for in := chunk; ; {
		content, err := r.get(r.ctx, in)
		if err == nil {
			return content[chunk.start-in.start : chunk.end-in.start], nil
		}
		if r.summary == nil || !errors.Is(err, ErrNotFound) {
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
func (r *Reader) fillFrom(chunk span) error {
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
func (r *Reader) setNotice(content []byte, bytes int64) {
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
