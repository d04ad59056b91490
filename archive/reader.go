// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Position is where a Reader begins: at the latest of what is given. The zero value is the beginning.
type Position struct {
	// Offset in the stream, in bytes. At the end and after it there is nothing to read.
	Offset int64
	// Since leaves out lines whose timestamp is before it, as pods/log does. A line without a timestamp belongs to the
	// line before it. Where the clock of the node jumped back, lines before the jump may be missed.
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
	r := &reader{stored: l, ctx: ctx}
	if err := r.load(); err != nil {
		return nil, err
	}
	if !r.sealed && len(r.spans) == 0 {
		return nil, fmt.Errorf("log archive: read %q: %w", l.prefix, ErrNotFound)
	}
	if err := r.seek(from); err != nil {
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

	offset int64  // of what raw gives next, after notice
	notice []byte // what the stream does not have: that something was cut
	body   []byte // what is left of the chunk that was read last
	// last is the last byte that raw gave, and stamp the last timestamp of the last chunk that had one.
	last  byte
	stamp time.Time
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
	r.body, r.notice, r.stored.content, r.stored.compressed = nil, nil, nil, nil
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
	r.body, r.offset, r.last = r.body[n:], r.offset+int64(n), r.body[n-1]
	return n, nil
}

// fill reads the next chunk. A list of a store that is written to is no snapshot: what is missing in one list is looked
// for in a second one before it is believed.
func (r *reader) fill() error {
	for again := false; ; again = true {
		i := r.spans.at(r.offset)
		if i < len(r.spans) && (r.spans[i].start <= r.offset || r.sealed || again) {
			err := r.fillFrom(r.spans[i])
			if err == nil || !errors.Is(err, ErrNotFound) || again {
				return err
			}
		} else if r.sealed || again {
			return io.EOF
		}
		if err := r.reload(); err != nil {
			return err
		}
	}
}

// reload looks for what has changed: the log goes on, a chunk has grown, or its beginning was cut.
func (r *reader) reload() error {
	if !r.sealed {
		return r.load()
	}
	// What is sealed does not change, but a writer that does not know may have replaced the last chunk by a longer one.
	found, err := r.stored.spans(r.ctx)
	if err != nil {
		return err
	}
	for i, chunk := range r.spans {
		if j := found.at(chunk.start); j < len(found) && found[j].start <= chunk.start && found[j].end >= chunk.end {
			r.spans[i] = found[j]
		}
	}
	return nil
}

// fillFrom reads a chunk that has the next byte, or else the first that is left after what was cut.
func (r *reader) fillFrom(chunk span) error {
	content, err := r.get(r.ctx, chunk)
	if err != nil {
		return err
	}
	if chunk.start > r.offset {
		r.setNotice(content, chunk.start-r.offset)
		r.offset = chunk.start
	}
	r.body = content[r.offset-chunk.start:]
	if t, ok := lastTimestamp(r.body, r.last == '\n'); ok {
		r.stamp = t
	}
	return nil
}

// setNotice says that bytes before content are not kept.
func (r *reader) setNotice(content []byte, bytes int64) {
	if r.last != '\n' && r.last != 0 {
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

