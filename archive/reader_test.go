// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAReaderHandsOutTheSummary(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	stream := randomStream(rand.New(rand.NewPCG(1, 3)), 60, false)
	w := keep(t, s, stream, 100)
	before := require.Value(s.Reader(t.Context(), attempt(), Position{}))(t)
	if summary := before.Summary(); summary != nil {
		t.Errorf("before it is sealed: %+v", summary)
	}
	want := seal(t, w, Seal{InPart: true, Why: "its node was lost"})
	if _, err := io.ReadAll(before); err != nil || before.Summary() == nil {
		t.Errorf("the reader opened before the seal: %+v, error %v", before.Summary(), err)
	}

	asked := len(f.calls)
	after := require.Value(s.Reader(t.Context(), attempt(), Position{}))(t)
	if got := after.Summary(); got == nil || fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if reads := sealReads(f.calls[asked:]); reads != 1 {
		t.Errorf("the seal was read %d times", reads)
	}

	asked = len(f.calls)
	known := require.Value(s.SealedReader(t.Context(), attempt(), after.Summary(), Position{}, nil))(t)
	content := require.Value(io.ReadAll(known))(t)
	same(t, "whose summary is known", content, stream)
	if reads := sealReads(f.calls[asked:]); reads != 0 || known.Summary() != after.Summary() {
		t.Errorf("the seal was read %d times, and the summary is %+v", reads, known.Summary())
	}
}

// sealReads is how often a seal was read.
func sealReads(calls []call) (reads int) {
	for _, c := range calls {
		if c.operation == "read" && strings.HasSuffix(c.key, sealName) {
			reads++
		}
	}
	return reads
}

// randomPosition returns a Position with any subset of its fields set.
func randomPosition(r *rand.Rand, length int) Position {
	var from Position
	if r.IntN(2) == 0 {
		from.Offset = int64(r.IntN(length+10) - 3)
	}
	if r.IntN(2) == 0 {
		from.Since = epoch().Add(time.Duration(r.IntN(40)-2) * 250 * time.Millisecond)
	}
	if r.IntN(2) == 0 {
		lines := int64(r.IntN(70) - 1)
		if lines == 68 {
			lines = math.MaxInt64
		}
		from.TailLines = &lines
	}
	return from
}

func describe(from Position) string {
	tail := "all"
	if from.TailLines != nil {
		tail = fmt.Sprint(*from.TailLines)
	}
	return fmt.Sprintf("offset %d, since %s, tail %s", from.Offset, from.Since.Format(time.RFC3339Nano), tail)
}

func TestAReaderOfOneByteAtATimeGivesTheSame(t *testing.T) {
	s := newFake().open(Options{})
	stream := randomStream(rand.New(rand.NewPCG(7, 7)), 50, false)
	keep(t, s, stream, 77)
	for _, from := range []Position{{}, {Since: epoch().Add(2 * time.Second)}} {
		r := require.Value(s.Reader(t.Context(), attempt(), from))(t)
		if n, err := r.Read(nil); n != 0 || err != nil {
			t.Errorf("read of nothing: %d, %v", n, err)
		}
		got := require.Value(io.ReadAll(iotest.OneByteReader(r)))(t)
		same(t, describe(from), got, naiveRead(stream, from))
	}
}

func TestAReaderOfNothingIsNotFound(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		if _, err := s.Reader(t.Context(), attempt(), Position{}); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
		writer(t, s, Limit{})
		if _, err := s.Reader(t.Context(), attempt(), Position{}); !errors.Is(err, ErrNotFound) {
			t.Errorf("a writer that has written nothing: got %v", err)
		}
		seal(t, writer(t, s, Limit{}), Seal{})
		same(t, "sealed and empty", readAll(t, s, Position{}), nil)
	})
}

func TestAReaderGoesOnAfterTheEnd(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		w := keep(t, s, []byte(stamped(0, "one")), 40)
		r := require.Value(s.Reader(t.Context(), attempt(), Position{Since: epoch()}))(t)
		var got []byte
		for i := range 20 {
			more := require.Value(io.ReadAll(r))(t)
			got = append(got, more...)
			if offset := r.Offset(); offset != w.Offset() {
				t.Fatalf("after %d lines the offset is %d, want %d", i+1, offset, w.Offset())
			}
			store(t, w, []byte(stamped(i, "more")))
		}
		seal(t, w, Seal{})
		more := require.Value(io.ReadAll(r))(t)
		same(t, "all", append(got, more...), readAll(t, s, Position{}))
	})
}

