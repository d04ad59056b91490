// SPDX-License-Identifier: Apache-2.0

// Package exit is the exit codes of the verbs: the one place that gives them their meaning.
package exit

import (
	"context"
	"errors"
	"syscall"
)

const (
	// Success is a verb that did what it was asked to; if it waited for a build, the build succeeded, too.
	Success = 0
	// Failure is everything else that went wrong.
	Failure = 1
	// BuildFailed is a build that was waited for and failed.
	BuildFailed = 2
	// BuildCancelled is a build that was waited for and was cancelled.
	BuildCancelled = 3
	// Interrupted is the exit code of a shell command that Ctrl-C ended.
	Interrupted = 128 + int(syscall.SIGINT)
)

// Help is the codes for --help.
const Help = `Exit codes:
  0    success; if the command waits for the build: the build succeeded
  1    any other error
  2    if the command waits for the build: the build failed
  3    if the command waits for the build: the build was cancelled
  130  interrupted by Ctrl-C`

// Error is an error with an exit code of its own.
type Error struct {
	Code int
	Err  error
	// Shown is true if the user was shown the error before the verb ended.
	Shown bool
}

// Error is the text of the error in it.
func (e *Error) Error() string {
	return e.Err.Error()
}

// Unwrap is the error in it.
func (e *Error) Unwrap() error {
	return e.Err
}

// Shown reports whether the user was shown an error before the verb ended.
func Shown(err error) bool {
	own, ok := errors.AsType[*Error](err)
	return ok && own.Shown
}

// Code is the exit code of a program that ends with an error, or with nil. ctx is done once it was told to end.
func Code(ctx context.Context, err error) int {
	var own *Error
	switch {
	case err == nil:
		return Success
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return Interrupted
	case errors.As(err, &own):
		return own.Code
	default:
		return Failure
	}
}
