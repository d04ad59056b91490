// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
)

// maxOOMBytes is how much memory crash oom takes: enough for the limit of a test, not for a machine.
const maxOOMBytes = 256 << 20

const exitKilled = 128 + int(syscall.SIGKILL)

// crash ends the process. Process 1 of a container cannot kill itself: it gets the exit code of one that was killed.
func crash(how string) int {
	if how == crashSegv {
		fault()
	}
	if how == crashOOM {
		takeMemory(maxOOMBytes)
	}
	// An error, or a signal that does nothing, leaves the exit code.
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	return exitKilled
}

// fault writes where it may not. A signal sent to itself would not do: process 1 of a container ignores that.
func fault() {
	// Go's own handler would print every goroutine and exit with code 2.
	debug.SetTraceback("none")
	resetSegvHandler()
	// Where no limit can be set, there may be a core file.
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	page, err := syscall.Mmap(-1, 0, os.Getpagesize(), syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err == nil {
		page[0] = 1
	}
}

// takeMemory takes memory and uses it, page by page: what is not used does not count.
func takeMemory(limit int) {
	const chunkBytes = 1 << 20
	var taken [][]byte
	for total := 0; total < limit; total += chunkBytes {
		chunk := make([]byte, chunkBytes)
		for i := 0; i < len(chunk); i += os.Getpagesize() {
			chunk[i] = 1
		}
		taken = append(taken, chunk)
	}
	runtime.KeepAlive(taken)
}
