// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"time"
)

// epoch is when logs of tests begin.
func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// stamped is a line as pods/log gives it, that many milliseconds after the epoch.
func stamped(milliseconds int, text string) string {
	return epoch().Add(time.Duration(milliseconds)*time.Millisecond).Format(time.RFC3339Nano) + " " + text + "\n"
}

// randomStream covers all kinds of lines that a stream can have. With jumps, its clock sometimes jumps back.
func randomStream(r *rand.Rand, lines int, jumps bool) []byte {
	var stream []byte
	now := epoch()
	for range lines {
		now = now.Add(time.Duration(r.IntN(3)) * 250 * time.Millisecond)
		if jumps && r.IntN(10) == 0 {
			now = now.Add(-time.Duration(r.IntN(20)) * time.Second)
		}
		if r.IntN(5) > 0 {
			stream = append(stream, now.In(zone(r)).Format(layoutOf(r))...)
			stream = append(stream, ' ')
		}
		stream = append(stream, randomText(r)...)
		stream = append(stream, '\n')
	}
	if len(stream) > 0 && r.IntN(2) == 0 {
		stream = stream[:len(stream)-1]
	}
	return stream
}

func zone(r *rand.Rand) *time.Location {
	return []*time.Location{time.UTC, time.UTC, time.UTC, time.FixedZone("", 7200), time.FixedZone("", -12600)}[r.IntN(5)]
}

func layoutOf(r *rand.Rand) string {
	return []string{time.RFC3339Nano, time.RFC3339Nano, "2006-01-02T15:04:05.000000000Z07:00"}[r.IntN(3)]
}

func randomText(r *rand.Rand) []byte {
	switch r.IntN(20) {
	case 0:
		return nil
	case 1:
		return bytes.Repeat([]byte("long "), r.IntN(300))
	case 2, 3:
		binary := make([]byte, r.IntN(60))
		for i := range binary {
			binary[i] = byte(r.IntN(256))
		}
		return binary
	case 4:
		return []byte("\xff\xfe half a rune \xe2\x82")
	case 5:
		return []byte("2026-03-01T12:00:00Z") // a timestamp, without the space after it
	case 6:
		return []byte("2026-13-99T99:00:00Z is none")
	case 7:
		return []byte("\r\x00")
	default:
		return fmt.Appendf(nil, "step %d of the build", r.IntN(1000))
	}
}

// naiveLine is a line of a stream, as the oracle sees it.
type naiveLine struct {
	text  []byte // with its newline
	stamp int    // the length of the timestamp and the space; 0 if it has none
	at    time.Time
}

func naiveLines(stream []byte) []naiveLine {
	timestamp := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d) `)
	var lines []naiveLine
	for _, text := range bytes.SplitAfter(stream, []byte{'\n'}) {
		if len(text) == 0 {
			continue // after the last newline
		}
		line := naiveLine{text: text}
		if found := timestamp.Find(text); found != nil {
			if at, err := time.Parse(time.RFC3339Nano, string(found[:len(found)-1])); err == nil {
				line.stamp, line.at = len(found), at
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// naiveRead returns the bytes that a reader must return of a stream without a limit.
func naiveRead(stream []byte, from Position) []byte {
	begin := min(max(from.Offset, 0), int64(len(stream)))
	if from.TailLines != nil {
		lines := naiveLines(stream)
		tail := int64(len(stream))
		for i := len(lines) - 1; i >= max(0, len(lines)-int(max(*from.TailLines, 0))); i-- {
			tail -= int64(len(lines[i].text))
		}
		begin = max(begin, tail)
	}
	return naiveSince(stream[begin:], from.Since)
}

func naiveSince(stream []byte, since time.Time) []byte {
	if since.IsZero() {
		return stream
	}
	var out []byte
	chosen := false
	for _, line := range naiveLines(stream) {
		if line.stamp > 0 {
			chosen = !line.at.Before(since)
		}
		if chosen {
			out = append(out, line.text...)
		}
	}
	return out
}

func naiveStrip(stream []byte) []byte {
	var out []byte
	for _, line := range naiveLines(stream) {
		out = append(out, line.text[line.stamp:]...)
	}
	return out
}
