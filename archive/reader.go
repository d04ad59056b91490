// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Position is where a Reader begins: at the latest position of its fields. The zero value is the beginning of the log.
type Position struct {
	// Offset in the stream, in bytes. At the end and after it there is nothing to read.
	Offset int64
	// Since leaves out lines whose timestamp is before it, like pods/log. A line without a timestamp, or the rest of a line in
	// which Offset is, belongs to the previous line, and is left out if reading begins with it. If the clock of the node jumped
	// back, lines before the jump may be missing.
	Since time.Time
	// TailLines begins so many lines before the current end. Nil means all lines, and zero means none.
	TailLines *int64
}

// Reader reads an attempt's timestamped stream, as far as it is stored now. If the limit has cut the middle of the log, one
// line reports this:
//
//	<timestamp of the next line> [goldsmith: 123456 bytes of the log were dropped because of history.logMaxBytes]
//
// The number does not count timestamps. The limit cuts at the end of a line, unless the line is longer than an eighth of a
// chunk. Such a line ends before this line, and continues after it with the same timestamp.
//
// If chunks are damaged or lost, one line reports this:
//
//	<timestamp of the next line> [goldsmith: 123456 bytes of the log are missing here, because the archive has lost or damaged them]
//
// The log continues after it, and Read returns ErrDamaged at the end.
//
// Errors: ErrNotFound if the archive has no log of the attempt. The Reader keeps one chunk in memory, and ends with ctx.
func (s *Store) Reader(ctx context.Context, attempt Attempt, from Position) (*Reader, error) {
	return s.reader(ctx, attempt, nil, from, nil)
}

// Origin opens the stream from its beginning, where it was read for the archive.
type Origin func(ctx context.Context) (io.ReadCloser, error)

// SealedReader is Reader for a log whose Summary the caller has, so that it is not read again. Chunks that are damaged or lost are
// read from the origin, if the origin still has every byte of the archived log.
func (s *Store) SealedReader(ctx context.Context, attempt Attempt, summary *Summary, from Position, origin Origin) (*Reader, error) {
	return s.reader(ctx, attempt, summary, from, origin)
}

func (s *Store) reader(ctx context.Context, attempt Attempt, summary *Summary, from Position, origin Origin) (*Reader, error) {
	l, err := s.stored(attempt)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	r := &Reader{stored: l, ctx: ctx, begins: true, origin: origin}
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

// since selects lines by their time.
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
	origin  Origin   // nil if nobody else has the log
	proven  bool     // the origin has the log
	lacks   int64    // bytes of the text that are lost before offset, and not in untold yet
	untold  []string // what is missing before offset, and not in notice yet
	damage  error    // of the last lost chunk

	offset int64     // of the next bytes of raw, after notice
	notice []byte    // a line that is not in the stream: it reports a cut
	body   []byte    // the rest of the last chunk that was read
	begins bool      // a line probably begins with the next bytes of raw
	stamp  time.Time // the last timestamp that was read
}

// rawReader is a Reader before lines are selected.
type rawReader struct{ *Reader }

func (r rawReader) Read(p []byte) (int, error) { return r.raw(p) }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) { return r.out(p) }

// Offset is the offset in the stream once Read has returned io.EOF. An unsealed log continues there.
func (r *Reader) Offset() int64 { return r.offset }

// Summary is the Summary of the log, or nil if the Reader has not seen the seal. If it is set when Read returns io.EOF, the log is
// complete.
func (r *Reader) Summary() *Summary { return r.summary }

// Close implements io.Closer. No resource is open between two calls.
func (r *Reader) Close() error {
	r.out = func([]byte) (int, error) { return 0, errors.New("read a log that is closed") }
	r.body, r.notice, r.content, r.compressed = nil, nil, nil, nil
	return nil
}

// load reads the list of stored chunks and the seal.
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

