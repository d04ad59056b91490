// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
)

// headBytes is more than a timestamp and the names of all tests of an image need.
const headBytes = 2048

// TestLines selects the lines of one test from the log of an attempt at tests, without the prefix of the test. The prefix is the name of
// the test and ": ". For a line of a guest's console, it is the names of the tests that share the guest, as in "boots,web| ".
type TestLines struct {
	// Test is the name of the test.
	Test string
	// Unprefixed selects the lines without a prefix too, as a runner may write them. Lines with the prefix of one of Others are not selected.
	Unprefixed bool
	// Others are the other tests of the attempt.
	Others []string
	// Timestamps is true if each line begins with a timestamp and a space.
	Timestamps bool
	// Tail is the maximum number of lines, from the end of the log. With Tail, all lines are returned by End. Without it, there is no limit.
	Tail *int64

	head    []byte // the beginning of a line, until it is long enough to be judged
	inLine  bool   // true after the line was judged, until it ends
	dropped bool   // true if that line is not selected
	last    []byte // selected lines, if Tail is set
}

// Select returns what is selected of the next chunk of the log.
func (l *TestLines) Select(chunk []byte) []byte {
	var selected []byte
	for part := range bytes.Lines(chunk) {
		selected = append(selected, l.judge(part, part[len(part)-1] == '\n')...)
	}
	return l.keep(selected)
}

// End returns the rest of what is selected, at the end of the log. Afterwards, another log can follow.
func (l *TestLines) End() []byte {
	l.last = append(l.last, l.judge(nil, true)...)
	rest := l.last
	l.last = nil
	if l.Tail == nil {
		return rest
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(rest, []byte("\n")), []byte("\n"))
	lines = lines[max(0, int64(len(lines))-max(0, *l.Tail)):]
	text := bytes.Join(lines, nil)
	if len(text) > 0 && bytes.HasSuffix(rest, []byte("\n")) {
		text = append(text, '\n')
	}
	return text
}

func (l *TestLines) keep(selected []byte) []byte {
	if l.Tail == nil {
		return selected
	}
	l.last = append(l.last, selected...)
	return nil
}

// judge returns what is selected of a part of a line.
func (l *TestLines) judge(part []byte, ends bool) []byte {
	text := part
	if !l.inLine {
		l.head = append(l.head, part...)
		if len(l.head) < headBytes && !ends {
			return nil
		}
		text, l.dropped = l.withoutPrefix(l.head)
		l.head = nil
	}
	if l.inLine = !ends; l.dropped {
		return nil
	}
	return text
}

// withoutPrefix returns a line, or its beginning, without the prefix of the test. dropped is true if the line is not one of the test.
func (l *TestLines) withoutPrefix(line []byte) (kept []byte, dropped bool) {
	stamp, rest := "", string(line)
	if l.Timestamps {
		if before, after, ok := strings.Cut(rest, " "); ok {
			stamp, rest = before+" ", after
		}
	}
	tests, text := cutPrefix(rest)
	isOther := func(test string) bool { return slices.Contains(l.Others, test) }
	switch {
	case slices.Contains(tests, l.Test):
		return []byte(stamp + text), false
	case slices.ContainsFunc(tests, isOther):
		return nil, true
	}
	return line, !l.Unprefixed
}

// cutPrefix returns the tests that a prefix names, and the rest of the line.
func cutPrefix(line string) (tests []string, rest string) {
	at := strings.IndexAny(line, ":| ")
	switch {
	case at < 0:
		return nil, line
	case strings.HasPrefix(line[at:], "| "):
		return strings.Split(line[:at], ","), line[at+2:]
	case strings.HasPrefix(line[at:], ": "):
		return []string{line[:at]}, line[at+2:]
	}
	return nil, line
}

// reader reads a log. Without lines, it reads the whole log.
type reader struct {
	io.Reader
	lines *TestLines
	rest  []byte
	ended bool
}

// Read implements io.Reader.
func (r *reader) Read(into []byte) (int, error) {
	if r.lines == nil {
		return r.Reader.Read(into)
	}
	for len(r.rest) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		chunk := make([]byte, chunkBytes)
		n, err := r.Reader.Read(chunk)
		r.rest = r.lines.Select(chunk[:n])
		switch {
		case errors.Is(err, io.EOF):
			r.rest, r.ended = append(r.rest, r.lines.End()...), true
		case err != nil:
			return 0, err
		}
	}
	n := copy(into, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
