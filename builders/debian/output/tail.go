// SPDX-License-Identifier: Apache-2.0

// Package output keeps the last lines that a program prints, and finds in them why it failed.
package output

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// kept is the number of lines that are kept. APT prints the cause of an error early, and what follows from it last.
const kept = 200

// Tail passes text on, and keeps its last lines without the blanks around them, and without empty lines.
type Tail struct {
	// To gets the text.
	To io.Writer

	lines []string
	begun []byte // of a line
}

// Write passes text on.
func (t *Tail) Write(text []byte) (int, error) {
	t.begun = append(t.begun, text...)
	for {
		line, rest, ended := bytes.Cut(t.begun, []byte("\n"))
		if !ended {
			return t.To.Write(text)
		}
		t.keep(line)
		t.begun = rest
	}
}

// Lines returns the last lines. The last one may be incomplete.
func (t *Tail) Lines() []string {
	t.keep(t.begun)
	t.begun = nil
	return t.lines
}

func (t *Tail) keep(line []byte) {
	if text := string(bytes.TrimSpace(line)); text != "" {
		t.lines = append(t.lines, text)
		t.lines = t.lines[max(0, len(t.lines)-kept):]
	}
}

// NoSpace reports whether a program found the disk full.
func NoSpace(lines []string) bool {
	for _, line := range lines {
		// apt prints the second, mmdebstrap and dpkg the first.
		if strings.Contains(line, "No space left on device") || strings.Contains(line, "You don't have enough free space") {
			return true
		}
	}
	return false
}

// Errors returns the lines in which mmdebstrap and apt tell errors, or the last lines if there is none.
func Errors(lines []string) []string {
	const last = 4
	lines = slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.HasSuffix(line, "mmdebstrap failed to run") })
	errors := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return !strings.HasPrefix(line, "E: ") && !strings.HasPrefix(line, "Error: ")
	})
	if len(errors) == 0 {
		return lines[max(0, len(lines)-last):]
	}
	return errors
}
