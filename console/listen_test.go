// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net"
	"strconv"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestListensAtBothAddressesOfThisMachine(t *testing.T) {
	t.Parallel()
	if has, err := hasIPv6(); err != nil || !has {
		t.Fatalf("this machine has ::1: %t, %v", has, err)
	}
	listener := require.Value(Listen(0))(t)
	port := portOf(listener.Addr())
	for _, host := range []string{"127.0.0.1", "::1"} {
		client := require.Value(net.Dial("tcp", net.JoinHostPort(host, port)))(t)
		served := require.Value(listener.Accept())(t)
		if served.RemoteAddr().String() != client.LocalAddr().String() {
			t.Errorf("%s: accepted %s, want %s", host, served.RemoteAddr(), client.LocalAddr())
		}
		require.NoError(t, client.Close())
		require.NoError(t, served.Close())
		if _, err := net.Listen("tcp", net.JoinHostPort(host, port)); err == nil {
			t.Errorf("another program has %s", host)
		}
	}
	require.NoError(t, listener.Close())
	if _, err := listener.Accept(); err == nil {
		t.Error("it accepts a connection after its end")
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		if _, err := net.Dial("tcp", net.JoinHostPort(host, port)); err == nil {
			t.Errorf("after its end, somebody listens at %s", host)
		}
	}
}

func TestAPortWithOneAddressOfAnotherProgramIsRefused(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "::1"} {
		other := require.Value(net.Listen("tcp", net.JoinHostPort(host, "0")))(t)
		port := require.Value(strconv.ParseUint(portOf(other.Addr()), 10, 16))(t)
		if listener, err := Listen(uint16(port)); err == nil {
			t.Errorf("port %d of %s: it listens at %s", port, host, listener.Addr())
		}
		require.NoError(t, other.Close())
	}
}
