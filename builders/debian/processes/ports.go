// SPDX-License-Identifier: Apache-2.0

package processes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// notification and response are the structs seccomp_notif and seccomp_notif_resp of linux/seccomp.h.
type (
	notification struct {
		id         uint64
		pid, flags uint32
		number     int32
		arch       uint32
		pointer    uint64
		args       [6]uint64
	}
	response struct {
		id           uint64
		value        int64
		error, flags int32
	}
)

// bindPrivilegedPorts lets the programs that this process starts bind to ports that need a privilege, as far as they can tell: the call succeeds, and
// the socket listens on a port that the kernel chooses. So nginx -t tests a configuration with port 80. It does nothing where ports need no privilege.
func bindPrivilegedPorts() error {
	setting, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(strings.TrimSpace(string(setting)))
	if err != nil || first == 0 {
		return err
	}
	const load, jumpIfEqual, answer = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	filter := []unix.SockFilter{ // of the data that the kernel gives to a filter: its number is at byte 0, and its architecture at byte 4
		{Code: load, K: 4}, {Code: jumpIfEqual, K: unix.AUDIT_ARCH_X86_64, Jf: 3},
		{Code: load, K: 0}, {Code: jumpIfEqual, K: unix.SYS_BIND, Jf: 1},
		{Code: answer, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: answer, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]} //nolint:gosec // a few instructions
	runtime.LockOSThread()                                                  // both calls are of one thread; the second tells the others
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	const flags = unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	listener, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program))) //nolint:gosec // as the kernel wants it
	if errno != 0 {
		return fmt.Errorf("filter system calls: %w", errno)
	}
	go answerBinds(listener, first)
	return nil
}

// answerBinds answers the calls until no program is left that could make one.
func answerBinds(listener uintptr, first int) {
	for {
		var call notification
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, listener, unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&call))) //nolint:gosec // as above
		switch {
		case errors.Is(errno, unix.EINTR), errors.Is(errno, unix.ENOENT): // the program has been killed
			continue
		case errno != 0:
			return
		}
		said := response{id: call.id}
		if port := call.port(); port == 0 || port >= first {
			said.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, listener, unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&said))) //nolint:gosec // as above
	}
}

// port returns the port of an address of IP, or 0.
func (n *notification) port() int {
	var address [4]byte // the family, and the port
	if n.args[2] < uint64(len(address)) {
		return 0
	}
	local := []unix.Iovec{{Base: &address[0], Len: uint64(len(address))}}
	remote := []unix.RemoteIovec{{Base: uintptr(n.args[1]), Len: len(address)}}
	if read, err := unix.ProcessVMReadv(int(n.pid), local, remote, 0); err != nil || read != len(address) {
		return 0
	}
	if family := binary.NativeEndian.Uint16(address[:]); family != unix.AF_INET && family != unix.AF_INET6 {
		return 0
	}
	return int(binary.BigEndian.Uint16(address[2:]))
}
