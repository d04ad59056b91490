// SPDX-License-Identifier: Apache-2.0

// Package filelock reserves a directory for one process at a time, by a lock on a file in it.
package filelock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrHeld reports that another process, or another caller in this process, holds the lock.
var ErrHeld = errors.New("the lock is held by another process")

// Take locks a file without waiting, and creates the file if it does not exist. Closing the returned file unlocks it. The
// kernel releases the lock when the process ends, even if it is killed.
func Take(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrHeld
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return file, nil
}
