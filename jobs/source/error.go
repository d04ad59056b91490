// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Reasons of errors.
const (
	// NotFound reports that there is no such repository, ref, path, commit or artifact.
	NotFound = "SourceNotFound"
	// Denied reports credentials that are missing or wrong.
	Denied = "SourceDenied"
	// Unavailable reports a network or a server that fails. Another attempt can succeed.
	Unavailable = "SourceUnavailable"
	// HostKey reports an SSH server whose key is unknown or has changed.
	HostKey = "SourceHostKey"
	// Refused reports an address that must not be reached.
	Refused = "SourceRefused"
	// TooLarge reports a source beyond a limit.
	TooLarge = "SourceTooLarge"
	// Unsupported reports content that cannot be fetched: submodules, links out of the tree, Git LFS.
	Unsupported = "SourceInvalid"
)

// messageBytes is how long a message is at most.
const messageBytes = 400

// Error reports why a source cannot be resolved or fetched.
type Error struct {
	// Reason is one of the constants above.
	Reason string
	// Message tells what is wrong, and what to do about it. It has no credentials.
	Message string
	// Temporary tells whether another attempt can succeed without a change of the source.
	Temporary bool
}

func (e *Error) Error() string { return e.Message }

func failure(reason, format string, arguments ...any) *Error {
	return &Error{Reason: reason, Message: printable(fmt.Sprintf(format, arguments...), messageBytes), Temporary: reason == Unavailable}
}

// fileError is an error of a file of this machine.
type fileError struct{ error }

func (e *fileError) Unwrap() error { return e.error }

// secrets hides credentials in the texts of others.
type secrets []string

func (s secrets) hide(text string) string {
	for _, secret := range s {
		if len(secret) >= 4 { // a shorter text is in any text
			text = strings.ReplaceAll(text, secret, "[hidden]")
		}
	}
	return text
}

// explain makes an *Error of an error. An error of a network can have what a server sent.
func explain(ctx context.Context, operation string, err error) error {
	if err == nil {
		return nil
	}
	own, ok := errors.AsType[*Error](err)
	if cause := context.Cause(ctx); cause != nil && (!ok || own.Temporary) { // the connection broke on purpose
		if own, ok = errors.AsType[*Error](cause); !ok {
			return cause
		}
	}
	if ok {
		return &Error{Reason: own.Reason, Message: printable(operation+": "+own.Message, messageBytes), Temporary: own.Temporary}
	}
	if local, ok := errors.AsType[*fileError](err); ok {
		return fmt.Errorf("%s: %w", operation, local.error)
	}
	return failure(Unavailable, "%s: %s", operation, err.Error())
}

// printable makes a text fit for a message of one line.
func printable(text string, length int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.TrimSpace(text)
	if runes := []rune(text); len(runes) > length {
		return string(runes[:length-1]) + "…"
	}
	return text
}
