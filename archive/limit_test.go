// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// naiveLimited returns the bytes of a stream that a reader must return under a limit.
func naiveLimited(stream []byte, limit Limit) []byte {
	head, rest := naiveCut(stream, limit)
	if head == rest {
		return stream
	}
	out := bytes.Clone(stream[:head])
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	stamp, begins := epoch(), false
	for _, line := range naiveLines(stream[:head]) {
		if line.stamp > 0 {
			stamp = line.at
		}
	}
	after := stream[rest:]
	for _, chunk := range naiveChunks(stream, limit) {
		if chunk.start == rest {
			after = stream[rest:chunk.end]
		}
	}
	for i, line := range naiveLines(after) {
		if line.stamp > 0 {
			stamp, begins = line.at, i == 0
			break
		}
	}
	text := stamp.UTC().Format(time.RFC3339Nano)
	out = fmt.Appendf(out, "%s [goldsmith: %d bytes of the log were dropped because of history.logMaxBytes]\n", text, naiveText(stream[:rest])-naiveText(stream[:head]))
	if !begins {
		out = append(out, text+" "...)
	}
	return append(out, stream[rest:]...)
}

// naiveText is how much of a stream is no timestamp.
func naiveText(stream []byte) (text int64) {
	for _, line := range naiveLines(stream) {
		text += int64(len(line.text) - line.stamp)
	}
	return text
}

// naiveChunks divides a stream into chunks.
func naiveChunks(stream []byte, limit Limit) (chunks []span) {
	text := make([]int64, len(stream)+1)     // before each byte
	begins := make([]bool, len(stream)+1)    // a line
	undecided := make([]bool, len(stream)+1) // whether it has a timestamp
	begins[0] = true
	at := 0
	for _, line := range naiveLines(stream) {
		decided := min(len(line.text), maxTimestamp+1)
		if end := bytes.IndexAny(line.text[:decided], " \n"); end >= 0 {
			decided = end + 1
		}
		if line.text[0] < '0' || line.text[0] > '9' {
			decided = 1
		}
		for i := range line.text {
			text[at+i+1] = text[at] + int64(max(0, i+1-line.stamp))
			undecided[at+i+1] = i+1 < decided
		}
		at += len(line.text)
		begins[at] = line.text[len(line.text)-1] == '\n'
	}
	const all = 1 << 20
	most := max(limit.MaxBytes, 1024)
	for start, end := 0, 0; start < len(stream); start = end {
		allowed := min(most/16, all)
		slack := allowed / 8
		if text[start] < most/2-slack {
			allowed = min(allowed, most/2-text[start])
		}
		for end = start + 1; end < len(stream); end++ {
			size, text := end-start, text[end]-text[start]
			if begins[end] && (size >= all*7/8 || text >= allowed-slack) || size == all || !begins[end] && !undecided[end] && text >= allowed {
				break
			}
		}
		chunks = append(chunks, span{start: int64(start), end: int64(end), text: text[start], textEnd: text[end]})
	}
	return chunks
}

