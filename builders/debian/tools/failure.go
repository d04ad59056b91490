// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"goldsmith.dev/goldsmith/builders/debian/output"
)

// ErrMirror reports that a mirror could not be reached, or sent half a file. Another attempt can succeed.
var ErrMirror = errors.New("the mirror cannot be reached")

// ErrDiskFull reports that the disk is full.
var ErrDiskFull = errors.New("the disk is full")

// An error has the first errors of mmdebstrap, which are cut: a result of a builder has 4096 bytes.
const (
	maxErrors = 4
	maxLine   = 200
)

var (
	// unreachable are messages of APT about the network and about files that are changing.
	unreachable = regexp.MustCompile(`Could not (resolve|connect)|Temporary failure resolving|Connection (failed|timed out|refused|reset)|` +
		`Network is unreachable|Error reading from server|Hash Sum mismatch|unexpected size|Undetermined Error| (408|429|5\d\d) +[A-Z]`)
	// unverified are messages of APT about signatures, which the same mirror sends again.
	unverified = regexp.MustCompile(`NO_PUBKEY|BADSIG|EXPKEYSIG|signatures (couldn't be verified|were invalid)|is not signed|Release file .* is expired`)
)

// mmdebstrapError returns the error of a run that ended with err.
func mmdebstrapError(err error, lines []string) error {
	text := strings.Join(lines, "\n")
	var told strings.Builder
	errors := output.Errors(lines)
	for _, line := range errors[:min(len(errors), maxErrors)] {
		told.WriteString("\n" + strings.ToValidUTF8(line[:min(len(line), maxLine)], ""))
	}
	err = fmt.Errorf("run mmdebstrap: %w:%s", err, &told)
	if output.NoSpace(lines) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	if unreachable.MatchString(text) && !unverified.MatchString(text) {
		return fmt.Errorf("%w: %w", ErrMirror, err)
	}
	return err
}
