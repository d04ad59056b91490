// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestWhatIsFlushedIsReadAndWhatIsNotIsNot(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		w := writer(t, s, Limit{})
		if w.Offset() != 0 || w.Accepted() != 0 || w.Sealed() {
			t.Fatalf("a new writer is at %d, %d, sealed %t", w.Offset(), w.Accepted(), w.Sealed())
		}
		flush(t, w)
		write(t, w, []byte("abc"))
		if w.Offset() != 0 || w.Accepted() != 3 {
			t.Errorf("after a write it is at %d, %d", w.Offset(), w.Accepted())
		}
		flush(t, w)
		write(t, w, []byte("def"))
		if w.Offset() != 3 || w.Accepted() != 6 {
			t.Errorf("after a flush and a write it is at %d, %d", w.Offset(), w.Accepted())
		}
		same(t, "flushed", readAll(t, s, Position{}), []byte("abc"))
		flush(t, w)
		same(t, "flushed", readAll(t, s, Position{}), []byte("abcdef"))
		store(t, w, nil)
		if w.Offset() != 6 {
			t.Errorf("nothing more moved it to %d", w.Offset())
		}
	})
}

func TestAFullChunkIsStoredWhenMoreComes(t *testing.T) {
	s := newFake().open(Options{})
	w := writer(t, s, Limit{})
	write(t, w, make([]byte, chunkSize))
	if w.Offset() != 0 {
		t.Errorf("a full chunk alone: the offset is %d", w.Offset())
	}
	write(t, w, make([]byte, 1))
	if w.Offset() != chunkSize || w.Accepted() != chunkSize+1 {
		t.Errorf("one byte more: it is at %d, %d", w.Offset(), w.Accepted())
	}
	flush(t, w)
	if len(readAll(t, s, Position{})) != chunkSize+1 {
		t.Error("it is not all there")
	}
}

func TestASecondWriterGoesOnAtAnyByte(t *testing.T) {
	s := newFake().open(Options{})
	stream := randomStream(rand.New(rand.NewPCG(5, 5)), 6, false)
	for _, limit := range []Limit{{}, {MaxBytes: 1 << 10}, {MaxBytes: 1 << 14}} {
		for cut := range len(stream) {
			a := attempt()
			a.Build, a.Number = "limit-"+a.Build, int32(cut)
			a.Namespace = fmt.Sprint("team-", limit.MaxBytes)
			for _, piece := range [][]byte{stream[:cut], stream[cut:]} {
				w := require.Value(s.Writer(t.Context(), a, limit))(t)
				require.NoError(t, w.Write(t.Context(), piece))
				require.NoError(t, w.Flush(t.Context()))
			}
			r := require.Value(s.Reader(t.Context(), a, Position{}))(t)
			got := require.Value(io.ReadAll(r))(t)
			same(t, fmt.Sprintf("limit %d, resumed at %d", limit.MaxBytes, cut), got, naiveLimited(stream, limit))
		}
	}
}

func TestASecondWriterGoesOnInEachStore(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		stream := randomStream(rand.New(rand.NewPCG(6, 6)), 40, false)
		for at := 0; at < len(stream); at += 97 {
			w := writer(t, s, Limit{MaxBytes: 1 << 15})
			if int(w.Offset()) != at || int(w.Accepted()) != at {
				t.Fatalf("it resumes at %d, %d, want %d", w.Offset(), w.Accepted(), at)
			}
			store(t, w, stream[at:min(at+97, len(stream))])
			tail := require.Value(w.Tail(t.Context()))(t)
			same(t, "the tail", tail, stream[:w.Offset()])
		}
		same(t, "all", readAll(t, s, Position{}), stream)
	})
}

