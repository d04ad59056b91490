// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// kept are the capabilities that a confined command of root keeps: those that a container has by default. With others, such as CAP_PERFMON, it could
// read the memory and the environment of any process, which Landlock does not prevent.
var kept = []int{
	unix.CAP_AUDIT_WRITE, unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_KILL, unix.CAP_MKNOD,
	unix.CAP_NET_BIND_SERVICE, unix.CAP_NET_RAW, unix.CAP_SETFCAP, unix.CAP_SETGID, unix.CAP_SETPCAP, unix.CAP_SETUID, unix.CAP_SYS_CHROOT,
}

// dropCapabilities takes the other capabilities from the programs that the calling thread starts. A thread without CAP_SETPCAP can pass on none that
// it does not have.
func dropCapabilities() error {
	for capability := 0; ; capability++ {
		switch has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(capability), 0, 0, 0); {
		case errors.Is(err, unix.EINVAL): // the kernel knows no more
			return keepOnly()
		case err != nil:
			return os.NewSyscallError("prctl", err)
		case has == 0 || slices.Contains(kept, capability):
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(capability), 0, 0, 0); err != nil && !errors.Is(err, unix.EPERM) {
			return os.NewSyscallError("prctl", err)
		}
	}
}

// keepOnly takes the other capabilities from the calling thread.
func keepOnly() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData // of capabilities 0 to 31, and of the others
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	var mask [len(sets)]uint32
	for _, capability := range kept {
		mask[capability/32] |= 1 << (capability % 32)
	}
	for i, mask := range mask {
		sets[i].Effective &= mask
		sets[i].Permitted &= mask
		sets[i].Inheritable &= mask
	}
	return os.NewSyscallError("capset", unix.Capset(&header, &sets[0]))
}
