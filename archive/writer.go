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
	// MaxBytes is the maximum size of the text: what the builder wrote, without timestamps. Half of it is for the beginning of the
	// log, and half for the end, in whole chunks of at most a sixteenth of MaxBytes. Zero or less means no limit. Less than 1 KiB
	// counts as 1 KiB.
	MaxBytes int64
}

// layout is where chunks begin and end. It depends only on the limit and the stream, so all writers of a stream have the same
// layout. Its sizes are of the text.
type layout struct {
	head  int64 // the maximum size of the part that is never cut; negative without a limit
	tail  int64 // how much of the part after head stays
	chunk int64 // the maximum size of a chunk
}

// slack is the fraction of a chunk in which the chunk ends at the next end of a line.
const slack = 8

func newLayout(limit Limit) layout {
	if limit.MaxBytes <= 0 {
		return layout{head: -1, chunk: chunkSize}
	}
	most := max(limit.MaxBytes, minLimit)
	return layout{head: most / 2, tail: most - most/2, chunk: min(most/16, chunkSize)}
}

// most is the maximum size of the text of a chunk that begins at a place of the text.
func (l layout) most(text int64) int64 {
	if l.isHead(text) {
		return min(l.chunk, l.head-text)
	}
	return l.chunk
}

// isHead reports whether the chunk that begins at a place of the text is never cut because of the limit.
func (l layout) isHead(text int64) bool { return l.head >= 0 && text < l.head-l.chunk/slack }

// isCut reports whether a chunk is too old to stay in a stream that ends with last.
func (l layout) isCut(chunk, last span) bool {
	return l.head >= 0 && !l.isHead(chunk.text) && chunk.text < last.textEnd-l.tail && chunk.end < last.end
}

// Writer stores one attempt's stream while it is written. It is not safe for concurrent use, but several writers of the same
// stream do not conflict. It keeps at most one chunk in memory, and need not be closed.
type Writer struct {
	stored
	layout

	start   int64       // the offset of the chunk that grows
	text    int64       // where its text begins
	buffer  []byte      // its content
	count   textCounter // of its content
	last    span        // the chunk that grows, as it is stored
	durable int64       // the end of the stored log
	tails   []span      // stored chunks that the limit may cut, in order
	garbage []span      // stored chunks that are to be deleted
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
		last := found[len(found)-1]
		content, err := w.get(ctx, last)
		if err != nil {
			return err
		}
		w.grow(last, content)
		found = found[:len(found)-1]
	}
	w.compressed, w.content = nil, nil
	w.keep(found...)
	return nil
}

// grow continues a stored chunk.
func (w *Writer) grow(chunk span, content []byte) {
	w.last, w.start, w.text = chunk, chunk.start, chunk.text
	w.buffer = append(w.buffer, content...)
	w.count.add(content)
	if !chunk.stamped && w.count.counted() != chunk.textEnd-chunk.text { // it begins within a line, with what looks like a timestamp
		w.count = textCounter{inLine: true}
		w.count.add(content)
	}
}

// keep remembers chunks that the limit may cut.
func (w *Writer) keep(chunks ...span) {
	for _, chunk := range chunks {
		if w.head >= 0 && !w.isHead(chunk.text) {
			w.tails = append(w.tails, chunk)
		}
	}
}

// Offset is the end of the durably stored log.
func (w *Writer) Offset() int64 { return w.durable }

// Accepted is the end of the bytes that Write has taken, whether stored or not. It is never less than Offset.
func (w *Writer) Accepted() int64 { return w.start + int64(len(w.buffer)) }

// Text is the size of the text up to Accepted: what the builder wrote, without timestamps.
func (w *Writer) Text() int64 { return w.text + w.count.counted() }

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
		if w.isFull() {
			if err := w.store(ctx); err != nil {
				return err
			}
			w.roll()
			continue
		}
		n := w.count.piece(p[:min(len(p), chunkSize-len(w.buffer))])
		if w.count.inLine {
			n = min(n, int(w.most(w.text)-w.count.sum))
		}
		w.buffer = append(w.buffer, p[:n]...)
		w.count.take(p[:n])
		p = p[n:]
	}
	return nil
}

// isFull reports whether the next bytes begin another chunk.
func (w *Writer) isFull() bool {
	most := w.most(w.text)
	if size := len(w.buffer); size == 0 || !w.count.atLineStart() {
		return size == chunkSize || w.count.inLine && w.count.sum >= most
	} else if size >= chunkSize-chunkSize/slack {
		return true
	}
	return w.count.sum >= most-w.chunk/slack
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
	chunk := span{start: w.start, end: w.Accepted(), text: w.text, textEnd: w.Text()}
	if chunk.end > w.durable {
		if _, err := w.put(ctx, chunk, w.buffer); err != nil {
			return err
		}
		if w.durable > w.start {
			w.garbage = append(w.garbage, w.last)
		}
		w.last, w.durable = chunk, chunk.end
	}
	if err := w.cut(ctx); err != nil {
		return err
	}
	return w.clean(ctx)
}

// cut marks chunks over the limit as garbage, unless another writer has sealed the log with them.
func (w *Writer) cut(ctx context.Context) error {
	if len(w.tails) == 0 || !w.isCut(w.tails[0], w.last) {
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
	for len(w.tails) > 0 && w.isCut(w.tails[0], w.last) {
		w.garbage, w.tails = append(w.garbage, w.tails[0]), w.tails[1:]
	}
	return nil
}

// finish takes the state of a sealed log.
func (w *Writer) finish(summary *Summary) {
	w.summary = summary
	w.start, w.durable, w.buffer, w.tails, w.garbage = summary.Bytes, summary.Bytes, nil, nil, nil
	w.text, w.count = summary.spans().textEnd(), textCounter{}
}

// roll begins the next chunk.
func (w *Writer) roll() {
	w.keep(w.last)
	w.start, w.text, w.buffer = w.durable, w.last.textEnd, w.buffer[:0]
	w.count.sum = 0
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
