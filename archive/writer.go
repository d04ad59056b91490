// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

const (
	// minLimit is the minimum limit in bytes.
	minLimit = 1 << 10
	// tailLength is how much of the end of the stored log Tail returns at least, in bytes.
	tailLength = 64 << 10
)

// ErrSealed means that the log is sealed, and takes no writes. Flush, too, may find that another writer has sealed the log.
var ErrSealed = errors.New("the log is complete, and takes no more lines")

// Limit is the limit of an attempt's log.
type Limit struct {
	// MaxBytes is the maximum size of the uncompressed stream. Half of it is for the beginning of the stream, and half for the
	// end, in whole chunks of at most a sixteenth of MaxBytes and at most 1 MiB. Zero or less means no limit. Less than 1 KiB
	// counts as 1 KiB.
	MaxBytes int64
}

// layout is where chunks begin and end. It depends only on the limit, so all writers of a stream have the same layout.
type layout struct {
	head  int64 // the end of the part that is never cut; negative without a limit
	tail  int64 // how much of the part after head stays
	chunk int64 // the maximum size of a chunk
}

func newLayout(limit Limit) layout {
	if limit.MaxBytes <= 0 {
		return layout{head: -1, chunk: chunkSize}
	}
	most := max(limit.MaxBytes, minLimit)
	return layout{head: most / 2, tail: most - most/2, chunk: min(most/16, chunkSize)}
}

// end of the chunk that begins at start.
func (l layout) end(start int64) int64 {
	if l.head < 0 || start < l.head {
		end := (start/l.chunk + 1) * l.chunk
		if l.head >= 0 {
			end = min(end, l.head)
		}
		return end
	}
	return l.head + ((start-l.head)/l.chunk+1)*l.chunk
}

// isCut reports whether a chunk is too old to stay in a stream of that length.
func (l layout) isCut(chunk span, length int64) bool {
	return l.head >= 0 && chunk.start >= l.head && chunk.start < length-l.tail && chunk.end < length
}

// Writer stores one attempt's stream while it is written. It is not safe for concurrent use, but several writers of the same
// stream do not conflict. It keeps at most one chunk in memory, and need not be closed.
type Writer struct {
	stored
	layout

	start   int64  // the offset of the chunk that grows
	buffer  []byte // its content
	durable int64  // the end of the stored log
	tails   []span // stored chunks that the limit may cut, in order
	garbage []span // stored chunks that are to be deleted
	summary *Summary
}

// Writer returns a writer that continues after the stored log of an attempt. Stored bytes do not change. If writers have
// different limits, the last limit counts.
func (s *Store) Writer(ctx context.Context, attempt Attempt, limit Limit) (*Writer, error) {
	stored, err := s.stored(attempt)
	if err != nil {
		return nil, err
	}
	w := &Writer{stored: stored, layout: newLayout(limit)}
	summary, err := w.readSeal(ctx)
	switch {
	case err != nil:
		return nil, err
	case summary != nil:
		w.finish(summary)
		return w, nil
	}
	return w, w.resume(ctx)
}

// resume finds the end of the stored log.
func (w *Writer) resume(ctx context.Context) error {
	all, _, err := w.list(ctx)
	if err != nil {
		return err
	}
	found := newSpans(slices.Clone(all))
	for _, chunk := range all {
		if i := found.at(chunk.end - 1); found[i] != chunk {
			w.garbage = append(w.garbage, chunk)
		}
	}
	w.durable, w.start = found.end(), found.end()
	if len(found) > 0 {
		if last := found[len(found)-1]; last.end < w.end(last.start) {
			content, err := w.get(ctx, last)
			if err != nil {
				return err
			}
			w.buffer = append(w.buffer, content...)
			w.start, found = last.start, found[:len(found)-1]
		}
	}
	w.compressed, w.content = nil, nil
	w.keep(found...)
	return nil
}

// keep remembers chunks that the limit may cut.
func (w *Writer) keep(chunks ...span) {
	for _, chunk := range chunks {
		if w.head >= 0 && chunk.start >= w.head {
			w.tails = append(w.tails, chunk)
		}
	}
}

// Offset is the end of the durably stored log.
func (w *Writer) Offset() int64 { return w.durable }

