// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// ErrNotFound means that the archive has no such log or build.
var ErrNotFound = errors.New("not in the log archive")

const (
	// maxObject is the maximum size of an object that is read. The archive writes no larger objects.
	maxObject = 16 << 20
	// maxErrorText is the maximum length of a service's error, in bytes.
	maxErrorText = 1024
)

// objects are the operations of a store. Each has a time limit; their errors are storeErrors.
type objects interface {
	// put stores content, durably and as a whole.
	put(ctx context.Context, key string, content []byte) error
	// get appends an object's content to buffer. Errors: ErrNotFound if there is no such object.
	get(ctx context.Context, key string, buffer []byte) ([]byte, error)
	// list calls each with every key below a prefix, in order. It cuts each key after the first delimiter behind the prefix.
	list(ctx context.Context, prefix, delimiter string, each func(entry)) error
	// remove deletes an object. A missing object is no error.
	remove(ctx context.Context, key string) error
	ping(ctx context.Context) error
	close() error
}

// entry of a list.
type entry struct {
	key      string
	modified time.Time // zero for a key that ends with the delimiter
}

// storeError is a store's error. It does not unwrap, because a service's error may contain the query of a URL, and with it
// credentials.
type storeError struct {
	operation, key string
	err            error
}

// operationError wraps an error of a store; nil stays nil.
func operationError(operation, key string, err error) error {
	if err == nil {
		return nil
	}
	return &storeError{operation: operation, key: key, err: err}
}

// Error implements error. It has one line of limited length.
func (e *storeError) Error() string {
	return fmt.Sprintf("log archive: %s %q: %s", e.operation, e.key, oneLine(e.err.Error()))
}

// Is finds the errors that callers handle: ErrNotFound, an end of the context or of the time limit, and ENOSPC.
func (e *storeError) Is(target error) bool {
	return errors.Is(e.err, target)
}

// oneLine returns a service's error in one line, without queries and credentials of URLs.
func oneLine(text string) string {
	text = regexp.MustCompile(`://[^/@\s"]*@`).ReplaceAllString(text, "://")
	text = regexp.MustCompile(`(://[^\s?"]*)\?[^\s"]*`).ReplaceAllString(text, "$1")
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "…"
	}
	return text
}
