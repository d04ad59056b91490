// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// codecs are pools of unused encoders and decoders.
type codecs struct{ encoders, decoders sync.Pool }

// encode compresses one chunk.
func (c *codecs) encode(content []byte) ([]byte, error) {
	encoder, ok := c.encoders.Get().(*zstd.Encoder)
	if !ok {
		var err error
		encoder, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(chunkSize), zstd.WithEncoderCRC(true))
		if err != nil {
			return nil, err
		}
	}
	defer c.encoders.Put(encoder)
	return encoder.EncodeAll(content, nil), nil
}

// decode appends the decompressed content to buffer. It decodes at most one chunk, whatever size the header has.
func (c *codecs) decode(compressed, buffer []byte) ([]byte, error) {
	decoder, ok := c.decoders.Get().(*zstd.Decoder)
	if !ok {
		var err error
		decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(chunkSize),
			zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
	}
	defer c.decoders.Put(decoder)
	return decoder.DecodeAll(compressed, buffer)
}

// ErrDamaged means that the content of an object does not match its checksum, its name or its format, or that a log lacks a chunk.
var ErrDamaged = errors.New("object is damaged")

// stored is the stored log of one attempt.
type stored struct {
	s       *Store
	attempt Attempt
	prefix  string

	compressed, content []byte // of the last chunk that was read
}

func (s *Store) stored(attempt Attempt) (stored, error) {
	prefix, err := attempt.prefix()
	return stored{s: s, attempt: attempt, prefix: prefix}, err
}

// list finds all chunks and all other objects below the prefix. A chunk may be covered by other chunks.
func (l *stored) list(ctx context.Context) (chunks []span, others []string, err error) {
	err = l.s.list(ctx, l.prefix, "", func(e entry) {
		name := strings.TrimPrefix(e.key, l.prefix)
		if chunk, ok := parseSpan(name); ok {
			chunks = append(chunks, chunk)
		} else {
			others = append(others, name)
		}
	})
	return chunks, others, err
}

// spans lists the chunks that other chunks do not cover, and those that are missing. A list is no snapshot of the store, and may miss a
// chunk that is replaced meanwhile. So a chunk is missing only if two lists are equal.
func (l *stored) spans(ctx context.Context) (spans, error) {
	for before := spans(nil); ; {
		chunks, others, err := l.list(ctx)
		found := newSpans(chunks).withMissing(parseCutMarks(others))
		if err != nil || !found.hasMissing() || slices.Equal(found, before) {
			return found, err
		}
		before = found
	}
}

// put stores one chunk.
func (l *stored) put(ctx context.Context, chunk span, content []byte) error {
	compressed, err := l.s.codecs.encode(content)
	if err != nil {
		return fmt.Errorf("log archive: compress %q: %w", l.prefix+chunk.name(), err)
	}
	return l.s.put(ctx, l.prefix+chunk.name(), compressed)
}

// get reads one chunk. The content is valid until the next call.
func (l *stored) get(ctx context.Context, chunk span) ([]byte, error) {
	key := l.prefix + chunk.name()
	if chunk.missing {
		return nil, fmt.Errorf("log archive: read %q: %w: there is no such chunk", key, ErrDamaged)
	}
	var err error
	if l.compressed, err = l.s.get(ctx, key, l.compressed[:0]); err != nil {
		return nil, err
	}
	if int64(cap(l.content)) < chunk.end-chunk.start {
		l.content = make([]byte, 0, chunk.end-chunk.start)
	}
	content, err := l.s.codecs.decode(l.compressed, l.content[:0])
	if err != nil {
		return nil, fmt.Errorf("log archive: read %q: %w: %w", key, ErrDamaged, err)
	}
	if int64(len(content)) != chunk.end-chunk.start {
		return nil, fmt.Errorf("log archive: read %q: %w: size is %d bytes", key, ErrDamaged, len(content))
	}
	l.content = content
	return content, nil
}
