// SPDX-License-Identifier: Apache-2.0

package require

import (
	"net"
	"strconv"
	"syscall"
	"testing"
)

// FreeAddress returns a loopback address, HOST:PORT, at which the test can start a server. It is free until the test ends: a socket is bound to
// it without listening. The kernel gives such a port to nobody who asks for any port, and still lets a server listen that asks for this
// port with SO_REUSEADDR, as servers in Go do. A port that was bound and closed could be given to another test meanwhile.
func FreeAddress(t testing.TB) string {
	t.Helper()
	loopback := [4]byte{127, 0, 0, 1}
	socket := Value(syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0))(t)
	t.Cleanup(func() { NoError(t, syscall.Close(socket)) })
	NoError(t, syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	NoError(t, syscall.Bind(socket, &syscall.SockaddrInet4{Addr: loopback}))
	bound := Value(syscall.Getsockname(socket))(t).(*syscall.SockaddrInet4)
	return net.JoinHostPort(net.IP(loopback[:]).String(), strconv.Itoa(bound.Port))
}
