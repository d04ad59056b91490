// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Seal is the writer's knowledge about the end of a log.
type Seal struct {
	// InPart is whether the end of the log, or a part of it, could not be read because the pod or the node was lost.
	InPart bool
	// Why is why the log is incomplete, for people. It is empty if the log is complete.
	Why string
	// Gone is whether nobody can read the rest of the log any more, because its builder replaced or removed it.
	Gone bool
	// Origin has the log, if it is not nil. Chunks that are damaged or lost are stored again from it, as by Verify.
	Origin Origin
}

// Summary of a sealed log.
type Summary struct {
	// Bytes of the whole timestamped stream, including cut bytes.
	Bytes int64 `json:"bytes"`
	// Cut is the number of bytes that are not kept because of the limit.
	Cut int64 `json:"cut,omitempty"`
	// CutText is Cut without timestamps.
	CutText int64 `json:"cutText,omitempty"`
	// Stored is the compressed size of the chunks in the store.
	Stored int64 `json:"stored"`
	// First and Last are the timestamps of the first and the last kept line with a timestamp. They are zero if no line has one.
	// The clock of a node may jump, so Last can be before First.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Digest of the kept bytes, in order: sha256:<hex>. It is empty if chunks were damaged or lost when the log was sealed.
	Digest string `json:"digest"`
	// InPart and Why are from the Seal, and from what is missing in the middle: bytes that the limit cut, and bytes whose loss a line
	// reports.
	InPart bool   `json:"inPart,omitempty"`
	Why    string `json:"why,omitempty"`
	// Gone is from the Seal, for a log without any byte. Readers get Why as an error instead of an empty log.
	Gone bool `json:"gone,omitempty"`
	// Sealed is when the log was sealed.
	Sealed time.Time `json:"sealed"`
	// Chunks are the kept chunks, in order. A gap between two chunks was cut.
	Chunks []Chunk `json:"chunks,omitempty"`
}

// Chunk is one object of a log, with the bytes [Start, End) of the stream. It begins at the end of the previous chunk, or
// after a gap. If two chunks overlap, the bytes of the first count.
type Chunk struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	// Text is the same range without timestamps.
	Text TextRange `json:"text"`
}

// TextRange is a range of a log's bytes without timestamps.
type TextRange struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// Summary returns the Summary of an attempt's log. It is nil if the log is not sealed, or if the seal is damaged.
func (s *Store) Summary(ctx context.Context, attempt Attempt) (*Summary, error) {
	l, err := s.stored(attempt)
	if err != nil {
		return nil, err
	}
	return l.readSeal(ctx)
}

// readSeal reads seal.json. It returns nil if seal.json does not exist or is damaged. Then the log counts as not sealed: its chunks are
// read, and it is sealed again.
func (l *stored) readSeal(ctx context.Context) (*Summary, error) {
	var summary Summary
	err := l.s.getJSON(ctx, l.prefix+sealName, &summary)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) || err == nil && !summary.isSound() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &summary, nil
}

// isSound reports whether the chunks are plausible: a wrong digit in the range of a chunk would drop bytes without a word.
func (s *Summary) isSound() bool {
	chunks, cut := s.spans(), int64(0)
	for i, chunk := range chunks {
		cut += chunks.gap(i)
		if !chunk.isSound() || chunk.end <= chunks[:i].end() || i > 0 && chunk.start <= chunks[i-1].start {
			return false
		}
	}
	return s.Bytes == chunks.end() && s.Cut == cut
}

// Seal flushes the log, reads it back, and marks it as complete. Chunks that are damaged or lost stay in the Summary, so that a Reader tells
// what is missing. Then it deletes garbage: see LeftGarbage. A log is sealed once: if
// it is sealed already, Seal returns the existing Summary. After an error, Seal may be called again.
func (w *Writer) Seal(ctx context.Context, seal Seal) (Summary, error) {
	summary, err := w.readSeal(ctx) // another writer may have been faster
	if err != nil {
		return Summary{}, err
	}
	if summary == nil {
		if summary, err = w.writeSeal(ctx, seal); err != nil {
			return Summary{}, err
		}
	}
	w.finish(summary)
	w.refused = w.sweep(ctx)
	return *summary, nil
}

// writeSeal flushes, reads back and writes the Summary.
func (w *Writer) writeSeal(ctx context.Context, seal Seal) (*Summary, error) {
	if err := w.store(ctx, true); err != nil {
		return nil, err
	}
	found, err := w.spans(ctx)
	if err != nil {
		return nil, err
	}
	if found.end() < w.durable {
		return nil, fmt.Errorf("complete the log of %s: the store has %d bytes, but %d bytes were written", w.attempt, found.end(), w.durable)
	}
	// A slower writer may write bytes that are cut already.
	if len(found) > 0 {
		last := found[len(found)-1]
		found = slices.DeleteFunc(found, func(chunk span) bool { return w.isCut(chunk, last) })
	}
	summary := &Summary{}
	if err := w.readBack(ctx, found, seal, summary); err != nil {
		return nil, err
	}
	summary.Sealed = w.s.clock.Now().UTC()
	return summary, w.s.putJSON(ctx, w.prefix+sealName, summary)
}

