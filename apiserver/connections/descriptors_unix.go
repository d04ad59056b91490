// SPDX-License-Identifier: Apache-2.0

//go:build unix

package connections

import "syscall"

// descriptors returns how many file descriptors the process can have. Go raises the soft limit to the hard limit at the start of a program.
func descriptors() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // the usual limit
	}
	return uint64(limit.Cur) //nolint:unconvert // signed on some systems
}
