// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// errLocked is the error of lock for a file that another process has locked.
const errLocked = windows.ERROR_LOCK_VIOLATION

// lock locks a file until it is closed. It does not wait. The locked byte is behind the end of any file, because nobody else can read it.
func lock(file *os.File) error {
	at := &windows.Overlapped{OffsetHigh: math.MaxInt32}
	return windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
}
