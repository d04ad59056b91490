// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
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

// maxText is the maximum size of the text of a chunk that begins at a place of the text.
func (l layout) maxText(text int64) int64 {
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

// fanIn is how many stored pieces of a chunk are merged into one.
const fanIn = 8

// Writer stores one attempt's stream while it is written. It is not safe for concurrent use, but several writers of the same
// stream do not conflict. It keeps at most one chunk in memory, and need not be closed.
//
// Each Flush stores what is new as one object, a piece of the chunk that grows. fanIn pieces of a level are merged into a piece of
// the next level, and a full chunk into one object. So each byte is stored once for each level, and once more with the full
// chunk: of a chunk with n flushes, at most 2 + log8(n) times.
//
// The levels are for slow logs: at 50 bytes per second, a log of a day has 43,200 flushes, but is in at most 33 objects. With one compaction
// at the end instead, the log would be in 43,200 objects until then, and each reader and each restart of the writer would read them.
// BenchmarkRequests has the numbers.
type Writer struct {
	stored
	layout

	start   int64       // the offset of the chunk that grows
	text    int64       // where its text begins
	buffer  []byte      // its content
	count   textCounter // of its content
	pieces  []piece     // the stored parts of the chunk, in order
	last    span        // the last stored piece
	durable int64       // the end of the stored log
	tails   []span      // stored chunks that the limit may cut, in order
	garbage []string    // names of stored objects that are to be deleted
	cuts    []span      // bytes that the limit has cut, as cutMarks
	damaged bool        // resume found a chunk that is damaged or missing
	refused error       // why the last of them was not deleted
	summary *Summary
}

// piece is a stored part of a chunk. Its level tells how often it was merged.
type piece struct {
	span
	level int
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
	all, others, err := w.list(ctx)
	if err != nil {
		return err
	}
	found := newSpans(slices.Clone(all))
	for _, chunk := range all {
		if i := found.indexAt(chunk.end - 1); found[i] != chunk {
			w.garbage = append(w.garbage, chunk.name())
		}
	}
	w.cuts = parseCutMarks(others)
	w.damaged = found.withMissing(w.cuts).hasMissing()
	w.durable, w.start = found.end(), found.end()
	if len(found) > 0 {
		grows := w.growing(found)
		for i := grows; i < len(found); i++ {
			content, err := w.get(ctx, found[i])
			if errors.Is(err, ErrDamaged) { // its name tells what is lost, so it is not merged
				grows, w.damaged = i+1, true
				w.pieces, w.buffer, w.count, w.last = nil, nil, textCounter{}, found[i]
				w.start, w.text = found[i].end, found[i].textEnd
				continue
			}
			if err != nil {
				return err
			}
			w.grow(found[i], content)
		}
		found = found[:grows]
	}
	w.compressed, w.content = nil, nil
	w.keep(found...)
	return nil
}

// growing finds the first piece of the chunk that grows: all pieces from there would not fill a chunk.
func (w *Writer) growing(found spans) int {
	first := len(found) - 1
	for last := found[first]; first > 0; first-- {
		before := found[first-1]
		if before.end != found[first].start || last.end-before.start >= chunkSize-chunkSize/slack || last.textEnd-before.text >= w.maxText(before.text)-w.chunk/slack ||
			w.isHead(before.text) != w.isHead(last.text) {
			break
		}
	}
	return first
}

// grow continues with a stored piece.
func (w *Writer) grow(chunk span, content []byte) {
	if len(w.pieces) == 0 {
		w.start, w.text = chunk.start, chunk.text
	}
	w.pieces, w.last = append(w.pieces, piece{span: chunk}), chunk
	w.buffer = append(w.buffer, content...)
	w.count.add(content)
	if w.count.sum != chunk.textEnd-w.text && bytes.IndexByte(w.buffer, '\n') < 0 { // it begins within a line
		w.count = textCounter{inLine: true}
	}
	w.count.sum = chunk.textEnd - w.text
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
func (w *Writer) Text() int64 { return w.text + w.count.size() }

// Damaged reports whether a chunk that the writer continues was damaged, or a chunk was missing, when the writer was opened. Verify can
// store it again. The writer keeps its place in the log, and continues after it.
func (w *Writer) Damaged() bool { return w.damaged }

// Sealed reports whether the log is sealed, so that it takes no writes.
func (w *Writer) Sealed() bool { return w.summary != nil }

// Tail reads the end of the stored log, up to Offset, to find its place in a stream. It returns at least the last 64 KiB, if
// so many are stored without a gap, and less than 2 MiB. If the end is damaged, it returns what is stored before it.
func (w *Writer) Tail(ctx context.Context) ([]byte, error) {
	found, err := w.spans(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { w.compressed, w.content = nil, nil }()
	var tail []byte
	for end := w.durable; end > 0 && len(tail) < tailLength; {
		i := found.indexAt(end - 1)
		if i == len(found) || found[i].start >= end {
			break // the limit has cut the bytes before
		}
		content, err := w.get(ctx, found[i])
		if errors.Is(err, ErrDamaged) {
			if len(tail) > 0 {
				break
			}
			end = found[i].start
			continue
		}
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
			if err := w.store(ctx, true); err != nil {
				return err
			}
			w.beginChunk()
			continue
		}
		n := w.count.piece(p[:min(len(p), chunkSize-len(w.buffer))])
		if w.count.inLine {
			n = min(n, int(w.maxText(w.text)-w.count.sum))
		}
		w.buffer = append(w.buffer, p[:n]...)
		w.count.addPiece(p[:n])
		p = p[n:]
	}
	return nil
}

// isFull reports whether the next bytes begin another chunk.
func (w *Writer) isFull() bool {
	most := w.maxText(w.text)
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
	return w.store(ctx, false)
}

// LeftGarbage returns the number of objects that are not needed any more but could not be deleted, and the last error. The next
// Flush and Seal try again, and Sweep does once the log is sealed.
func (w *Writer) LeftGarbage() (int, error) { return len(w.garbage), w.refused }

// store stores what is not stored, and deletes objects that are not needed any more. If whole is true, the chunk is one object
// then. A failed deletion is no error: what is not deleted has a bounded size, and a log must not be lost for it.
func (w *Writer) store(ctx context.Context, whole bool) error {
	if merged, level := w.mergeFrom(whole); w.Accepted() > w.durable || whole && len(w.pieces)-merged > 1 {
		chunk := span{start: w.durable, end: w.Accepted(), text: w.last.textEnd, textEnd: w.text + w.count.sum}
		if len(w.pieces) == 0 {
			chunk.text = w.text
		}
		if merged < len(w.pieces) {
			chunk.start, chunk.text = w.pieces[merged].start, w.pieces[merged].text
		}
		chunk.textEnd = max(chunk.text, chunk.textEnd)
		if err := w.put(ctx, chunk, w.buffer[chunk.start-w.start:]); err != nil {
			return err
		}
		for _, p := range w.pieces[merged:] {
			w.garbage = append(w.garbage, p.name())
		}
		w.pieces = append(w.pieces[:merged], piece{span: chunk, level: level})
		w.last, w.durable = chunk, chunk.end
	}
	if err := w.dropOverLimit(ctx); err != nil {
		return err
	}
	w.clean(ctx)
	return nil
}

// mergeFrom returns the first piece that is stored again with the next, and the level of the result.
func (w *Writer) mergeFrom(whole bool) (first, level int) {
	if whole {
		return 0, 0
	}
	for first = len(w.pieces); first >= fanIn-1; level++ {
		for _, p := range w.pieces[first-(fanIn-1) : first] {
			if p.level != level {
				return first, level
			}
		}
		first -= fanIn - 1
	}
	return first, level
}

// dropOverLimit marks chunks over the limit as garbage, unless another writer has sealed the log with them.
func (w *Writer) dropOverLimit(ctx context.Context) error {
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
	n := 1
	for n < len(w.tails) && w.isCut(w.tails[n], w.last) {
		n++
	}
	if err := w.mark(ctx, span{start: w.tails[0].start, end: w.tails[n-1].end}); err != nil {
		return err
	}
	for _, chunk := range w.tails[:n] {
		w.garbage = append(w.garbage, chunk.name())
	}
	w.tails = w.tails[n:]
	return nil
}

// mark stores which bytes the limit cuts, before their chunks are deleted: other bytes that are missing are damage.
func (w *Writer) mark(ctx context.Context, cut span) error {
	var apart, covered []span
	for _, c := range w.cuts {
		if c.end < cut.start || cut.end < c.start {
			apart = append(apart, c)
			continue
		}
		covered = append(covered, c)
		cut.start, cut.end = min(cut.start, c.start), max(cut.end, c.end)
	}
	if slices.Contains(covered, cut) {
		return nil
	}
	if err := w.s.put(ctx, w.prefix+cutMark(cut), nil); err != nil {
		return err
	}
	for _, c := range covered {
		w.garbage = append(w.garbage, cutMark(c))
	}
	apart = append(apart, cut)
	w.cuts = apart
	return nil
}

// finish takes the state of a sealed log.
func (w *Writer) finish(summary *Summary) {
	w.pieces, w.refused = nil, nil
	w.summary = summary
	w.start, w.durable, w.buffer, w.tails, w.garbage = summary.Bytes, summary.Bytes, nil, nil, nil
	w.text, w.count = summary.spans().textEnd(), textCounter{}
}

// beginChunk begins the next chunk.
func (w *Writer) beginChunk() {
	w.keep(w.last)
	w.pieces = nil
	w.start, w.text, w.buffer = w.durable, w.last.textEnd, w.buffer[:0]
	w.count.sum = 0
}

// clean deletes garbage. After an error it tries another object the next time, because one alone may be locked.
func (w *Writer) clean(ctx context.Context) {
	for w.refused = nil; len(w.garbage) > 0; w.garbage = w.garbage[1:] {
		if w.refused = w.s.remove(ctx, w.prefix+w.garbage[0]); w.refused != nil {
			w.garbage = append(w.garbage[1:], w.garbage[0])
			return
		}
	}
	w.garbage = nil
}
