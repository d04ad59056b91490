// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"errors"
	"fmt"
	"net/url"
)

// Fault is the kind of an Error.
type Fault int

// The faults of an archive.
const (
	// Unavailable means that the mirror cannot be reached, or that what it sends is not whole.
	Unavailable Fault = iota
	// NotThisArchive means that the mirror has no such suite.
	NotThisArchive
	// NoSuchComponent means that the suite lacks a component.
	NoSuchComponent
	// WrongSignature means that no key of the keyring has signed the release file.
	WrongSignature
	// Expired means that the release file has expired, or is of the future.
	Expired
	// Older means that the release file is older than a former one.
	Older
)

// Error is why an archive cannot be used.
type Error struct {
	Fault   Fault
	Message string
	cause   error
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.cause }

func refuse(fault Fault, format string, args ...any) error {
	return &Error{Fault: fault, Message: fmt.Sprintf(format, args...)}
}

// unavailable returns the error of a request, which names the address once.
func unavailable(address string, err error) error {
	cause := err
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		cause = wrapped.Err
	}
	return &Error{Fault: Unavailable, Message: fmt.Sprintf("%s: %v", address, cause), cause: err}
}
