// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"net"

	"google.golang.org/grpc/test/bufconn"
)

// ConnProvider carries connections between a server and its clients without a port.
type ConnProvider interface {
	// Listen is called once, by the server.
	Listen() (net.Listener, error)
	// DialContext connects a client, as rest.Config.Dial does. It ignores the address, because there is one server.
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// InMemoryConnections returns a ConnProvider whose connections stay in this process.
func InMemoryConnections() ConnProvider {
	const bufferBytes = 64 << 10
	return &inMemory{listener: bufconn.Listen(bufferBytes)}
}

type inMemory struct {
	listener *bufconn.Listener
}

// Listen returns the listener of the connections.
func (p *inMemory) Listen() (net.Listener, error) {
	return tcpAddressed{p.listener}, nil
}

// DialContext opens a connection, whatever the address.
func (p *inMemory) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	return p.listener.DialContext(ctx)
}

// tcpAddressed gives a listener an IP and a port, which the generic server requires for its URLs.
type tcpAddressed struct {
	net.Listener
}

// Addr is an address that nothing listens on.
func (tcpAddressed) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443}
}
