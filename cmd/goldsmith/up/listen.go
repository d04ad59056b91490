// SPDX-License-Identifier: Apache-2.0

package up

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// listenAddress is where to listen.
type listenAddress struct {
	netip.AddrPort // a free port if the port is 0
	// anyPort is whether the user set no port, not even 0.
	anyPort bool
}

// parseListen reads a loopback address, as host or host:port. A missing port is 0.
func parseListen(text string) (listenAddress, error) {
	host, port := text, ""
	if h, p, err := net.SplitHostPort(text); err == nil {
		host, port = h, p
	}
	asked := listenAddress{anyPort: port == ""}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return asked, fmt.Errorf("--listen %q: must be an IP address, with or without a port, such as 127.0.0.1:7443", text)
	}
	if !address.IsLoopback() {
		return asked, fmt.Errorf(
			"--listen %q: must be a loopback address, such as 127.0.0.1, which other machines cannot reach", text)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil && !asked.anyPort {
		return asked, fmt.Errorf("--listen %q: port must be a number from 0 to 65535", text)
	}
	asked.AddrPort = netip.AddrPortFrom(address, uint16(number))
	return asked, nil
}

// withPortOf fills in a missing port with the port of the address used before, if the host is the same.
func (l listenAddress) withPortOf(before string) netip.AddrPort {
	last, err := netip.ParseAddrPort(before)
	if err != nil || !l.anyPort || last.Addr() != l.Addr() {
		return l.AddrPort
	}
	return last
}

func listen(address netip.AddrPort) (net.Listener, error) {
	listener, err := net.Listen("tcp", address.String())
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another process: stop that process, or set --listen to another address", address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}
