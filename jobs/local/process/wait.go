// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// siginfo is the kernel's siginfo_t as waitid fills it in; golang.org/x/sys leaves its union opaque.
type siginfo struct {
	_, _, _ int32
	union   struct {
		_   [0]uintptr // the union is aligned like a pointer
		pid int32
	}
	_ [128]byte
}

// awaitAnyExit blocks until some child has ended and gives its pid. The child stays a zombie, so that its pid and its
// process group cannot be taken by another before the caller is done with them. ECHILD: there is no child.
func awaitAnyExit() (int, error) {
	return waitid(unix.P_ALL, 0, unix.WEXITED)
}

// hasExited reports whether the child of that pid is a zombie.
func hasExited(pid int) bool {
	ended, err := waitid(unix.P_PID, pid, unix.WEXITED|unix.WNOHANG)
	return err == nil && ended == pid
}

// awaitStop blocks until the child of that pid is stopped by a signal, or has ended, and reports whether it is stopped.
func awaitStop(pid int) bool {
	_, err := waitid(unix.P_PID, pid, unix.WSTOPPED) // ECHILD for a child that has ended
	return err == nil
}

func waitid(kind, id, options int) (int, error) {
	for {
		var info siginfo
		opaque := (*unix.Siginfo)(unsafe.Pointer(&info)) //nolint:gosec // both have the size of the kernel's
		err := unix.Waitid(kind, id, opaque, unix.WNOWAIT|options, nil)
		if !errors.Is(err, unix.EINTR) {
			return int(info.union.pid), err
		}
	}
}

// reap collects a zombie.
func reap(pid int) (Exit, error) {
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(pid, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return Exit{}, err
		case status.Signaled():
			return Exit{Signal: status.Signal()}, nil
		default:
			return Exit{Code: status.ExitStatus()}, nil
		}
	}
}
