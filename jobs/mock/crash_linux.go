// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"syscall"
	"unsafe"
)

// resetSegvHandler gives SIGSEGV back its default action: to end the process. Where that fails, Go's handler ends it.
func resetSegvHandler() {
	// The kernel's struct sigaction of zeros (handler, flags, restorer, mask) is the default action.
	var action [4]uint64
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGSEGV),
		uintptr(unsafe.Pointer(&action)), 0, unsafe.Sizeof(action[3]), 0, 0) //nolint:gosec // the kernel only reads it
}
