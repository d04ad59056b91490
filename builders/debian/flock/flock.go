// SPDX-License-Identifier: Apache-2.0

// Package flock locks files for processes of the builder (flock(2)).
package flock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Lock locks a file until the file is closed. how is an operation of flock(2), such as unix.LOCK_EX. A signal does not interrupt Lock.
func Lock(file *os.File, how int) error {
	for {
		err := unix.Flock(int(file.Fd()), how)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		return nil
	}
}