// readBack reads all chunks, and summarizes them.
func (w *Writer) readBack(ctx context.Context, found spans, seal Seal, summary *Summary) error {
	r := &Reader{stored: stored{s: w.s, attempt: w.attempt, prefix: w.prefix}, ctx: ctx, spans: found, origin: seal.Origin}
	digest, lost := sha256.New(), false
	var seen stamps
	var missing notices
	for i, chunk := range found {
		from := found.from(i)
		content, err := r.readOrRepair(chunk)
		switch {
		case r.isLost(err):
			lost = true
		case err != nil:
			return err
		default:
			content = content[from-chunk.start:]
			digest.Write(content)
			seen.add(content)
			missing.add(content)
			summary.Stored += int64(len(r.compressed))
		}
		summary.Cut += from - summary.Bytes
		summary.CutText += found.missingBefore(i)
		summary.Bytes = chunk.end
		summary.Chunks = append(summary.Chunks, Chunk{Start: chunk.start, End: chunk.end, Text: TextRange{Start: chunk.text, End: chunk.textEnd}})
	}
	summary.First, summary.Last = seen.first, seen.last
	summary.Why = missing.cause(seal, summary.CutText)
	summary.InPart = seal.InPart || summary.Why != seal.Why
	summary.Gone = seal.Gone && summary.Bytes == 0
	if !lost {
		summary.Digest = digestPrefix + hex.EncodeToString(digest.Sum(nil))
	}
	return nil
}

// sweep deletes objects that do not belong to the sealed log. It keeps cut marks, for readers of a log whose seal is lost.
func (w *Writer) sweep(ctx context.Context) error {
	chunks, others, err := w.list(ctx)
	if err != nil {
		return err
	}
	sealed := w.summary.spans()
	for _, chunk := range chunks {
		if !sealed.isWithin(chunk) { // else it belongs to the log, or another writer is about to replace a chunk of the log by it
			others = append(others, chunk.name())
		}
	}
	var failures []error
	w.garbage = nil
	for _, name := range others {
		if _, isCut := parseCutMark(name); isCut || name == sealName {
			continue
		}
		if err := w.s.remove(ctx, w.prefix+name); err != nil {
			w.garbage, failures = append(w.garbage, name), append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// isOf reports whether a stream has every byte of the sealed log, at the same place.
func (s *Summary) isOf(stream io.Reader) bool {
	digest := sha256.New()
	chunks, at := s.spans(), int64(0)
	for i, chunk := range chunks {
		from := chunks.from(i)
		if _, err := io.CopyN(io.Discard, stream, from-at); err != nil {
			return false
		}
		if _, err := io.CopyN(digest, stream, chunk.end-from); err != nil {
			return false
		}
		at = chunk.end
	}
	return s.Digest == digestPrefix+hex.EncodeToString(digest.Sum(nil))
}

// digestPrefix of a Summary's Digest names its algorithm.
const digestPrefix = "sha256:"

// spans of a sealed log.
func (s *Summary) spans() spans {
	kept := make(spans, 0, len(s.Chunks))
	for _, chunk := range s.Chunks {
		kept = append(kept, span{start: chunk.Start, end: chunk.End, text: chunk.Text.Start, textEnd: chunk.Text.End})
	}
	return kept
}

// sumField begins the last field of a JSON object: the SHA-256 of what comes before it.
const sumField = `,"sum":"`

// sumOf is the rest of a JSON object that begins with body.
func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]) + `"}`
}

// getJSON reads a JSON object.
func (s *Store) getJSON(ctx context.Context, key string, value any) error {
	content, err := s.get(ctx, key, nil)
	if err != nil {
		return err
	}
	if body, sum, _ := bytes.Cut(content, []byte(sumField)); string(sum) != sumOf(body) {
		return fmt.Errorf("log archive: read %q: %w: its checksum differs", key, ErrDamaged)
	}
	if err := json.Unmarshal(content, value); err != nil {
		return fmt.Errorf("log archive: read %q: %w: %w", key, ErrDamaged, err)
	}
	return nil
}

// putJSON writes a JSON object.
func (s *Store) putJSON(ctx context.Context, key string, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("log archive: write %q: %w", key, err)
	}
	body := bytes.TrimSuffix(content, []byte("}"))
	return s.put(ctx, key, []byte(string(body)+sumField+sumOf(body)))
}