// raw reads the stream, with lines that report cuts.
func (r *Reader) raw(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.notice) == 0 && len(r.body) == 0 {
		err := r.fill()
		if errors.Is(err, io.EOF) && r.damage != nil {
			err = r.damage
		}
		if err != nil {
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

// fill reads the next chunk. At the end of the known chunks, it lists them again.
func (r *Reader) fill() error {
	if r.summary == nil && r.spans.indexAt(r.offset) == len(r.spans) {
		if err := r.load(); err != nil {
			return err
		}
	}
	return r.listing(func() error {
		i := r.spans.indexAt(r.offset)
		if i == len(r.spans) {
			return io.EOF
		}
		return r.fillFrom(i)
	})
}

// listing runs f, and repeats it with a new list if a listed chunk was deleted meanwhile: a writer replaces chunks, and
// deletes chunks that the limit cuts.
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

// read reads a chunk from the archive or, if it is lost there, from the origin.
func (r *Reader) read(chunk span) ([]byte, error) {
	content, err := r.readStored(chunk)
	if r.origin == nil || !r.isLost(err) {
		return content, err
	}
	if !r.proven {
		if r.proven = r.isOrigin(); !r.proven {
			r.origin = nil
			return nil, err
		}
	}
	log, failed := r.origin(r.ctx)
	if failed != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // only read from
	if _, failed = io.CopyN(io.Discard, log, chunk.start); failed != nil {
		return nil, err
	}
	content = make([]byte, chunk.end-chunk.start)
	if _, failed = io.ReadFull(log, content); failed != nil {
		return nil, err
	}
	return content, nil
}

// readOrRepair reads a chunk and, if it is lost in the archive, stores it again from the origin. It keeps its name, so a crash leaves nothing to undo.
func (r *Reader) readOrRepair(chunk span) ([]byte, error) {
	content, err := r.readStored(chunk)
	if !r.isLost(err) {
		return content, err
	}
	if content, err = r.read(chunk); err != nil {
		return nil, err
	}
	chunk.missing = false
	if err := r.put(r.ctx, chunk, content); err != nil {
		return nil, err
	}
	return r.readStored(chunk)
}

// isOrigin reports whether the origin has every byte of the archived log that is not lost. A node may have cut the log meanwhile.
func (r *Reader) isOrigin() bool {
	log, err := r.origin(r.ctx)
	if err != nil {
		return false
	}
	defer func() { _ = log.Close() }() // only read from
	if r.summary != nil {
		return r.summary.isOf(log)
	}
	at := int64(0)
	for i, chunk := range r.spans {
		content, err := r.readStored(chunk)
		if r.isLost(err) {
			continue
		}
		if err != nil {
			return false
		}
		from := r.spans.from(i)
		if _, err := io.CopyN(io.Discard, log, from-at); err != nil {
			return false
		}
		found := make([]byte, chunk.end-from)
		if _, err := io.ReadFull(log, found); err != nil || !bytes.Equal(found, content[from-chunk.start:]) {
			return false
		}
		at = chunk.end
	}
	return true
}

// isLost reports whether an error means that a chunk cannot be read any more.
func (r *Reader) isLost(err error) bool {
	return errors.Is(err, ErrDamaged) || r.summary != nil && errors.Is(err, ErrNotFound)
}

// readStored reads a chunk from the archive. A sealed log does not change, but a writer that has not seen the seal may have replaced a chunk by a
// longer one.
func (r *Reader) readStored(chunk span) ([]byte, error) {
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
		i := found.indexAt(chunk.end - 1)
		if i == len(found) || found[i].start > chunk.start || found[i] == in {
			return nil, err
		}
		in = found[i]
	}
}

// fillFrom reads the chunk with the next byte or, if that byte was cut or lost, the first chunk after it.
func (r *Reader) fillFrom(i int) error {
	for ; i < len(r.spans); i++ {
		chunk := r.spans[i]
		content, err := r.read(chunk)
		if err != nil && !r.isLost(err) {
			return err
		}
		if chunk.start > r.offset {
			r.noteLoss()
			r.untold = append(r.untold, fmt.Sprintf("%d bytes of the log were dropped because of history.logMaxBytes", r.spans.missingBefore(i)))
			r.offset = chunk.start
		}
		if err != nil {
			r.lacks += chunk.textEnd - chunk.text
			r.damage = fmt.Errorf("read the log of %s: bytes %d to %d are missing: %w: %s", r.attempt, chunk.start, chunk.end, ErrDamaged, err.Error())
			r.offset = chunk.end
			continue
		}
		r.addNotices(content)
		if len(r.notice) > 0 {
			r.addStamp(content)
		}
		r.body = content[r.offset-chunk.start:]
		if t, ok := lastTimestamp(r.body, r.begins); ok {
			r.stamp = t
		}
		return nil
	}
	r.addNotices(nil)
	return nil
}

// noteLoss adds to untold that bytes are lost.
func (r *Reader) noteLoss() {
	if r.lacks > 0 {
		r.untold = append(r.untold, fmt.Sprintf("%d bytes of the log are missing here, because the archive has lost or damaged them", r.lacks))
	}
	r.lacks = 0
}

// addNotices adds the notices that bytes before content are missing. They end the line before.
func (r *Reader) addNotices(content []byte) {
	r.noteLoss()
	for _, missing := range r.untold {
		if !r.begins {
			r.notice = append(r.notice, '\n')
			r.begins = true
		}
		r.notice = fmt.Appendf(r.notice, "%s %s%s]\n", r.stampBefore(content), noticeBegin, missing)
	}
	r.untold = nil
}

// addStamp begins the line that continues with content after a notice.
func (r *Reader) addStamp(content []byte) {
	if _, at, ok := firstTimestamp(content, true); !ok || at > 0 {
		r.notice = fmt.Appendf(r.notice, "%s ", r.stampBefore(content))
	}
}

// stampBefore is the timestamp of a notice before content.
func (r *Reader) stampBefore(content []byte) string {
	stamp, _, ok := firstTimestamp(content, true)
	if !ok {
		stamp = r.stamp // the line is longer than the chunk
	}
	if stamp.IsZero() && r.summary != nil {
		stamp = r.summary.First
	}
	return stamp.UTC().Format(time.RFC3339Nano)
}
