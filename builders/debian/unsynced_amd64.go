// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// skipped are the system calls that wait for the disk, of which dpkg makes some for each file, and those that change owners.
//
// fakeroot remembers owners, and then tries to change them. That fails with EINVAL in a user namespace without the user, which fakeroot passes on.
// A variable that keeps it from trying is lost where a program such as ucf clears the environment.
var skipped = []uint32{
	unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_SYNC_FILE_RANGE, unix.SYS_SYNC, unix.SYS_SYNCFS,
	unix.SYS_CHOWN, unix.SYS_FCHOWN, unix.SYS_LCHOWN, unix.SYS_FCHOWNAT,
}

// Offsets in the data that the kernel gives to a filter (struct seccomp_data in linux/seccomp.h).
const (
	dataNumber       = 0
	dataArchitecture = 4
)

// skipCalls lets the skipped system calls succeed without doing anything, in this process and in all that it starts. Nobody needs the files of a
// build after a crash of the machine: the build begins anew. All of them belong to one user.
func skipCalls() error {
	const load, jumpIfEqual, answer = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	filter := []unix.SockFilter{
		{Code: load, K: dataArchitecture},
		{Code: jumpIfEqual, K: unix.AUDIT_ARCH_X86_64, Jt: 1},
		{Code: answer, K: unix.SECCOMP_RET_ALLOW}, // the numbers of other architectures are different
		{Code: load, K: dataNumber},
	}
	for i, number := range skipped {
		filter = append(filter, unix.SockFilter{Code: jumpIfEqual, K: number, Jt: uint8(len(skipped) - i)}) //nolint:gosec // a few, to the last instruction
	}
	filter = append(filter,
		unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ERRNO}) // with the error 0
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]} //nolint:gosec // a few instructions
	runtime.LockOSThread()                                                  // both calls are of one thread; the second tells the others
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))) //nolint:gosec // the kernel reads it during the call
	if errno != 0 {
		return fmt.Errorf("filter system calls: %w", errno)
	}
	return nil
}
