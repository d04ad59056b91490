// SPDX-License-Identifier: Apache-2.0

//go:build unix

package artifacts

import (
	"os"

	"golang.org/x/sys/unix"
)

// errLocked is the error of lock for a file that another process has locked.
const errLocked = unix.EWOULDBLOCK

// lock locks a file until it is closed. It does not wait.
func lock(file *os.File) error {
	return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}
