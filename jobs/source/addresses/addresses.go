// SPDX-License-Identifier: Apache-2.0

// Package addresses judges where addresses lead that users name as those of servers.
package addresses

import (
	"net/netip"
	"slices"
)

// Reached returns the addresses that a connection can reach: the address itself, without the form and the zone of IPv6 for IPv4, and the IPv4 addresses in it
// to which a tunnel or a translator leads.
func Reached(address netip.Addr) []netip.Addr {
	address = address.WithZone("").Unmap() // ::ffff:0:0/96
	reached := []netip.Addr{address}
	if !address.Is6() || address.IsLoopback() || address.IsUnspecified() { // which are in ::/96
		return reached
	}
	bytes := address.As16()
	in := func(prefix string) bool { return netip.MustParsePrefix(prefix).Contains(address) }
	at := func(a, b, c, d int) netip.Addr {
		return netip.AddrFrom4([4]byte{bytes[a], bytes[b], bytes[c], bytes[d]})
	}
	switch {
	case in("::/96"), in("::ffff:0:0:0/96"), in("64:ff9b::/96"): // IPv4-compatible (RFC 4291), IPv4-translated (RFC 2765), NAT64 (RFC 6052)
		reached = append(reached, at(12, 13, 14, 15))
	case in("64:ff9b:1::/48"): // NAT64 of a network, whose prefix has 48, 56, 64 or 96 bits (RFC 8215). The wrong ones often give 0.0.0.x
		for _, one := range []netip.Addr{at(6, 7, 9, 10), at(7, 9, 10, 11), at(9, 10, 11, 12), at(12, 13, 14, 15)} {
			if one.As4()[0] != 0 {
				reached = append(reached, one)
			}
		}
	case in("2002::/16"): // 6to4 (RFC 3056)
		reached = append(reached, at(2, 3, 4, 5))
	case in("2001::/32"): // Teredo: the server, and the client with its bits inverted (RFC 4380)
		client := at(12, 13, 14, 15).As4()
		for i := range client {
			client[i] = ^client[i]
		}
		reached = append(reached, at(4, 5, 6, 7), netip.AddrFrom4(client))
	}
	if bytes[8]&^2 == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe { // ISATAP, below any prefix (RFC 5214)
		reached = append(reached, at(12, 13, 14, 15))
	}
	return reached
}

// IsLocal reports whether an address is one of this machine, of its link or of a group: loopback, link-local, site-local, unspecified, multicast or broadcast.
// Services at these addresses often trust every client. Addresses of private networks are not local.
func IsLocal(address netip.Addr) bool {
	return address.IsLoopback() || address.IsLinkLocalUnicast() || address.IsMulticast() || address.IsUnspecified() ||
		slices.ContainsFunc([]string{"0.0.0.0/8", "255.255.255.255/32", "fec0::/10"}, func(prefix string) bool { return netip.MustParsePrefix(prefix).Contains(address) })
}

// IsPrivate reports whether only machines of the same network reach an address: a local one, or one of RFC 1918, RFC 6598 or RFC 4193.
func IsPrivate(address netip.Addr) bool {
	return IsLocal(address) || address.IsPrivate() || netip.MustParsePrefix("100.64.0.0/10").Contains(address)
}
