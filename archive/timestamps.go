// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// maxTimestamp is the longest that an RFC 3339 timestamp can be: nine digits of a second, and a zone.
const maxTimestamp = len("2006-01-02T15:04:05.000000000-07:00")

// parseTimestamp reads the timestamp that a line begins with. n is its length with the space after it.
func parseTimestamp(line []byte) (t time.Time, n int, ok bool) {
	if len(line) == 0 || line[0] < '0' || line[0] > '9' {
		return time.Time{}, 0, false // most of what has none
	}
	end := bytes.IndexByte(line[:min(len(line), maxTimestamp+1)], ' ')
	if end < 0 {
		return time.Time{}, 0, false
	}
	t, err := time.Parse(time.RFC3339Nano, string(line[:end]))
	return t, end + 1, err == nil
}

// firstTimestamp finds the first line in content that has one. begins says that a line begins with content.
func firstTimestamp(content []byte, begins bool) (t time.Time, at int, ok bool) {
	for at = 0; ; {
		if begins {
			if t, _, ok := parseTimestamp(content[at:]); ok {
				return t, at, true
			}
		}
		next := bytes.IndexByte(content[at:], '\n')
		if next < 0 {
			return time.Time{}, 0, false
		}
		at, begins = at+next+1, true
	}
}

// lastTimestamp finds the last line in content that has one.
func lastTimestamp(content []byte, begins bool) (time.Time, bool) {
	for len(content) > 0 {
		at := bytes.LastIndexByte(content, '\n')
		if at >= 0 || begins {
			if t, _, ok := parseTimestamp(content[at+1:]); ok {
				return t, true
			}
		}
		content = content[:max(at, 0)]
	}
	return time.Time{}, false
}

// stamps finds the first and the last timestamp of a stream that comes in pieces.
type stamps struct {
	first, last time.Time
	inLine      bool   // buffer does not begin a line
	buffer      []byte // the beginning of a line that goes on in the next piece, as long as it may be a timestamp's
}

func (s *stamps) add(piece []byte) {
	s.buffer = append(s.buffer, piece...)
	if s.first.IsZero() {
		s.first, _, _ = firstTimestamp(s.buffer, !s.inLine)
	}
	if t, ok := lastTimestamp(s.buffer, !s.inLine); ok {
		s.last = t
	}
	at := bytes.LastIndexByte(s.buffer, '\n') + 1
	rest := s.buffer[at:]
	if s.inLine = at == 0 && s.inLine || len(rest) > maxTimestamp; s.inLine {
		rest = nil
	}
	s.buffer = append(s.buffer[:0], rest...)
}

// StripTimestamps gives what r gives, without the timestamp that a line begins with, and the space after it. A line
// that begins with none is given as it is. Memory does not grow with the length of a line. Errors are those of r.
func StripTimestamps(r io.Reader) io.Reader {
	return newLineReader(r, func(_ time.Time, stamped bool) (line, stamp bool) { return true, !stamped })
}

// StampedLines gives the lines of r that begin with a timestamp, with or without it, and leaves out all others. Where the last
// line is left out, the end of r is the error that the caller names. Otherwise errors are those of r. Memory does not grow with
// the length of a line.
func StampedLines(r io.Reader, timestamps bool, end error) io.Reader {
	l := &stampedLines{last: true, end: end}
	l.lines = newLineReader(r, func(_ time.Time, stamped bool) (line, stamp bool) {
		l.last = stamped
		return stamped, timestamps
	})
	return l
}

type stampedLines struct {
	lines *lineReader
	last  bool // the last line is stamped
	end   error
}

// Read implements io.Reader.
func (l *stampedLines) Read(p []byte) (int, error) {
	n, err := l.lines.Read(p)
	if errors.Is(err, io.EOF) && !l.last {
		err = l.end
	}
	return n, err
}

// A choice says of a line whether it is given, and whether with its timestamp, if it is stamped with one.
type choice func(t time.Time, stamped bool) (line, stamp bool)

// lineReader gives those lines of a reader, and those timestamps, that are chosen.
type lineReader struct {
	r      io.Reader
	choose choice

	buffer []byte // what was read and not looked at is buffer[at:]
	at     int
	out    []byte // what to give next; a part of buffer
	err    error  // what r ended with

	begun  bool // a line has begun, and was chosen or not
	chosen bool
}

func newLineReader(r io.Reader, choose choice) *lineReader {
	return &lineReader{r: r, choose: choose, buffer: make([]byte, 0, 32<<10)}
}

// Read gives as many lines as there are in the buffer: a caller may flush each piece.
func (l *lineReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		switch {
		case len(l.out) > 0:
			copied := copy(p[n:], l.out)
			l.out = l.out[copied:]
			n += copied
		case l.next():
		case n > 0:
			return n, nil
		default:
			if err := l.fill(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// next looks at the next piece of what was read: the beginning of a line, or more of it. It reports whether there was one.
func (l *lineReader) next() bool {
	rest := l.buffer[l.at:]
	if len(rest) == 0 {
		return false
	}
	if !l.begun {
		return l.begin(rest)
	}
	end := bytes.IndexByte(rest, '\n') + 1
	if end == 0 {
		end = len(rest)
	} else {
		l.begun = false
	}
	l.at += end
	if l.chosen {
		l.out = rest[:end]
	}
	return true
}

// begin chooses the line that rest begins with, once there is enough of it.
func (l *lineReader) begin(rest []byte) bool {
	t, n, stamped := parseTimestamp(rest)
	if !stamped && len(rest) <= maxTimestamp && l.err == nil && bytes.IndexByte(rest, '\n') < 0 {
		return false
	}
	line, stamp := l.choose(t, stamped)
	l.begun, l.chosen = true, line
	if stamped {
		l.at += n
		if line && stamp {
			l.out = rest[:n]
		}
	}
	return true
}

// fill reads more. What r ended with is said once all before it was given.
func (l *lineReader) fill() error {
	if l.err != nil {
		err := l.err
		l.err = nil // a reader of a log that grows goes on after its end
		return err
	}
	kept := copy(l.buffer[:cap(l.buffer)], l.buffer[l.at:])
	n, err := l.r.Read(l.buffer[kept:cap(l.buffer)])
	l.buffer, l.at, l.err = l.buffer[:kept+n], 0, err
	return nil
}
