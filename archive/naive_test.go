// SPDX-License-Identifier: Apache-2.0

//go:build !race

// Compares thousands of logs with the output of a naive writer and reader. The tests run in one goroutine, so the race detector would
// find nothing here, and take half a minute of two CPUs.

package archive

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// seeds is a quarter of all random streams with -short, because each is read dozens of times.
func seeds(all uint64) uint64 {
	if testing.Short() {
		return all / 4
	}
	return all
}

func TestAReaderGivesWhatANaiveOneGives(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		for seed := range seeds(40) {
			r := rand.New(rand.NewPCG(seed, 1))
			stream := randomStream(r, 1+r.IntN(60), false)
			if len(stream) == 0 {
				continue
			}
			a := attempt()
			a.Number = int32(seed)
			w := keepOf(t, s, a, stream, int64(1+r.IntN(500)))
			if seed%2 == 0 {
				seal(t, w, Seal{})
			}
			for range 25 {
				from := randomPosition(r, len(stream))
				same(t, fmt.Sprintf("seed %d, chunks of %d, %s", seed, w.chunk, describe(from)), readOf(t, s, a, from), naiveRead(stream, from))
			}
		}
	})
}

func TestWhereTheClockJumpsBackOnlyLinesBeforeTheJumpAreMissed(t *testing.T) {
	s := newFake().open(Options{})
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		stream := randomStream(r, 1+r.IntN(60), true)
		if len(stream) == 0 {
			continue
		}
		a := attempt()
		a.Number = int32(seed)
		keepOf(t, s, a, stream, int64(1+r.IntN(300)))
		since := epoch().Add(time.Duration(r.IntN(60)-40) * 250 * time.Millisecond)
		got := readOf(t, s, a, Position{Since: since})
		if want := naiveSince(stream, since); !bytes.HasSuffix(want, got) {
			t.Fatalf("seed %d: got %q, which does not end %q", seed, got, want)
		}
		if least := naiveSince(afterTheLastJump(stream), since); !bytes.HasSuffix(got, least) {
			t.Fatalf("seed %d: got %q, which lacks some of %q", seed, got, least)
		}
	}
}

// afterTheLastJump is the stream from the last line on that is earlier than the stamped one before it.
func afterTheLastJump(stream []byte) []byte {
	var before time.Time
	at, jump := 0, 0
	for _, line := range naiveLines(stream) {
		if line.stamp > 0 {
			if line.at.Before(before) {
				jump = at
			}
			before = line.at
		}
		at += len(line.text)
	}
	return stream[jump:]
}

func TestALimitKeepsTheHeadAndTheTail(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		for seed := range seeds(12) {
			r := rand.New(rand.NewPCG(seed, 20))
			limit := Limit{MaxBytes: int64(16<<10 + r.IntN(1000))}
			stream := lines(r, 1+r.IntN(120<<10))
			a := attempt()
			a.Number = int32(seed)
			w := require.Value(s.Writer(t.Context(), a, limit))(t)
			for at := 0; at < len(stream); {
				end := min(at+1+r.IntN(9000), len(stream))
				require.NoError(t, w.Write(t.Context(), stream[at:end]))
				if r.IntN(2) == 0 {
					require.NoError(t, w.Flush(t.Context()))
				}
				at = end
			}
			require.NoError(t, w.Flush(t.Context()))
			want := naiveLimited(stream, limit)
			readLimited(t, s, a, want, fmt.Sprintf("seed %d, open", seed))
			summary := seal(t, w, Seal{})
			readLimited(t, s, a, want, fmt.Sprintf("seed %d, sealed", seed))
			from, to := naiveCut(stream, limit)
			cut := naiveText(stream[:to]) - naiveText(stream[:from])
			if summary.Bytes != int64(len(stream)) || summary.Cut != to-from || summary.CutText != cut || naiveText(stream)-cut > limit.MaxBytes {
				t.Fatalf("seed %d: limit %d, %d bytes: %+v, want cut %d, %d of the text", seed, limit.MaxBytes, len(stream), summary, to-from, cut)
			}
		}
	})
}

// readLimited reads all lines, and every number of lines from the end. If the limit cut the first requested line in two, its second
// half has no timestamp.
func readLimited(t *testing.T, s *Store, a Attempt, want []byte, what string) {
	t.Helper()
	same(t, what, readOf(t, s, a, Position{}), want)
	all := naiveLines(want)
	for n := 0; n <= len(all)+2; n += 1 + n/7 {
		lines := int64(n)
		got, want := readOf(t, s, a, Position{TailLines: &lines}), naiveRead(want, Position{TailLines: &lines})
		if first := len(all) - n - 1; first >= 0 && bytes.Contains(all[first].text, []byte(" [goldsmith: ")) && len(got) < len(want) {
			want = naiveStrip(want[:all[first+1].stamp+1]) // at least one byte, so that it is a line
			want = append(want, naiveRead(naiveTail(all, first+1), Position{})[1:]...)
		}
		same(t, fmt.Sprintf("%s, the last %d lines", what, n), got, want)
	}
	for _, since := range []time.Duration{0, 500 * time.Millisecond, 2 * time.Second, time.Hour} {
		from := Position{Since: epoch().Add(since)}
		same(t, what+", "+describe(from), readOf(t, s, a, from), naiveSince(want, from.Since))
	}
}

// naiveTail is a line without its timestamp, and all after it.
func naiveTail(all []naiveLine, i int) []byte {
	out := bytes.Clone(all[i].text[all[i].stamp:])
	for _, line := range all[i+1:] {
		out = append(out, line.text...)
	}
	return out
}

func TestFirstAndLastAreOfTheLinesThatAreKept(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 40))
		stream := randomStream(r, r.IntN(20), true)
		s := newFake().open(Options{})
		summary := seal(t, keep(t, s, stream, int64(1+r.IntN(100))), Seal{})
		var first, last time.Time
		for _, line := range naiveLines(stream) {
			if line.stamp > 0 {
				if first.IsZero() {
					first = line.at
				}
				last = line.at
			}
		}
		if !summary.First.Equal(first) || !summary.Last.Equal(last) {
			t.Fatalf("seed %d: %s to %s, want %s to %s, in chunks %v of %q", seed, summary.First, summary.Last, first, last, summary.Chunks, stream)
		}
		if summary.Digest != digestOf(stream) || summary.Bytes != int64(len(stream)) || summary.Cut != 0 {
			t.Fatalf("seed %d: got %+v", seed, summary)
		}
	}
}