// naiveCut returns the range that the limit cuts out of a stream.
func naiveCut(stream []byte, limit Limit) (from, to int64) {
	if limit.MaxBytes <= 0 {
		return 0, 0
	}
	most := max(limit.MaxBytes, 1024)
	head, slack := most/2, min(most/16, 1<<20)/8
	chunks := naiveChunks(stream, limit)
	for i, chunk := range chunks {
		if chunk.text < head-slack {
			from, to = chunk.end, chunk.end
			continue
		}
		if i < len(chunks)-1 && chunk.text < chunks[len(chunks)-1].textEnd-(most-head) {
			to = chunk.end
		}
	}
	return from, to
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
	if kept := summary.Chunks[len(summary.Chunks)-1].Text.End - summary.CutText; kept > 1024 || kept < 1024-3*64 {
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
	from, to := naiveCut(stream, limit)
	line := strings.TrimSuffix(stamped(1000, ""), "\n")
	want := fmt.Sprintf("%s\n%s[goldsmith: %d bytes of the log were dropped because of history.logMaxBytes]\n%s%s",
		stream[:from], line, naiveText(stream[:to])-naiveText(stream[:from]), line, stream[to:])
	same(t, "all", readAll(t, s, Position{}), []byte(want))
	same(t, "without timestamps", stripped(t, readAll(t, s, Position{}), 7), naiveStrip([]byte(want)))
}

func TestAByteZeroBeforeACutEndsNoLine(t *testing.T) {
	s := newFake().open(Options{})
	w := writer(t, s, Limit{MaxBytes: 1 << 10})
	stream := bytes.Repeat([]byte{0}, 5000)
	store(t, w, stream)
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
	store(t, w, stream)
	from, to := naiveCut(stream, limit)
	got := readAll(t, s, Position{Offset: to - 100})
	want := fmt.Sprintf(" [goldsmith: %d bytes of the log were dropped because of history.logMaxBytes]\n", naiveText(stream[from:to]))
	if !bytes.Contains(got[:len(want)+40], []byte(want)) {
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
	store(t, w, stream[:50<<10])
	w = writer(t, s, Limit{MaxBytes: 8 << 10})
	write(t, w, stream[50<<10:])
	summary := seal(t, w, Seal{})
	if kept := summary.Chunks[len(summary.Chunks)-1].Text.End - summary.CutText; kept > 16<<10 {
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
	limit := Limit{MaxBytes: 64 << 10}
	older := writer(t, s, limit)
	store(t, older, stream)
	w := writer(t, s, Limit{MaxBytes: 1 << 10})
	flush(t, w)
	chunks := naiveChunks(stream, limit)
	if got := readAll(t, s, Position{}); !bytes.HasSuffix(got, stream[chunks[len(chunks)-1].start:]) {
		t.Errorf("the end is not kept: %d bytes are", len(got))
	}
	if summary := seal(t, w, Seal{}); summary.Bytes != 48<<10 || summary.Cut == 0 {
		t.Errorf("got %+v", summary)
	}
}

// Only what the builder wrote counts: here less than a tenth of the stream.
func TestALimitDoesNotCountTimestamps(t *testing.T) {
	s := newFake().open(Options{})
	w := writer(t, s, Limit{MaxBytes: 64 << 10})
	var stream []byte
	for i := range 30 << 10 {
		stream = append(stream, stamped(i, "x")...)
	}
	write(t, w, stream)
	if w.Text() != 60<<10 {
		t.Errorf("the builder wrote %d bytes", w.Text())
	}
	if summary := seal(t, w, Seal{}); summary.Cut != 0 || summary.CutText != 0 || w.Text() != 60<<10 {
		t.Errorf("a log of 60 KiB is cut: %+v", summary)
	}
	same(t, "all", readAll(t, s, Position{}), stream)
}

func TestALogIsCutAtTheEndsOfLines(t *testing.T) {
	s := newFake().open(Options{})
	w := writer(t, s, Limit{MaxBytes: 64 << 10})
	stream := lines(rand.New(rand.NewPCG(7, 7)), 400<<10)
	write(t, w, stream)
	seal(t, w, Seal{})
	before, after, found := bytes.Cut(readAll(t, s, Position{}), []byte(" [goldsmith: "))
	before = before[:bytes.LastIndexByte(before, '\n')+1]
	_, after, _ = bytes.Cut(after, []byte{'\n'})
	if !found || !bytes.HasPrefix(stream, before) || !bytes.HasSuffix(stream, append([]byte{'\n'}, after...)) || Timestamp(after).IsZero() {
		t.Errorf("it ends %q, and continues %q", before[len(before)-80:], after[:80])
	}
}

func TestALimitOfAReaderDoesNotCountTimestamps(t *testing.T) {
	stream := []byte(stamped(0, "one") + stamped(1, "two") + "2026 is no timestamp\nthree")
	text := naiveStrip(stream)
	for limit := range int64(len(text) + 2) {
		for size, r := range map[string]io.Reader{"at once": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream))} {
			got := require.Value(io.ReadAll(LimitText(r, limit)))(t)
			if n := int64(len(naiveStrip(got))); !bytes.HasPrefix(stream, got) || n < min(limit, int64(len(text))) || n > limit+4 {
				t.Errorf("limit %d, %s: %q", limit, size, got)
			}
		}
	}
}