// A reader that begins anywhere, while a writer replaces chunks as fast as it can, has no gap and no repeat.
func TestAReaderBesideAWriterMissesNothing(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		stream := randomStream(rand.New(rand.NewPCG(3, 3)), 120, false)
		w := keep(t, s, stream[:100], 64)
		written := make(chan error)
		go func() {
			defer close(written)
			writeBySteps(t.Context(), w, stream[100:], written)
		}()
		reads := 0
		for err := range written { // meanwhile the next step is written
			require.NoError(t, err)
			offset := int64(reads * 37 % 5000)
			reads++
			r := require.Value(s.Reader(t.Context(), attempt(), Position{Offset: offset}))(t)
			got := require.Value(io.ReadAll(r))(t)
			if !bytes.HasPrefix(stream[min(offset, int64(len(stream))):], got) {
				t.Fatalf("read %d from %d: %d bytes that are not the stream's", reads, offset, len(got))
			}
			lines := int64(3)
			if r, err = s.Reader(t.Context(), attempt(), Position{TailLines: &lines, Since: epoch()}); err == nil {
				_, err = io.ReadAll(r)
			}
			require.NoError(t, err)
		}
		same(t, "at the end", readAll(t, s, Position{}), stream)
	})
}

// writeBySteps sends the result of each step, including the last step, until a step fails or ctx is done.
func writeBySteps(ctx context.Context, w *Writer, stream []byte, written chan<- error) {
	step := 13
	if testing.Short() {
		step *= 4
	}
	for chunk := range slices.Chunk(stream, step) {
		err := w.Write(ctx, chunk)
		if err == nil {
			err = w.Flush(ctx)
		}
		select {
		case written <- err:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// The lists of a store that is written to are no snapshots.
func TestAListThatMissesAChunkMakesNoGap(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	stream := []byte(stamped(0, "one") + stamped(1, "two") + stamped(2, "three"))
	keep(t, s, stream, 30)
	missing := prefixOf(t, attempt()) + chunkOf(stream, 30, 60).name()
	hidden := f.content[missing]
	lists := 0
	f.before = func(c call) error {
		if c.operation == "list" {
			f.mu.Lock()
			defer f.mu.Unlock()
			if lists++; lists%2 == 1 {
				delete(f.content, missing)
			} else {
				f.content[missing] = hidden
			}
		}
		return nil
	}
	same(t, "all", readAll(t, s, Position{}), stream)
}

func TestAClosedReaderReadsNothing(t *testing.T) {
	s := newFake().open(Options{})
	keep(t, s, []byte(stamped(0, "one")), 0)
	r := require.Value(s.Reader(t.Context(), attempt(), Position{}))(t)
	require.NoError(t, r.Close())
	if n, err := r.Read(make([]byte, 10)); n != 0 || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestTheContextEndsAReader(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		keep(t, s, bytes.Repeat([]byte("x"), 1000), 100)
		ctx, cancel := context.WithCancel(t.Context())
		r := require.Value(s.Reader(ctx, attempt(), Position{}))(t)
		require.Value(io.ReadFull(r, make([]byte, 150)))(t)
		cancel()
		if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestABrokenChunkIsAnError(t *testing.T) {
	stream := bytes.Repeat([]byte(stamped(0, "a line of a log")), 20)
	codecs := &codecs{}
	small := require.Value(codecs.encode([]byte("x")))(t)
	large := require.Value(codecs.encode(make([]byte, chunkSize)))(t)
	bomb := require.Value(codecs.encode(make([]byte, 64<<20)))(t)
	for name, damage := range map[string]func([]byte) []byte{
		"a flipped byte":  func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b },
		"a flipped magic": func(b []byte) []byte { b[0] ^= 1; return b },
		"truncated":       func(b []byte) []byte { return b[:len(b)-5] },
		"empty":           func([]byte) []byte { return nil },
		"no zstd":         func([]byte) []byte { return []byte("this is something else") },
		"too short":       func([]byte) []byte { return small },
		"too long":        func(b []byte) []byte { return append(b, small...) },
		"a bomb":          func([]byte) []byte { return bomb },
		"many frames":     func([]byte) []byte { return bytes.Repeat(large, 1000) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			s := f.open(Options{})
			keep(t, s, stream, 0)
			key := prefixOf(t, attempt()) + span{end: int64(len(stream)), textEnd: naiveText(stream)}.name()
			f.content[key] = damage(f.content[key])
			r := require.Value(s.Reader(t.Context(), attempt(), Position{}))(t)
			got, err := io.ReadAll(r)
			if missing := fmt.Sprintf(" [goldsmith: %d bytes of the log are missing here, ", naiveText(stream)); bytes.Count(got, []byte("\n")) != 1 || !bytes.Contains(got, []byte(missing)) || !errors.Is(err, ErrDamaged) {
				t.Errorf("got %q, %v", got, err)
			}
			if w := writer(t, s, Limit{}); !w.Damaged() || w.Offset() != int64(len(stream)) {
				t.Errorf("a writer: damaged %t, at %d", w.Damaged(), w.Offset())
			}
		})
	}
}

func TestALogContinuesBehindAChunkThatIsLost(t *testing.T) {
	stream := bytes.Repeat([]byte(stamped(0, "a line of a log")), 1000)
	f := newFake()
	s := f.open(Options{})
	w := require.Value(s.Writer(t.Context(), attempt(), Limit{MaxBytes: 64 << 10}))(t)
	write(t, w, stream)
	summary := seal(t, w, Seal{})
	chunks := summary.spans()
	origin := func(text []byte) Origin {
		return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
	}
	lines := func(n int64) Position { return Position{TailLines: &n} }
	for name, lose := range map[string]func(key string){
		"a damaged chunk": func(key string) { f.content[key][len(f.content[key])/2] ^= 1 },
		"a missing chunk": func(key string) { delete(f.content, key) },
	} {
		for at, lost := range chunks {
			t.Run(fmt.Sprintf("%s %d of %d", name, at, len(chunks)), func(t *testing.T) {
				key := prefixOf(t, attempt()) + lost.name()
				content := slices.Clone(f.content[key])
				defer func() { f.content[key] = content }()
				lose(key)
				notice := fmt.Appendf(nil, "%s [goldsmith: %d bytes of the log are missing here, because the archive has lost or damaged them]\n",
					epoch().Format(time.RFC3339Nano), lost.textEnd-lost.text)
				want := slices.Concat(stream[:lost.start], notice, stream[lost.end:])
				for n := int64(0); n <= 1001; n += 1 + n/7 {
					r := require.Value(s.Reader(t.Context(), attempt(), lines(n)))(t)
					got, err := io.ReadAll(r)
					tail := naiveRead(want, lines(n))
					if same(t, fmt.Sprintf("the last %d lines", n), got, tail); errors.Is(err, ErrDamaged) != bytes.Contains(tail, notice) {
						t.Errorf("the last %d lines: %v", n, err)
					}
				}
				for _, from := range []Position{{}, {Since: epoch()}} {
					for has, text := range map[bool][]byte{true: stream, false: append([]byte("2"), stream...)} {
						r := require.Value(s.SealedReader(t.Context(), attempt(), &summary, from, origin(text)))(t)
						got, err := io.ReadAll(r)
						if want := map[bool][]byte{true: stream, false: want}[has]; errors.Is(err, ErrDamaged) == has || !bytes.Equal(got, want) {
							t.Errorf("an origin that has the log (%t): %d bytes, want %d: %v", has, len(got), len(want), err)
						}
					}
				}
			})
		}
	}
}

func TestALogWithABrokenSealIsReadAndSealedAgain(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":      `{"bytes":`,
		"no end":       `{"bytes":10,"chunks":[{"start":0,"end":5}]}`,
		"no chunk":     `{"bytes":10}`,
		"backwards":    `{"bytes":5,"chunks":[{"start":10,"end":5}]}`,
		"before zero":  `{"bytes":5,"chunks":[{"start":-10,"end":5}]}`,
		"out of order": `{"bytes":80,"chunks":[{"start":0,"end":100},{"start":50,"end":80}]}`,
		"a twin":       `{"bytes":80,"chunks":[{"start":0,"end":60},{"start":0,"end":80}]}`,
		"too long":     `{"bytes":9000000,"chunks":[{"start":0,"end":9000000}]}`,
	} {
		f := newFake()
		s := f.open(Options{})
		stream := bytes.Repeat([]byte("x"), 100)
		keep(t, s, stream, 0)
		body := strings.TrimSuffix(text, "}")
		f.content[prefixOf(t, attempt())+sealName] = []byte(body + sumField + sumOf([]byte(body)))
		same(t, name, readAll(t, s, Position{}), stream)
		if summary, err := s.Summary(t.Context(), attempt()); summary != nil || err != nil {
			t.Errorf("%s: got %+v, %v", name, summary, err)
		}
		seal(t, writer(t, s, Limit{}), Seal{})
		if summary, err := s.Summary(t.Context(), attempt()); err != nil || summary == nil || summary.Digest != digestOf(stream) {
			t.Errorf("%s: got %+v, %v", name, summary, err)
		}
	}
}

// FuzzReader reads any stream in any chunks from anywhere.
func FuzzReader(f *testing.F) {
	f.Add([]byte(stamped(0, "one")+stamped(500, "two")+"three"), uint16(10), int64(3), int64(250), int64(2))
	f.Add([]byte("\n\n\x00\xff2026-03-01T12:00:00Z \n2026-03-01T12:00:01Z"), uint16(1), int64(0), int64(0), int64(1))
	f.Add([]byte("0"), uint16(0), int64(-5), int64(-1), int64(-1))
	f.Fuzz(func(t *testing.T, stream []byte, chunk uint16, offset, milliseconds, lines int64) {
		if len(stream) == 0 || len(stream) > 1<<12 {
			return
		}
		s := newFake().open(Options{})
		keep(t, s, stream, int64(chunk%512)+1)
		from := Position{Offset: offset, TailLines: &lines}
		same(t, describe(from), readAll(t, s, from), naiveRead(stream, from))
		since := epoch().Add(time.Duration(milliseconds%1e6) * time.Millisecond)
		if got, all := readAll(t, s, Position{Since: since}), naiveSince(stream, since); !bytes.HasSuffix(all, got) {
			t.Fatalf("since %s: got %q, which does not end %q", since, got, all)
		}
	})
}
