// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// maxTimestamp is the maximum length of an RFC 3339 timestamp, with nanoseconds and a zone.
const maxTimestamp = len("2006-01-02T15:04:05.000000000-07:00")

// parseTimestamp reads the timestamp at the beginning of a line. n is its length, including the space after it.
func parseTimestamp(line []byte) (t time.Time, n int, ok bool) {
	if len(line) == 0 || line[0] < '0' || line[0] > '9' {
		return time.Time{}, 0, false // most lines without a timestamp
	}
	end := bytes.IndexByte(line[:min(len(line), maxTimestamp+1)], ' ')
	if end < 0 || bytes.IndexByte(line[:end], ',') >= 0 { // Parse also accepts a comma before the fraction
		return time.Time{}, 0, false
	}
	t, err := time.Parse(time.RFC3339Nano, string(line[:end]))
	return t, end + 1, err == nil
}

// firstTimestamp finds the first line in content with a timestamp. begins is whether a line begins with content.
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

// lastTimestamp finds the last line in content with a timestamp.
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

// stamps finds the first and the last timestamp of a stream that is written in pieces.
type stamps struct {
	first, last time.Time
	inLine      bool   // buffer does not begin a line
	buffer      []byte // the beginning of a line that continues in the next piece, as long as it may be a timestamp
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

// StripTimestamps returns the lines of r without their timestamps and the space after them. A line without a timestamp is not
// changed. Memory does not grow with the length of a line. Errors are those of r.
func StripTimestamps(r io.Reader) io.Reader {
	return newLineReader(r, func(_ time.Time, stamped bool) (line, stamp bool) { return true, !stamped })
}

// StampedLines returns the lines of r that begin with a timestamp which is not before since, with or without the timestamp, and
// leaves out all other lines. If the last line has no timestamp, the reader ends with the error end. Otherwise errors are those
// of r. Memory does not grow with the length of a line.
func StampedLines(r io.Reader, since time.Time, timestamps bool, end error) io.Reader {
	l := &stampedLines{last: true, end: end}
	l.lines = newLineReader(r, func(t time.Time, stamped bool) (line, stamp bool) {
		l.last = stamped
		return stamped && !t.Before(since), timestamps
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

// A choice decides whether a line is returned, and whether with its timestamp, if the line has one.
type choice func(t time.Time, stamped bool) (line, stamp bool)

// lineReader returns the lines and timestamps of a reader that a choice selects.
type lineReader struct {
	r      io.Reader
	choose choice

	buffer []byte // buffer[at:] was read, but not processed yet
	at     int
	out    []byte // the bytes to return next, a part of buffer
	err    error  // the error or io.EOF with which r ended

	begun  bool // a line has begun, and a choice was made
	chosen bool
}

func newLineReader(r io.Reader, choose choice) *lineReader {
	return &lineReader{r: r, choose: choose, buffer: make([]byte, 0, 32<<10)}
}

// Read returns as many lines as the buffer has, because a caller may flush each piece.
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

// next processes the next piece of the buffer: the beginning of a line, or its continuation. It reports whether there was one.
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

// begin decides whether the line at the beginning of rest has a timestamp. It returns false if rest is too short to decide.
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

// fill reads more. The end of r is reported once all bytes before it were returned.
func (l *lineReader) fill() error {
	if l.err != nil {
		err := l.err
		l.err = nil // a reader of a growing log continues after its end
		return err
	}
	kept := copy(l.buffer[:cap(l.buffer)], l.buffer[l.at:])
	n, err := l.r.Read(l.buffer[kept:cap(l.buffer)])
	l.buffer, l.at, l.err = l.buffer[:kept+n], 0, err
	return nil
}
