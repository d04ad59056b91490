// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	registry "goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/source/addresses"
)

const (
	dialTimeout = 30 * time.Second
	// stall is how long a connection can transfer nothing. Servers of Git report every few seconds that they are alive.
	stall = 2 * time.Minute
)

// metadata are the addresses of the metadata services of clouds that are not link-local: AWS, Google Cloud, Azure, Alibaba Cloud and Oracle
// Cloud.
var metadata = []string{"fd00:ec2::254", "fd20:ce::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"}

// network decides which addresses are reached. Those of private networks are: repositories are there, too. A name is judged by each address
// that it resolves to, at the moment of the connection.
type network struct{ allowed []netip.Prefix }

// check refuses addresses that only this machine or its link has, because services there trust whom they hear: the kubelet, an agent,
// the metadata of a cloud with its credentials.
func (n network) check(address netip.Addr) error {
	if !address.IsValid() {
		return failure(Refused, "the host is refused, because it is a number that is no address; write a name or an address")
	}
	for _, reached := range addresses.Reached(address) {
		allowed := slices.ContainsFunc(n.allowed, func(prefix netip.Prefix) bool { return prefix.Contains(reached) })
		if !allowed && (addresses.IsLocal(reached) || slices.Contains(metadata, reached.String())) {
			return failure(Refused, "the address %s is refused, because it is loopback, link-local, unspecified, multicast or a cloud's metadata service, or leads there; the operator can allow its network with --source-allowed-networks", address)
		}
	}
	return nil
}

func (n network) dial(ctx context.Context, protocol, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: registry.Control(n.check)}
	conn, err := dialer.DialContext(ctx, protocol, address)
	if err != nil {
		return nil, err
	}
	return &stalling{Conn: conn}, nil
}

// stalling is a connection that fails if its peer stalls.
type stalling struct{ net.Conn }

func (c *stalling) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c *stalling) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