func TestTheTailIsTheEndOfWhatIsStored(t *testing.T) {
	s := newFake().open(Options{})
	stream := make([]byte, 3*chunkSize+5)
	for i := range stream {
		stream[i] = byte(i>>8) ^ byte(i)
	}
	w := writer(t, s, Limit{})
	for _, end := range []int{0, 5, chunkSize, chunkSize + 1, 3*chunkSize - 1, 3*chunkSize + 5} {
		store(t, w, stream[w.Accepted():end])
		tail := require.Value(w.Tail(t.Context()))(t)
		if !bytes.HasSuffix(stream[:end], tail) || len(tail) < min(end, tailLength) || len(tail) >= 2<<20 {
			t.Errorf("at %d: %d bytes, the end of the stream: %t", end, len(tail), bytes.HasSuffix(stream[:end], tail))
		}
	}
	write(t, w, []byte("not stored yet"))
	tail := require.Value(w.Tail(t.Context()))(t)
	if !bytes.HasSuffix(stream, tail) {
		t.Error("the tail has what is not stored")
	}
}

func TestTheTailEndsWhereItsWriterIs(t *testing.T) {
	s := newFake().open(Options{})
	first, second := writer(t, s, Limit{}), writer(t, s, Limit{})
	store(t, first, []byte("one\n"))
	store(t, second, []byte("one\ntwo\n"))
	tail := require.Value(first.Tail(t.Context()))(t)
	same(t, "the tail", tail, []byte("one\n"))
}

func TestTheTailOfALimitedLogIsInOnePiece(t *testing.T) {
	s := newFake().open(Options{})
	stream := []byte(strings.Repeat("0123456789", 1000))
	w := writer(t, s, Limit{MaxBytes: 1 << 10})
	store(t, w, stream)
	tail := require.Value(w.Tail(t.Context()))(t)
	if !bytes.HasSuffix(stream, tail) || len(tail) < 1<<9-64 || len(tail) > 1<<9 {
		t.Errorf("%d bytes: %q", len(tail), tail)
	}
}

// steps writes a stream in pieces with flushes between, and continues after each error. It stops after 100000 errors.
func steps(t *testing.T, w *Writer, stream []byte, piece int) {
	t.Helper()
	begin, failures := w.Accepted(), 0
	try := func(run func() error) {
		for err := run(); err != nil; err = run() {
			if failures++; failures > 100000 {
				t.Fatal(err)
			}
		}
	}
	for w.Accepted() < int64(len(stream)) {
		end := min((w.Accepted()-begin)/int64(piece)*int64(piece)+begin+int64(piece), int64(len(stream)))
		try(func() error { return w.Write(t.Context(), stream[w.Accepted():end]) })
		if w.Accepted() != end {
			t.Fatalf("a write without an error took bytes up to %d of %d", w.Accepted(), end)
		}
		try(func() error { return w.Flush(t.Context()) })
		if w.Offset() != end {
			t.Fatalf("a flush without an error is at %d, want %d", w.Offset(), end)
		}
	}
	try(func() error { _, err := w.Seal(t.Context(), Seal{}); return err })
}

// faults are the ways in which a call fails: nothing was done, or the answer is lost.
func faults() map[string]func(f *fake, fault func(call) error) {
	return map[string]func(f *fake, fault func(call) error){
		"nothing done": func(f *fake, fault func(call) error) { f.before = fault },
		"answer lost":  func(f *fake, fault func(call) error) { f.after = fault },
	}
}

func TestAnyCallMayFailWithoutAGapOrARepeat(t *testing.T) {
	stream := lines(rand.New(rand.NewPCG(8, 8)), 30<<10)
	for _, limit := range []Limit{{}, {MaxBytes: 16 << 10}} {
		for name, set := range faults() {
			for every := 1; every <= 12; every++ {
				r := rand.New(rand.NewPCG(uint64(every), 8))
				left := 300 // faults; a Seal needs many calls in a row without one
				f := newFake()
				s := f.open(Options{})
				w := writer(t, s, limit)
				if limit.MaxBytes == 0 {
					w.chunk = 1 << 10
				}
				set(f, func(call) error {
					if left > 0 && (every > 1 && r.IntN(every) == 0 || every == 1 && r.IntN(7) != 0) {
						left--
						return errors.New("503 slow down")
					}
					return nil
				})
				steps(t, w, stream, 700)
				f.before, f.after = nil, nil
				what := fmt.Sprintf("limit %d, %s, every %d", limit.MaxBytes, name, every)
				same(t, what, readAll(t, s, Position{}), naiveLimited(stream, limit))
				if got := f.keys(prefixOf(t, attempt())); len(got)-len(parseCutMarks(got)) != len(w.summary.Chunks)+1 {
					t.Fatalf("%s: left are %q, the summary has %v", what, got, w.summary.Chunks)
				}
			}
		}
	}
}

