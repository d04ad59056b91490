// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	registry "goldsmith.dev/goldsmith/jobs/publish/transport"
)

const (
	dialTimeout = 30 * time.Second
	// stall is how long a connection can transfer nothing. Servers of Git report every few seconds that they are alive.
	stall = 2 * time.Minute
)

// metadata are the addresses of the metadata services of clouds that are not link-local: AWS, Google Cloud, Azure, Alibaba Cloud and Oracle
// Cloud.
var metadata = []string{"fd00:ec2::254", "fd20:ce::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"}

// network decides which addresses are reached. A name is judged by each address that it resolves to, at the moment of the connection.
type network struct{ allowed []netip.Prefix }

// check refuses addresses that only this machine or its link has, because services there trust whom they hear: the kubelet, an agent,
// the metadata of a cloud with its credentials.
func (n network) check(address netip.Addr) error {
	plain := address.Unmap().WithZone("")
	if embedded, ok := embeddedIPv4(plain); ok {
		plain = embedded
	}
	for _, prefix := range n.allowed {
		if prefix.Contains(plain) {
			return nil
		}
	}
	if !address.IsValid() {
		return failure(Refused, "the host is refused, because it is a number that is no address; write a name or an address")
	}
	if slices.Contains(metadata, plain.String()) || plain.IsLoopback() || plain.IsLinkLocalUnicast() || plain.IsMulticast() || plain.IsUnspecified() || plain == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return failure(Refused, "the address %s is refused, because it is loopback, link-local, unspecified, multicast or a cloud's metadata service; the operator can allow its network", address)
	}
	return nil
}

// embeddedIPv4 returns the IPv4 address to which a translator (64:ff9b::/96) or a compatible address (::/96) leads.
func embeddedIPv4(address netip.Addr) (netip.Addr, bool) {
	if !address.Is6() || address.IsLoopback() || address.IsUnspecified() {
		return address, false
	}
	bytes := address.As16()
	for _, text := range []string{"64:ff9b::/96", "::/96"} {
		if netip.MustParsePrefix(text).Contains(address) {
			return netip.AddrFrom4([4]byte(bytes[12:])), true
		}
	}
	return address, false
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