// Accepted is the end of the bytes that Write has taken, whether stored or not. It is never less than Offset.
func (w *Writer) Accepted() int64 { return w.start + int64(len(w.buffer)) }

// Sealed reports whether the log is sealed, so that it takes no writes.
func (w *Writer) Sealed() bool { return w.summary != nil }

// Tail reads the end of the stored log, up to Offset, to find its place in a stream. It returns at least the last 64 KiB, if
// so many are stored without a gap, and less than 2 MiB.
func (w *Writer) Tail(ctx context.Context) ([]byte, error) {
	found, err := w.spans(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { w.compressed, w.content = nil, nil }()
	var tail []byte
	for end := w.durable; end > 0 && len(tail) < tailLength; {
		i := found.at(end - 1)
		if i == len(found) || found[i].start >= end {
			break // the limit has cut the bytes before
		}
		content, err := w.get(ctx, found[i])
		if err != nil {
			return nil, err
		}
		tail = slices.Concat(content[:end-found[i].start], tail)
		end = found[i].start
	}
	return tail, nil
}

// Write takes p. It stores a full chunk when more bytes follow, and Flush stores the rest. After an error, a part of p may
// have been taken, up to Accepted. Taken bytes are not lost, and the next call tries to store them again.
func (w *Writer) Write(ctx context.Context, p []byte) error {
	if w.Sealed() {
		return fmt.Errorf("write the log of %s: %w", w.attempt, ErrSealed)
	}
	for len(p) > 0 {
		room := w.end(w.start) - w.Accepted()
		if room <= 0 {
			if err := w.store(ctx); err != nil {
				return err
			}
			continue
		}
		n := min(room, int64(len(p)))
		w.buffer = append(w.buffer, p[:n]...)
		p = p[n:]
	}
	return nil
}

// Flush makes all written bytes durable. After an error it may be called again.
func (w *Writer) Flush(ctx context.Context) error {
	if w.Sealed() {
		return nil
	}
	return w.store(ctx)
}

// store stores the growing chunk, and deletes chunks that are not needed any more. While these cannot be deleted, it stores
// no further chunk, because a store without permission to delete must not fill up.
func (w *Writer) store(ctx context.Context) error {
	if err := w.clean(ctx); err != nil {
		return err
	}
	if chunk := (span{w.start, w.Accepted()}); chunk.end > w.durable {
		if _, err := w.put(ctx, chunk, w.buffer); err != nil {
			return err
		}
		if w.durable > w.start {
			w.garbage = append(w.garbage, span{w.start, w.durable})
		}
		w.durable = chunk.end
	}
	w.roll()
	if err := w.cut(ctx); err != nil {
		return err
	}
	return w.clean(ctx)
}

// cut marks chunks over the limit as garbage, unless another writer has sealed the log with them.
func (w *Writer) cut(ctx context.Context) error {
	if len(w.tails) == 0 || !w.isCut(w.tails[0], w.durable) {
		return nil
	}
	summary, err := w.readSeal(ctx)
	if err != nil {
		return err
	}
	if summary != nil {
		w.finish(summary)
		return fmt.Errorf("write the log of %s: %w", w.attempt, ErrSealed)
	}
	for len(w.tails) > 0 && w.isCut(w.tails[0], w.durable) {
		w.garbage, w.tails = append(w.garbage, w.tails[0]), w.tails[1:]
	}
	return nil
}

// finish takes the state of a sealed log.
func (w *Writer) finish(summary *Summary) {
	w.summary = summary
	w.start, w.durable, w.buffer, w.tails, w.garbage = summary.Bytes, summary.Bytes, nil, nil, nil
}

// roll begins the next chunk if this one is full.
func (w *Writer) roll() {
	if w.Accepted() < w.end(w.start) {
		return
	}
	w.keep(span{w.start, w.durable})
	w.start, w.buffer = w.durable, w.buffer[:0]
}

// clean deletes garbage.
func (w *Writer) clean(ctx context.Context) error {
	for len(w.garbage) > 0 {
		if err := w.s.remove(ctx, w.prefix+w.garbage[0].name()); err != nil {
			return err
		}
		w.garbage = w.garbage[1:]
	}
	w.garbage = nil
	return nil
}
