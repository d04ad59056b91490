// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// fake is objects in memory, with faults. Its lists and errors are as those of a bucket.
type fake struct {
	mu       sync.Mutex
	content  map[string][]byte
	modified map[string]time.Time
	calls    []call

	// before an operation: with an error it does nothing. after it: with an error its answer is lost. Nil is no fault.
	before, after func(call) error
}

// call of an operation, and which one it is of all, from 1.
type call struct {
	operation, key string
	number         int
}

func newFake() *fake { return &fake{content: map[string][]byte{}, modified: map[string]time.Time{}} }

func (f *fake) open(options Options) *Store { return newStore(f, "fake://", options) }

func (f *fake) do(ctx context.Context, operation, key string, run func() error) error {
	if err := ctx.Err(); err != nil {
		return operationError(operation, key, err)
	}
	f.mu.Lock()
	c := call{operation, key, len(f.calls) + 1}
	f.calls = append(f.calls, c)
	before, after := f.before, f.after
	f.mu.Unlock()
	if before != nil {
		if err := before(c); err != nil {
			return operationError(operation, key, err)
		}
	}
	f.mu.Lock()
	err := run()
	f.mu.Unlock()
	if err == nil && after != nil {
		err = operationError(operation, key, after(c))
	}
	return err
}

func (f *fake) put(ctx context.Context, key string, content []byte) error {
	return f.do(ctx, "write", key, func() error {
		f.content[key], f.modified[key] = slices.Clone(content), time.Now()
		return nil
	})
}

func (f *fake) get(ctx context.Context, key string, buffer []byte) ([]byte, error) {
	err := f.do(ctx, "read", key, func() error {
		content, ok := f.content[key]
		if !ok {
			return fmt.Errorf("read %q: %w", key, ErrNotFound)
		}
		buffer = append(buffer, content...)
		return nil
	})
	return buffer, err
}

func (f *fake) list(ctx context.Context, prefix, delimiter string, each func(entry)) error {
	var found []entry
	err := f.do(ctx, "list", prefix, func() error {
		for _, key := range slices.Sorted(maps.Keys(f.content)) {
			if !strings.HasPrefix(key, prefix) {
				continue
			}
			e := entry{key: key, modified: f.modified[key]}
			if folder, _, cut := strings.Cut(key[len(prefix):], delimiter); delimiter != "" && cut {
				e = entry{key: prefix + folder + delimiter}
			}
			if len(found) == 0 || found[len(found)-1] != e {
				found = append(found, e)
			}
		}
		return nil
	})
	for _, e := range found {
		each(e)
	}
	return err
}

func (f *fake) remove(ctx context.Context, key string) error {
	return f.do(ctx, "delete", key, func() error {
		delete(f.content, key)
		return nil
	})
}

func (f *fake) ping(ctx context.Context) error {
	return f.do(ctx, "list", "", func() error { return nil })
}

func (f *fake) close() error { return nil }

// keys below a prefix, without it.
func (f *fake) keys(prefix string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(f.content)) {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			keys = append(keys, name)
		}
	}
	return keys
}

// each runs a test with all stores that are here.
func each(t *testing.T, options Options, run func(t *testing.T, s *Store)) {
	t.Helper()
	for name, address := range map[string]func(t *testing.T) string{
		"mem":  func(*testing.T) string { return "mem://" },
		"file": func(t *testing.T) string { return "file://" + t.TempDir() },
	} {
		t.Run(name, func(t *testing.T) { run(t, open(t, address(t), options)) })
	}
	t.Run("fake", func(t *testing.T) { run(t, newFake().open(options)) })
}

func open(t testing.TB, address string, options Options) *Store {
	t.Helper()
	s := require.Value(Open(t.Context(), address, options))(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// attempt returns the attempt whose log the tests write.
func attempt() Attempt { return Attempt{Namespace: "team", Build: "b-1", Number: 1, Pod: "p-1"} }

func prefixOf(t testing.TB, a Attempt) string {
	t.Helper()
	return require.Value(a.prefix())(t)
}

func writer(t testing.TB, s *Store, limit Limit) *Writer {
	t.Helper()
	return require.Value(s.Writer(t.Context(), attempt(), limit))(t)
}

func write(t testing.TB, w *Writer, content []byte) {
	t.Helper()
	require.NoError(t, w.Write(t.Context(), content))
}

func flush(t testing.TB, w *Writer) {
	t.Helper()
	require.NoError(t, w.Flush(t.Context()))
}

// store writes and flushes.
func store(t testing.TB, w *Writer, content []byte) {
	t.Helper()
	write(t, w, content)
	flush(t, w)
}

func seal(t testing.TB, w *Writer, of Seal) Summary {
	t.Helper()
	return require.Value(w.Seal(t.Context(), of))(t)
}

// keep stores a whole stream, in chunks of that many bytes; 0 is the longest. The writer begins a chunk with the next byte.
func keep(t testing.TB, s *Store, stream []byte, chunk int64) *Writer {
	t.Helper()
	return keepOf(t, s, attempt(), stream, chunk)
}

func keepOf(t testing.TB, s *Store, a Attempt, stream []byte, chunk int64) *Writer {
	t.Helper()
	w := require.Value(s.Writer(t.Context(), a, Limit{}))(t)
	if chunk == 0 {
		store(t, w, stream)
		return w
	}
	for content := range slices.Chunk(stream, int(chunk)) {
		store(t, w, content)
		w.beginChunk()
	}
	w.chunk = chunk
	return w
}

// chunkOf is the chunk with the bytes [start, end) of a stream.
func chunkOf(stream []byte, start, end int64) span {
	var before, all textCounter
	before.add(stream[:start])
	all.add(stream[:end])
	return span{start: start, end: end, text: before.sum, textEnd: all.sum}
}

func readAll(t testing.TB, s *Store, from Position) []byte {
	t.Helper()
	return readOf(t, s, attempt(), from)
}

// same compares without printing megabytes.
func same(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if string(got) == string(want) {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	around := func(b []byte) []byte { return b[max(0, min(at, len(b))-40):min(len(b), at+80)] }
	t.Fatalf("%s: %d bytes, want %d; the first difference is at %d: %q, want %q", what, len(got), len(want), at, around(got), around(want))
}

func readOf(t testing.TB, s *Store, a Attempt, from Position) []byte {
	t.Helper()
	r := require.Value(s.Reader(t.Context(), a, from))(t)
	return require.Value(io.ReadAll(r))(t)
}
