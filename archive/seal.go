// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Seal is what the writer knows of the end of a log.
type Seal struct {
	// InPart says that the end of the log, or a piece of it, could not be read: the pod or the node was gone. What
	// the limit cut does not count.
	InPart bool
	// Why says why, for people. Empty if it is whole.
	Why string
}

// Summary of a sealed log.
type Summary struct {
	// Bytes of the whole timestamped stream, with what was cut.
	Bytes int64 `json:"bytes"`
	// Cut is how many of them are not kept, for the limit.
	Cut int64 `json:"cut,omitempty"`
	// Stored is how many bytes the chunks take in the store, compressed.
	Stored int64 `json:"stored"`
	// First and Last are the timestamps of the first and of the last line that is kept and has one. Zero if none has.
	// The clock of a node may jump: Last can be before First.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Digest of what is kept, in order: sha256:<hex>.
	Digest string `json:"digest"`
	// InPart and Why are the Seal's.
	InPart bool   `json:"inPart,omitempty"`
	Why    string `json:"why,omitempty"`
	// Sealed is when.
	Sealed time.Time `json:"sealed"`
	// Chunks are what is kept, in order. A gap between two is what was cut.
	Chunks []Chunk `json:"chunks,omitempty"`
}

// Chunk is one object of a log, with the bytes [Start, End) of the stream. It begins where the one before it ends, or
// after a gap; where two have the same bytes, those of the first count.
type Chunk struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// Summary of an attempt's log; nil while it is not sealed.
func (s *Store) Summary(ctx context.Context, attempt Attempt) (*Summary, error) {
	l, err := s.stored(attempt)
	if err != nil {
		return nil, err
	}
	return l.readSeal(ctx)
}

// readSeal reads seal.json; nil if there is none.
func (l *stored) readSeal(ctx context.Context) (*Summary, error) {
	var summary Summary
	err := l.s.getJSON(ctx, l.prefix+sealName, &summary)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err == nil && !summary.isSound() {
		err = fmt.Errorf("log archive: read %q: it is damaged", l.prefix+sealName)
	}
	if err != nil {
		return nil, err
	}
	return &summary, nil
}

// isSound reports whether the chunks can be.
func (s *Summary) isSound() bool {
	chunks := s.spans()
	for i, chunk := range chunks {
		if same, ok := parseSpan(chunk.name()); !ok || same != chunk || chunk.end <= chunks[:i].end() || i > 0 && chunk.start <= chunks[i-1].start {
			return false
		}
	}
	return s.Bytes == chunks.end()
}

// Seal makes what was written durable, reads all of it back, and says that the log is whole; then it deletes garbage.
// A log is sealed once: what is sealed already stays, and its Summary is the answer. After an error it may be called again.
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
	return *summary, w.sweep(ctx)
}

// writeSeal flushes, reads back and writes the Summary.
func (w *Writer) writeSeal(ctx context.Context, seal Seal) (*Summary, error) {
	if err := w.Flush(ctx); err != nil {
		return nil, err
	}
	found, err := w.spans(ctx)
	if err != nil {
		return nil, err
	}
	if found.end() < w.durable {
		return nil, fmt.Errorf("seal the log of %s: it ends at %d in the store, and %d bytes were written", w.attempt, found.end(), w.durable)
	}
	// Another writer may be late, and write what is cut already.
	found = slices.DeleteFunc(found, func(chunk span) bool { return w.isCut(chunk, found.end()) })
	summary := &Summary{InPart: seal.InPart, Why: seal.Why}
	if err := w.readBack(ctx, found, summary); err != nil {
		return nil, err
	}
	summary.Sealed = w.s.clock.Now().UTC()
	return summary, w.s.putJSON(ctx, w.prefix+sealName, summary)
}

// readBack reads all chunks, and summarizes them.
func (w *Writer) readBack(ctx context.Context, found spans, summary *Summary) error {
	defer func() { w.compressed, w.content = nil, nil }()
	digest := sha256.New()
	var seen stamps
	for i, chunk := range found {
		content, err := w.get(ctx, chunk)
		if err != nil {
			return err
		}
		from := found.from(i)
		content = content[from-chunk.start:]
		digest.Write(content)
		seen.add(content)
		summary.Cut += from - summary.Bytes
		summary.Bytes = chunk.end
		summary.Stored += int64(len(w.compressed))
		summary.Chunks = append(summary.Chunks, Chunk{Start: chunk.start, End: chunk.end})
	}
	summary.First, summary.Last = seen.first, seen.last
	summary.Digest = "sha256:" + hex.EncodeToString(digest.Sum(nil))
	return nil
}

// sweep deletes what does not belong to the sealed log.
func (w *Writer) sweep(ctx context.Context) error {
	chunks, others, err := w.list(ctx)
	if err != nil {
		return err
	}
	sealed := w.summary.spans()
	for _, chunk := range chunks {
		if !sealed.isWithin(chunk) { // else it is one, or another writer is about to replace one by it
			others = append(others, chunk.name())
		}
	}
	for _, name := range others {
		if name == sealName {
			continue
		}
		if err := w.s.remove(ctx, w.prefix+name); err != nil {
			return err
		}
	}
	return nil
}

// spans of a sealed log.
func (s *Summary) spans() spans {
	kept := make(spans, 0, len(s.Chunks))
	for _, chunk := range s.Chunks {
		kept = append(kept, span{start: chunk.Start, end: chunk.End})
	}
	return kept
}

// getJSON reads an object of ours.
func (s *Store) getJSON(ctx context.Context, key string, value any) error {
	content, err := s.get(ctx, key, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, value); err != nil {
		return fmt.Errorf("log archive: read %q: %w", key, err)
	}
	return nil
}

// putJSON writes one.
func (s *Store) putJSON(ctx context.Context, key string, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("log archive: write %q: %w", key, err)
	}
	return s.put(ctx, key, content)
}
