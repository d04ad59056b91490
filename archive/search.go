// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// Timestamp returns the timestamp at the beginning of a line. It is zero if there is none.
func Timestamp(line []byte) time.Time {
	t, _, ok := parseTimestamp(line)
	if !ok {
		return time.Time{}
	}
	return t
}

// SkipPast reads up to the end of the first occurrence of mark, which must be shorter than the reader's buffer. It returns
// the number of bytes read, and ErrNotFound if mark does not occur.
func SkipPast(log *bufio.Reader, mark []byte) (int64, error) {
	for read := int64(0); ; {
		window, err := log.Peek(log.Size())
		if at := bytes.Index(window, mark); at >= 0 {
			n, err := log.Discard(at + len(mark))
			return read + int64(n), err
		}
		switch {
		case errors.Is(err, io.EOF):
			return read + int64(len(window)), ErrNotFound
		case err != nil:
			return read, fmt.Errorf("read a log: %w", err)
		}
		n, err := log.Discard(len(window) - len(mark) + 1)
		read += int64(n)
		if err != nil {
			return read, err
		}
	}
}