// After a crash at any step, a beginning of the stream is stored, and the next writer continues from there.
func TestACrashAfterAnyStepLosesNothingThatWasFlushed(t *testing.T) {
	stream := lines(rand.New(rand.NewPCG(9, 9)), 24<<10)
	for _, limit := range []Limit{{}, {MaxBytes: 16 << 10}} {
		for name, set := range faults() {
			for n := 2; ; n++ {
				f := newFake()
				s := f.open(Options{})
				w := writer(t, s, limit)
				crashed := false
				set(f, func(c call) error {
					crashed = crashed || c.number == n
					if crashed {
						return errors.New("crashed")
					}
					return nil
				})
				flushed := crash(t, w, stream)
				f.before, f.after = nil, nil
				what := fmt.Sprintf("limit %d, %s, call %d", limit.MaxBytes, name, n)
				resumeAfterCrash(t, s, f, limit, stream, flushed, what)
				if !crashed {
					break
				}
			}
		}
	}
}

// crash writes until an error. It gives how much was flushed.
func crash(t *testing.T, w *Writer, stream []byte) (flushed int64) {
	for at := 0; at < len(stream); at += 900 {
		if w.Write(t.Context(), stream[at:min(at+900, len(stream))]) != nil || w.Flush(t.Context()) != nil {
			return flushed
		}
		flushed = w.Offset()
	}
	_, _ = w.Seal(t.Context(), Seal{})
	return flushed
}

func resumeAfterCrash(t *testing.T, s *Store, f *fake, limit Limit, stream []byte, flushed int64, what string) {
	t.Helper()
	w := writer(t, s, limit)
	if w.Offset() < flushed || w.Accepted() != w.Offset() {
		t.Fatalf("%s: resumed at %d, %d, and %d were flushed", what, w.Offset(), w.Accepted(), flushed)
	}
	if !w.Sealed() {
		write(t, w, stream[w.Offset():])
	}
	summary := seal(t, w, Seal{})
	same(t, what, readAll(t, s, Position{}), naiveLimited(stream, limit))
	if got := f.keys(prefixOf(t, attempt())); len(got) != len(summary.Chunks)+1 {
		t.Fatalf("%s: left are %q, the summary has %v", what, got, summary.Chunks)
	}
}

// Writers of several processes at once, each at its own pace, some with an older limit.
func TestWritersAtOnceDoEachOtherNoHarm(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 10))
		stream := randomStream(r, 100, false)
		f := newFake()
		s := f.open(Options{})
		writers := make([]*Writer, 3)
		limits := []Limit{{MaxBytes: 1 << 16}, {MaxBytes: 1 << 16}, {MaxBytes: []int64{1 << 16, 1 << 18}[r.IntN(2)]}}
		var durable int64
		for range 150 {
			i := r.IntN(len(writers))
			if writers[i] == nil || r.IntN(8) == 0 {
				writers[i] = writer(t, s, limits[i])
				if writers[i].Offset() < durable {
					t.Fatalf("seed %d: a new writer begins at %d, and %d are stored", seed, writers[i].Offset(), durable)
				}
			}
			w := writers[i]
			write(t, w, stream[w.Accepted():min(w.Accepted()+int64(r.IntN(400)), int64(len(stream)))])
			if r.IntN(3) > 0 {
				flush(t, w)
				durable = max(durable, w.Offset())
			}
			got := readAllOrNone(t, s)
			if !bytes.Equal(got, stream[:durable]) && (len(got) < int(durable) || !bytes.HasPrefix(stream, got)) {
				t.Fatalf("seed %d: %d bytes are stored, and %d are read: %q", seed, durable, len(got), f.keys(""))
			}
		}
		sealBeside(t, s, writers, stream, seed)
	}
}

