// SPDX-License-Identifier: Apache-2.0

// Package exit defines the exit codes of the verbs.
package exit

import (
	"context"
	"errors"
	"syscall"
)

const (
	// Success is the code of a verb without an error. If the verb waited for a build, the build succeeded.
	Success = 0
	// Failure is the code of every error without a code of its own.
	Failure = 1
	// BuildFailed is the code of a verb that waited for a build that failed.
	BuildFailed = 2
	// BuildCancelled is the code of a verb that waited for a build that was cancelled.
	BuildCancelled = 3
	// NotSigned is the code of `goldsmith verify` if an artifact has no signed statement.
	NotSigned = 4
	// NotVerified is the code of `goldsmith verify` if an artifact has signed statements and none that counts, another content, or a
	// revoked build; and with --rebuild
	// if a build of the same inputs made another content.
	NotVerified = 5
	// TestsFailed is the code of `goldsmith test` if a required test failed.
	TestsFailed = 6
	// Vulnerable is the code of `goldsmith vulnerabilities --exit-code` if it lists an open vulnerability.
	Vulnerable = 7
	// Unjudged is the code of `goldsmith vulnerabilities --exit-code` if it lists no open vulnerability, and some of the build are unknown.
	Unjudged = 8
	// Attention is the code of `goldsmith status --exit-code` if an image or a build needs attention.
	Attention = 9
	// BuildDue is the code of `goldsmith plan --exit-code` if an image would be built.
	BuildDue = 10
	// Interrupted is the exit code of a shell command that Ctrl-C ended.
	Interrupted = 128 + int(syscall.SIGINT)
)

// Help lists the codes for --help.
const Help = `Exit codes:
  0    success; if the command waits for the build: the build succeeded
  1    any other error
  2    if the command waits for the build: the build failed
  3    if the command waits for the build: the build was cancelled
  4    verify: an artifact is not signed
  5    verify: a signature is not valid, the artifact is not what was signed, or
       its build is revoked;
       --rebuild: the same inputs made other content
  6    test: a required test failed
  7    vulnerabilities --exit-code: an open vulnerability is listed
  8    vulnerabilities --exit-code: a vulnerability of a package is not known, or
       its rating cannot be read
  9    status --exit-code: an image or a build needs attention
  10   plan --exit-code: an image would be built
  130  interrupted by Ctrl-C`

// Error is an error with an exit code of its own.
type Error struct {
	Code int
	Err  error
	// Shown is true if the user was shown the error before the verb ended.
	Shown bool
}

// Error returns the text of the wrapped error.
func (e *Error) Error() string {
	return e.Err.Error()
}

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error {
	return e.Err
}

// IsShown reports whether the user was shown an error before the verb ended.
func IsShown(err error) bool {
	own, ok := errors.AsType[*Error](err)
	return ok && own.Shown
}

// Code returns the exit code of a program that ends with an error, or with nil. ctx is done if a signal ended the program.
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
