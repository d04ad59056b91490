// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// ErrMirror reports that a mirror could not be reached, or sent half a file. Another attempt can succeed.
var ErrMirror = errors.New("the mirror cannot be reached")

// ErrDiskFull reports that the disk is full.
var ErrDiskFull = errors.New("the disk is full")

// An error has the last lines of mmdebstrap, which are cut: a result of a builder has 4096 bytes.
const (
	tailLines = 4
	maxLine   = 200
)

var (
	// unreachable are messages of APT about the network and about files that are changing.
	unreachable = regexp.MustCompile(`Could not (resolve|connect)|Temporary failure resolving|Connection (failed|timed out|refused|reset)|` +
		`Network is unreachable|Error reading from server|Hash Sum mismatch|unexpected size|Undetermined Error| (408|429|5\d\d) +[A-Z]`)
	full = regexp.MustCompile(`No space left on device|You don't have enough free space`)
	// unverified are messages of APT about signatures, which the same mirror sends again.
	unverified = regexp.MustCompile(`NO_PUBKEY|BADSIG|EXPKEYSIG|signatures (couldn't be verified|were invalid)|is not signed|Release file .* is expired`)
)

// mmdebstrapError returns the error of a run that ended with err.
func mmdebstrapError(err error, lines []string) error {
	text := strings.Join(lines, "\n")
	var last strings.Builder
	for _, line := range lines[max(0, len(lines)-tailLines):] {
		last.WriteString("\n" + strings.ToValidUTF8(line[:min(len(line), maxLine)], ""))
	}
	err = fmt.Errorf("run mmdebstrap: %w: its last lines:%s", err, &last)
	if full.MatchString(text) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	if unreachable.MatchString(text) && !unverified.MatchString(text) {
		return fmt.Errorf("%w: %w", ErrMirror, err)
	}
	return err
}

// tail passes on what is written, and keeps the lines.
type tail struct {
	to      io.Writer
	lines   []string
	partial []byte
}

// keptLines bounds the memory of tail. APT prints the cause of an error early, and what follows from it last.
const keptLines = 200

func (t *tail) Write(p []byte) (int, error) {
	t.partial = append(t.partial, p...)
	for {
		line, rest, ended := bytes.Cut(t.partial, []byte("\n"))
		if !ended {
			break
		}
		t.partial = rest
		if text := strings.TrimSpace(string(line)); text != "" {
			t.lines = append(t.lines, text)
		}
		t.lines = t.lines[max(0, len(t.lines)-keptLines):]
	}
	return t.to.Write(p)
}
