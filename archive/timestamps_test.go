// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// stripped reads with buffers of that size.
func stripped(t testing.TB, stream []byte, size int) []byte {
	t.Helper()
	r := StripTimestamps(bytes.NewReader(stream))
	var out []byte
	for buffer := make([]byte, size); ; {
		n, err := r.Read(buffer)
		out = append(out, buffer[:n]...)
		if err == io.EOF {
			return out
		}
		require.NoError(t, err)
	}
}

func TestStripTimestampsIsWhatANaiveOneIs(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 30))
		stream := randomStream(r, r.IntN(60), true)
		want := naiveStrip(stream)
		size := 1 + r.IntN(100)
		same(t, fmt.Sprintf("seed %d, buffers of %d", seed, size), stripped(t, stream, size), want)
		for name, slow := range map[string]func(io.Reader) io.Reader{
			"one byte": iotest.OneByteReader, "half": iotest.HalfReader, "data with the error": iotest.DataErrReader,
		} {
			got := require.Value(io.ReadAll(StripTimestamps(slow(bytes.NewReader(stream)))))(t)
			same(t, fmt.Sprintf("seed %d, %s", seed, name), got, want)
		}
	}
}

func TestStampedLinesAreWhatANaiveReaderChooses(t *testing.T) {
	unstamped := errors.New("the last line has no timestamp")
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 31))
		stream := randomStream(r, r.IntN(60), true)
		var with, without []byte
		var end error
		for _, line := range naiveLines(stream) {
			end = unstamped
			if line.stamp > 0 {
				with, without, end = append(with, line.text...), append(without, line.text[line.stamp:]...), nil
			}
		}
		for timestamps, want := range map[bool][]byte{true: with, false: without} {
			for name, slow := range map[string]func(io.Reader) io.Reader{"one byte": iotest.OneByteReader, "half": iotest.HalfReader} {
				got, err := io.ReadAll(slow(StampedLines(slow(bytes.NewReader(stream)), time.Time{}, timestamps, unstamped)))
				same(t, fmt.Sprintf("seed %d, %s", seed, name), got, want)
				if !errors.Is(err, end) {
					t.Errorf("seed %d, %s: the end is %v, want %v", seed, name, err, end)
				}
			}
		}
	}
}

func TestStripTimestampsAtTheEdges(t *testing.T) {
	for in, want := range map[string]string{
		"":                                      "",
		"\n":                                    "\n",
		"2026-03-01T12:00:00Z ":                 "",
		"2026-03-01T12:00:00Z":                  "2026-03-01T12:00:00Z",
		"2026-03-01T12:00:00Z \n":               "\n",
		"2026-03-01T12:00:00Z\n":                "2026-03-01T12:00:00Z\n",
		"2026-03-01T12:00:00.123456789+02:00 x": "x",
		"2026-03-01T12:00:00Z 2026-03-01T12:00:00Z x": "2026-03-01T12:00:00Z x",
		" 2026-03-01T12:00:00Z x":                     " 2026-03-01T12:00:00Z x",
		"2026":                                        "2026",
		"a\n2026-03-01T12:00:00Z b":                   "a\nb",
	} {
		for _, size := range []int{1, 2, 100} {
			if got := string(stripped(t, []byte(in), size)); got != want {
				t.Errorf("%q by %d: got %q, want %q", in, size, got, want)
			}
		}
	}
}

// A server flushes the result of each Read: one flush for each line would take most of the time of a log of short lines.
func TestStripTimestampsReadsShortLinesByTheBlock(t *testing.T) {
	line := "2026-03-01T12:00:00Z \n"
	log := strings.Repeat(line, 10_000)
	r, reads, got := StripTimestamps(strings.NewReader(log)), 0, 0
	for buffer := make([]byte, 32<<10); ; reads++ {
		n, err := r.Read(buffer)
		if got += n; err != nil {
			break
		}
	}
	if most := len(log)/(32<<10) + 2; got != 10_000 || reads > most {
		t.Errorf("%d bytes in %d reads, want 10000 in at most %d", got, reads, most)
	}
	next := errors.New("the next line was awaited")
	if n, err := StripTimestamps(io.MultiReader(strings.NewReader(line), iotest.ErrReader(next))).Read(make([]byte, 32<<10)); n != 1 || err != nil {
		t.Errorf("the first line: %d bytes, %v", n, err)
	}
}

func TestStripTimestampsGivesTheErrorAfterWhatCameBefore(t *testing.T) {
	broken := errors.New("the connection broke")
	in := io.MultiReader(strings.NewReader("2026-03-01T12:00:00Z one\n2026-03-01T12:"), iotest.ErrReader(broken))
	got, err := io.ReadAll(StripTimestamps(in))
	if string(got) != "one\n2026-03-01T12:" || !errors.Is(err, broken) {
		t.Errorf("got %q, %v", got, err)
	}
}