func readAllOrNone(t *testing.T, s *Store) []byte {
	t.Helper()
	if r, err := s.Reader(t.Context(), attempt(), Position{}); errors.Is(err, ErrNotFound) {
		return nil
	} else if err == nil {
		require.NoError(t, r.Close())
	}
	return readAll(t, s, Position{})
}

// sealBeside seals one writer's stream at its position while the other writers continue. The sealed log must not change.
func sealBeside(t *testing.T, s *Store, writers []*Writer, stream []byte, seed uint64) {
	t.Helper()
	writers = slices.DeleteFunc(writers, func(w *Writer) bool { return w == nil })
	summary := seal(t, writers[0], Seal{InPart: true, Why: "the node is gone"})
	check := func(when string) {
		t.Helper()
		same(t, fmt.Sprintf("seed %d, %s", seed, when), readAll(t, s, Position{}), stream[:summary.Bytes])
	}
	check("sealed")
	for _, w := range writers[1:] {
		store(t, w, stream[w.Accepted():min(w.Accepted()+300, int64(len(stream)))])
		check("a late flush")
	}
	for _, w := range writers {
		again := require.Value(w.Seal(t.Context(), Seal{}))(t)
		if again.Digest != summary.Digest || !again.InPart || again.Bytes != summary.Bytes {
			t.Fatalf("seed %d: sealed again: %+v, want %+v", seed, again, summary)
		}
		check("sealed again")
	}
	if w := writer(t, s, Limit{}); !w.Sealed() || w.Offset() != summary.Bytes {
		t.Fatalf("seed %d: a new writer: sealed %t, at %d", seed, w.Sealed(), w.Offset())
	}
}

// A writer that is ahead does not cut the log that another writer has sealed.
func TestALateWriterWithALimitDoesNotCutWhatIsSealed(t *testing.T) {
	limit := Limit{MaxBytes: 16 << 10}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 12))
		stream := lines(r, 80<<10)
		s := newFake().open(Options{})
		first, late := writer(t, s, limit), writer(t, s, limit)
		at := 1 + r.IntN(40<<10)
		write(t, first, stream[:at])
		store(t, late, stream[:1+r.IntN(at)])
		summary := seal(t, first, Seal{})
		want := naiveLimited(stream[:at], limit)
		for late.Accepted() < int64(len(stream)) && !late.Sealed() {
			err := late.Write(t.Context(), stream[late.Accepted():min(late.Accepted()+2000, int64(len(stream)))])
			if err == nil {
				err = late.Flush(t.Context())
			}
			if err != nil && !errors.Is(err, ErrSealed) {
				t.Fatal(err)
			}
			same(t, fmt.Sprintf("seed %d, sealed at %d", seed, at), readAll(t, s, Position{}), want)
		}
		if again := seal(t, late, Seal{}); again.Digest != summary.Digest {
			t.Fatalf("seed %d: got %+v, want %+v", seed, again, summary)
		}
		same(t, fmt.Sprintf("seed %d, sealed again at %d", seed, at), readAll(t, s, Position{}), want)
	}
}

// Limits may change while two writers write: their chunks overlap then, and none covers the other.
func TestChunksThatOverlapAreNoGarbage(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	stream := randomStream(rand.New(rand.NewPCG(11, 11)), 100, false)
	prefix := prefixOf(t, attempt())
	for _, chunk := range []span{chunkOf(stream, 0, 700), chunkOf(stream, 600, 900), chunkOf(stream, 800, 1000), chunkOf(stream, 100, 300)} {
		content := require.Value(s.codecs.encode(stream[chunk.start:chunk.end]))(t)
		require.NoError(t, f.put(t.Context(), prefix+chunk.name(), content))
	}
	same(t, "before", readAll(t, s, Position{}), stream[:1000])
	w := writer(t, s, Limit{})
	store(t, w, stream[1000:1500])
	same(t, "after", readAll(t, s, Position{}), stream[:1500])
	if _, ok := f.content[prefix+chunkOf(stream, 100, 300).name()]; ok {
		t.Error("what another chunk covers is still there")
	}
	if summary := seal(t, w, Seal{}); summary.Digest != digestOf(stream[:1500]) || summary.Cut != 0 {
		t.Errorf("got %+v", summary)
	}
	same(t, "sealed", readAll(t, s, Position{}), stream[:1500])
	lines := int64(len(naiveLines(stream[:1500])))
	for ; lines >= 0; lines-- {
		from := Position{TailLines: &lines}
		same(t, describe(from), readAll(t, s, from), naiveRead(stream[:1500], from))
	}
}

