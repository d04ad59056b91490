// SPDX-License-Identifier: Apache-2.0

// Package output keeps the last lines that a program prints, and finds in them why it failed.
package output

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// kept is the number of lines that are kept. APT prints the cause of an error early, and what follows from it last.
const kept = 200

// Tail passes lines on as a terminal would show them, and keeps the last ones without the blanks around them, and without empty lines.
type Tail struct {
	// To gets the lines.
	To io.Writer
	// Noise matches lines that tell users nothing: they are neither passed on nor kept. Optional.
	Noise *regexp.Regexp
	// Seen is called with each line that is kept. Optional.
	Seen func(line string)

	lines []string
	begun []byte // of a line
}

// Write passes complete lines on.
func (t *Tail) Write(text []byte) (int, error) {
	t.begun = append(t.begun, text...)
	for {
		line, rest, ended := bytes.Cut(t.begun, []byte("\n"))
		if !ended {
			return len(text), nil
		}
		t.begun = rest
		if err := t.pass(line); err != nil {
			return 0, err
		}
	}
}

// Lines returns the last lines, after it has passed on one that is incomplete.
func (t *Tail) Lines() []string {
	if len(t.begun) > 0 {
		_ = t.pass(t.begun) // a failure to write the log cannot be reported anywhere
		t.begun = nil
	}
	return t.lines
}

func (t *Tail) pass(line []byte) error {
	// Programs such as dpkg overwrite a line to show their progress.
	line = bytes.TrimRight(line, "\r")
	line = line[bytes.LastIndexByte(line, '\r')+1:]
	line = []byte(v1alpha1.HidePasswords(string(line))) // such as that of a proxy
	if t.Noise != nil && t.Noise.Match(line) {
		return nil
	}
	if text := string(bytes.TrimSpace(line)); text != "" {
		t.lines = append(t.lines, text)
		t.lines = t.lines[max(0, len(t.lines)-kept):]
		if t.Seen != nil {
			t.Seen(text)
		}
	}
	_, err := fmt.Fprintf(t.To, "%s\n", line)
	return err
}

// Full matches what a program prints if the disk is full: apt the second, mmdebstrap and dpkg the first.
var Full = regexp.MustCompile(`No space left on device|Disk quota exceeded|You don't have enough free space`)

// NoSpace reports whether a program found the disk full.
func NoSpace(lines []string) bool { return slices.ContainsFunc(lines, Full.MatchString) }

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
