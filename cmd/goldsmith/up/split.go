// SPDX-License-Identifier: Apache-2.0

package up

import (
	"errors"
	"net"
	"sync"
	"time"
)

// firstByteTimeout is how long a new connection may be silent.
const firstByteTimeout = 30 * time.Second

// acceptDelay is the delay after a connection that could not be accepted.
const acceptDelay = 50 * time.Millisecond

// handshake is the first byte of each TLS connection (RFC 8446, section 5.1).
const handshake = 0x16

// split is a listener of one kind of connection. Both kinds share a port: browsers do not trust the certificate of the API, and reach
// the console over plain HTTP, which does not leave the machine.
type split struct {
	net.Listener
	connections chan net.Conn
	closed      chan struct{}
	end         func() error // closes closed, once
}

// splitListener returns the listeners of TLS connections and of all other connections. The first one has the port: its end closes the port.
// The other one can end earlier, because the console stops before the API server, which panics if somebody else closes its port.
func splitListener(listener net.Listener) (secure, plain net.Listener) {
	tls, other := newSplit(listener, listener.Close), newSplit(listener, func() error { return nil })
	go func() {
		for {
			connection, err := listener.Accept()
			switch {
			case err == nil:
				go dispatch(connection, tls, other)
			case errors.Is(err, net.ErrClosed):
				return
			default: // such as too many open files
				time.Sleep(acceptDelay)
			}
		}
	}()
	return tls, other
}

func newSplit(listener net.Listener, end func() error) *split {
	closed := make(chan struct{})
	return &split{Listener: listener, connections: make(chan net.Conn), closed: closed, end: sync.OnceValue(func() error {
		close(closed)
		return end()
	})}
}

// dispatch gives a connection to the listener of its kind. It drops connections that stay silent.
func dispatch(connection net.Conn, tls, other *split) {
	first := make([]byte, 1)
	_ = connection.SetReadDeadline(time.Now().Add(firstByteTimeout)) // without a deadline, it is the client that waits
	if _, err := connection.Read(first); err != nil {
		_ = connection.Close()
		return
	}
	_ = connection.SetReadDeadline(time.Time{})
	kind := other
	if first[0] == handshake {
		kind = tls
	}
	select {
	case kind.connections <- &peeked{Conn: connection, first: first}:
	case <-kind.closed:
		_ = connection.Close()
	}
}

// Accept waits for a connection of the kind of the listener.
func (s *split) Accept() (net.Conn, error) {
	select {
	case connection := <-s.connections:
		return connection, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the listener. Connections that it gave away stay open.
func (s *split) Close() error { return s.end() }

// peeked is a connection whose first byte was read already.
type peeked struct {
	net.Conn
	first []byte
}

func (p *peeked) Read(into []byte) (int, error) {
	if len(p.first) > 0 && len(into) > 0 {
		n := copy(into, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.Conn.Read(into)
}
