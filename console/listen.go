// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// attempts is how many free ports Listen tries, of which other programs have one address each.
const attempts = 64

// Listen listens at a port of 127.0.0.1 and, where the machine has it, of ::1. Port 0 is a free port. A browser connects to a name below localhost at
// either address, so that another program has neither.
func Listen(port uint16) (net.Listener, error) {
	host, err := hasIPv6()
	if err != nil {
		return nil, err
	}
	for range attempts {
		var listener net.Listener
		if listener, err = listen(port, host); err == nil || port != 0 {
			return listener, err
		}
	}
	return nil, err
}

// hasIPv6 reports whether this machine has the address ::1.
func hasIPv6() (bool, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false, fmt.Errorf("list the addresses of this machine: %w", err)
	}
	for _, address := range addresses {
		if prefix, err := netip.ParsePrefix(address.String()); err == nil && prefix.Addr() == netip.IPv6Loopback() {
			return true, nil
		}
	}
	return false, nil
}

func listen(port uint16, alsoIPv6 bool) (net.Listener, error) {
	first, err := net.Listen("tcp4", netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port).String())
	if err != nil || !alsoIPv6 {
		return first, err
	}
	second, err := net.Listen("tcp6", net.JoinHostPort(netip.IPv6Loopback().String(), portOf(first.Addr())))
	if err != nil {
		return nil, errors.Join(err, first.Close())
	}
	both := &listeners{Listener: first, second: second, accepted: make(chan accepted), closed: make(chan struct{})}
	go both.acceptFrom(first)
	go both.acceptFrom(second)
	return both, nil
}

func portOf(address net.Addr) string {
	_, port, _ := net.SplitHostPort(address.String()) // an address of TCP has one
	return port
}

// listeners are two listeners as one, with the address of the first.
type listeners struct {
	net.Listener
	second   net.Listener
	accepted chan accepted

	once   sync.Once
	closed chan struct{}
}

// accepted is what a listener answers.
type accepted struct {
	connection net.Conn
	err        error
}

func (l *listeners) acceptFrom(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		select {
		case l.accepted <- accepted{connection, err}:
		case <-l.closed:
			if err == nil {
				_ = connection.Close() // nobody asks for it
			}
			return
		}
	}
}

// Accept waits for the next connection of either listener.
func (l *listeners) Accept() (net.Conn, error) {
	select {
	case next := <-l.accepted:
		return next.connection, next.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close closes both listeners.
func (l *listeners) Close() (err error) {
	l.once.Do(func() {
		close(l.closed)
		err = errors.Join(l.Listener.Close(), l.second.Close())
	})
	return err
}
