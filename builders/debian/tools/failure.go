// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"errors"
	"fmt"
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

// mmdebstrapError returns the error of a run that ended with err.
func mmdebstrapError(err error, lines []string) error {
	var told strings.Builder
	errors := output.Errors(lines)
	for _, line := range errors[:min(len(errors), maxErrors)] {
		told.WriteString("\n" + strings.ToValidUTF8(line[:min(len(line), maxLine)], ""))
	}
	err = fmt.Errorf("run mmdebstrap: %w:%s", err, &told)
	switch fault, _ := output.FaultOf(lines); fault {
	case output.DiskFull:
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case output.MirrorUnavailable:
		return fmt.Errorf("%w: %w", ErrMirror, err)
	default:
		return err
	}
}
