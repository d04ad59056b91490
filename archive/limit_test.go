// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// naiveLimited returns the bytes of a stream that a reader must return under a limit.
func naiveLimited(stream []byte, limit Limit) []byte {
	head, rest := naiveCut(int64(len(stream)), limit)
	if head == rest {
		return stream
	}
	out := bytes.Clone(stream[:head])
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	_, chunk := naiveSizes(limit)
	stamp, begins := epoch(), false
	for _, line := range naiveLines(stream[:head]) {
		if line.stamp > 0 {
			stamp = line.at
		}
	}
	after := stream[rest:min(rest+chunk, int64(len(stream)))]
	for i, line := range naiveLines(after) {
		if line.stamp > 0 {
			stamp, begins = line.at, i == 0
			break
		}
	}
	text := stamp.UTC().Format(time.RFC3339Nano)
	out = fmt.Appendf(out, "%s [goldsmith: %d bytes of the log were dropped because of history.logMaxBytes]\n", text, rest-head)
	if !begins {
		out = append(out, text+" "...)
	}
	return append(out, stream[rest:]...)
}

// naiveSizes of a limit: the length of the head and of a chunk.
func naiveSizes(limit Limit) (head, chunk int64) {
	most := max(limit.MaxBytes, 1024)
	return most / 2, min(most/16, 1<<20)
}

// naiveCut returns the range that the limit cuts out of a stream of that length.
func naiveCut(length int64, limit Limit) (from, to int64) {
	if limit.MaxBytes <= 0 {
		return 0, 0
	}
	head, chunk := naiveSizes(limit)
	tail := max(limit.MaxBytes, 1024) - head
	to = head
	for to < length-tail && to+chunk < length {
		to += chunk
	}
	return head, to
}

// lines of a build: all with a timestamp, one every 10 ms.
func lines(r *rand.Rand, bytes int) []byte {
	var stream []byte
	for i := 0; len(stream) < bytes; i++ {
		stream = append(stream, stamped(i*10, strings.Repeat("word ", r.IntN(12)))...)
	}
	return stream[:bytes]
}

func TestALimitOfLessThanAKibibyteIsOne(t *testing.T) {
	s := newFake().open(Options{})
	w := writer(t, s, Limit{MaxBytes: 1})
	write(t, w, lines(rand.New(rand.NewPCG(1, 1)), 5000))
	summary := seal(t, w, Seal{})
	if kept := summary.Bytes - summary.Cut; kept > 1024 || kept < 1024-64 {
		t.Errorf("%d bytes are kept", kept)
	}
}

func TestALineLongerThanAChunkGoesOnWithTheLastTimestamp(t *testing.T) {
	s := newFake().open(Options{})
	limit := Limit{MaxBytes: 1 << 10}
	w := writer(t, s, limit)
	stream := []byte(stamped(0, "one") + stamped(1000, strings.Repeat("x", 5000)) + stamped(2000, "end"))
	write(t, w, stream)
	seal(t, w, Seal{})
	from, to := naiveCut(int64(len(stream)), limit)
	line := strings.TrimSuffix(stamped(1000, ""), "\n")
	want := fmt.Sprintf("%s\n%s[goldsmith: %d bytes of the log were dropped because of history.logMaxBytes]\n%s%s",
		stream[:from], line, to-from, line, stream[to:])
	same(t, "all", readAll(t, s, Position{}), []byte(want))
	same(t, "without timestamps", stripped(t, readAll(t, s, Position{}), 7), naiveStrip([]byte(want)))
}

func TestAByteZeroBeforeACutEndsNoLine(t *testing.T) {
	s := newFake().open(Options{})
	w := writer(t, s, Limit{MaxBytes: 1 << 10})
	stream := bytes.Repeat([]byte{0}, 5000)
	write(t, w, stream)
	flush(t, w)
	got := readAll(t, s, Position{})
	if lines := bytes.Split(got, []byte{'\n'}); len(lines) != 3 || !bytes.Contains(lines[1], []byte("bytes of the log were dropped")) {
		t.Errorf("got %q", got)
	}
}

func TestAnOffsetInWhatIsCutBeginsWithTheNotice(t *testing.T) {
	s := newFake().open(Options{})
	limit := Limit{MaxBytes: 1 << 10}
	w := writer(t, s, limit)
	stream := lines(rand.New(rand.NewPCG(2, 2)), 5000)
	write(t, w, stream)
	flush(t, w)
	_, to := naiveCut(int64(len(stream)), limit)
	got := readAll(t, s, Position{Offset: to - 100})
	if want := " [goldsmith: 100 bytes of the log were dropped because of history.logMaxBytes]\n"; !bytes.Contains(got[:len(want)+40], []byte(want)) {
		t.Errorf("got %q", got)
	}
	if !bytes.HasSuffix(got, stream[to:]) {
		t.Errorf("got %q, which does not end %q", got, stream[to:])
	}
	same(t, "what follows", readAll(t, s, Position{Offset: to}), stream[to:])
}

// A new limit applies from now on, and to stored chunks as well.
func TestOfLimitsTheLastCounts(t *testing.T) {
	s := newFake().open(Options{})
	stream := lines(rand.New(rand.NewPCG(3, 3)), 60<<10)
	w := writer(t, s, Limit{MaxBytes: 64 << 10})
	write(t, w, stream[:50<<10])
	flush(t, w)
	w = writer(t, s, Limit{MaxBytes: 8 << 10})
	write(t, w, stream[50<<10:])
	summary := seal(t, w, Seal{})
	if kept := summary.Bytes - summary.Cut; kept > 16<<10 {
		t.Errorf("%d bytes are kept", kept) // the head is in chunks of the first limit
	}
	w = writer(t, s, Limit{})
	if !w.Sealed() {
		t.Error("it is not sealed")
	}
}

// A chunk of an older limit can be longer than all that the new limit keeps.
func TestTheLastChunkStaysWhateverTheLimit(t *testing.T) {
	s := newFake().open(Options{})
	stream := lines(rand.New(rand.NewPCG(6, 6)), 48<<10)
	older := writer(t, s, Limit{MaxBytes: 64 << 10})
	write(t, older, stream)
	flush(t, older)
	w := writer(t, s, Limit{MaxBytes: 1 << 10})
	flush(t, w)
	if got := readAll(t, s, Position{}); !bytes.HasSuffix(got, stream[44<<10:]) {
		t.Errorf("the end is not kept: %d bytes are", len(got))
	}
	if summary := seal(t, w, Seal{}); summary.Bytes != 48<<10 || summary.Cut == 0 {
		t.Errorf("got %+v", summary)
	}
}