func TestAFullDiskIsToldAndWaitedFor(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	w := writer(t, s, Limit{})
	write(t, w, []byte(stamped(0, "one")))
	full := true
	f.before = func(c call) error {
		if full && c.operation == "write" {
			return fmt.Errorf("write /archive/x: %w", syscall.ENOSPC)
		}
		return nil
	}
	if err := w.Flush(t.Context()); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("got %v", err)
	}
	if w.Offset() != 0 {
		t.Errorf("the offset is %d", w.Offset())
	}
	full = false
	flush(t, w)
	same(t, "then", readAll(t, s, Position{}), []byte(stamped(0, "one")))
}

// A log is archived even if nobody can delete objects, as in a bucket with a retention policy. The undeleted objects are bounded.
func TestALogIsStoredWhileNothingCanBeDeleted(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	w := writer(t, s, Limit{})
	f.before = func(c call) error {
		if c.operation == "delete" {
			return errors.New("403 access denied")
		}
		return nil
	}
	var stream []byte
	for i := range 500 {
		line := []byte(stamped(i, "a slow line"))
		stream = append(stream, line...)
		store(t, w, line)
	}
	if n, err := w.LeftGarbage(); n == 0 || err == nil {
		t.Errorf("%d objects are not deleted: %v", n, err)
	}
	if stored := f.written(); stored > 6*int64(len(stream)) {
		t.Errorf("%d bytes are stored for a log of %d", stored, len(stream))
	}
	same(t, "stored", readAll(t, s, Position{}), stream)
	seal(t, w, Seal{})
	if n, err := w.LeftGarbage(); n == 0 || err == nil {
		t.Errorf("after the seal, %d objects are not deleted: %v", n, err)
	}
	same(t, "sealed", readAll(t, s, Position{}), stream)
	f.before = nil
	require.NoError(t, s.PutBuild(t.Context(), Build{Namespace: "team", Name: "once", UID: attempt().Build, Finished: new(epoch())}))
	require.Value(s.Sweep(t.Context(), nil))(t)
	if got := f.keys(prefixOf(t, attempt())); len(got) != 2 {
		t.Errorf("after a sweep, left are %q", got)
	}
	same(t, "swept", readAll(t, s, Position{}), stream)
}

// written is the size of all chunks that were ever stored, uncompressed.
func (f *fake) written() (bytes int64) {
	for _, c := range f.calls {
		if chunk, ok := parseSpan(path.Base(c.key)); ok && c.operation == "write" {
			bytes += chunk.end - chunk.start
		}
	}
	return bytes
}

// A slow log is flushed after each line.
func TestASlowLogIsStoredAFewTimes(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	w := writer(t, s, Limit{})
	var stream []byte
	for i := 0; len(stream) < 3<<19; i++ {
		line := []byte(stamped(i, strings.Repeat("a slow line ", 60)))
		stream = append(stream, line...)
		store(t, w, line)
		if i%300 == 0 { // another process takes over
			w = writer(t, s, Limit{})
		}
		if got := f.keys(prefixOf(t, attempt())); len(got) > 40 {
			t.Fatalf("a chunk and a half is in %d objects", len(got))
		}
	}
	summary := seal(t, w, Seal{})
	same(t, "sealed", readAll(t, s, Position{}), stream)
	if len(summary.Chunks) != 2 {
		t.Errorf("it is in the chunks %v", summary.Chunks)
	}
	if written := f.written(); written > 6*int64(len(stream)) {
		t.Errorf("%d bytes are written for a log of %d", written, len(stream))
	}
}
