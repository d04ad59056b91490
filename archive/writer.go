// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

const (
	// minLimit is the least that a limit can be, in bytes.
	minLimit = 1 << 10
	// tailLength is how much of the end of what is stored Tail gives at least, in bytes.
	tailLength = 64 << 10
)

// ErrSealed is what a sealed log answers to a Write. Flush too may find out that another writer has sealed it.
var ErrSealed = errors.New("the log is sealed")

// Limit of what is kept of an attempt's log.
type Limit struct {
	// MaxBytes of the stream, uncompressed: its first half stays, and of what follows the last half, in whole chunks,
	// each up to a sixteenth of MaxBytes and at most 1 MiB long. Zero and less is without a limit; less than 1 KiB
	// counts as 1 KiB.
	MaxBytes int64
}

// layout is where chunks begin and end. It depends on the limit alone, so that all writers of a stream have the same.
type layout struct {
	head  int64 // the end of what always stays; negative without a limit
	tail  int64 // how much of what follows stays
	chunk int64 // the longest chunk
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

// Writer stores one attempt's stream as it comes. It is not safe for concurrent use. Several writers of the same
// stream do each other no harm. It holds at most one chunk in memory, and there is nothing to close.
type Writer struct {
	stored
	layout

	start   int64  // the offset of the chunk that grows
	buffer  []byte // its content
	durable int64  // the end of what is stored
	tails   []span // stored chunks that the limit may cut, in order
	garbage []span // stored chunks that are to be deleted
	summary *Summary
}

// Writer goes on after what is stored of an attempt. What was stored stays as it is; of limits the last counts.
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

// resume finds what is stored.
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

// Offset is the end of what is stored, durably.
func (w *Writer) Offset() int64 { return w.durable }

// Accepted is the end of what Write has taken, stored or not. It is never less than Offset.
func (w *Writer) Accepted() int64 { return w.start + int64(len(w.buffer)) }

// Sealed reports whether the log is whole: nothing can be written to it.
func (w *Writer) Sealed() bool { return w.summary != nil }

// Tail reads the end of what is stored, up to Offset, to find the place in a stream again: at least the last 64 KiB,
// if there are that many in one piece, and less than 2 MiB.
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
			break // the limit has cut what was there
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

// Write takes p. It stores a chunk when it is full and more comes; Flush stores the rest. After an error a part of p
// may have been taken: Accepted says up to where. What was taken is not lost, and the next call tries to store it again.
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

// Flush makes all that was written durable. After an error it may be called again.
func (w *Writer) Flush(ctx context.Context) error {
	if w.Sealed() {
		return nil
	}
	return w.store(ctx)
}

// store puts the chunk that grows, and deletes what is not needed any more. While that cannot be deleted nothing more is
// put: a store that lets nobody delete must not be filled.
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

// cut makes garbage of what the limit does not keep, unless another writer has sealed the log with it.
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

// finish leaves it at what is sealed.
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
