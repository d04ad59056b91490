// SPDX-License-Identifier: Apache-2.0

package addresses_test

import (
	"net/netip"
	"slices"
	"testing"

	"goldsmith.dev/goldsmith/jobs/source/addresses"
)

func TestAnAddressLeadsToEachThatItHas(t *testing.T) {
	for text, want := range map[string][]string{
		"127.0.0.1":                            {"127.0.0.1"},
		"::1":                                  {"::1"},
		"::":                                   {"::"},
		"fe80::1%eth0":                         {"fe80::1"},
		"2001:db8::7f00:1":                     {"2001:db8::7f00:1"},
		"::ffff:127.0.0.1":                     {"127.0.0.1"},
		"::127.0.0.1":                          {"::127.0.0.1", "127.0.0.1"},
		"::ffff:0:127.0.0.1":                   {"::ffff:0:127.0.0.1", "127.0.0.1"},
		"64:ff9b::7f00:1":                      {"64:ff9b::7f00:1", "127.0.0.1"},
		"64:ff9b:1:7f00:0:100::":               {"64:ff9b:1:7f00:0:100::", "127.0.0.1"},
		"64:ff9b:1:7f:0:1::":                   {"64:ff9b:1:7f:0:1::", "127.0.0.1"},
		"64:ff9b:1::7f:0:100:0":                {"64:ff9b:1::7f:0:100:0", "127.0.0.1", "1.0.0.0"},
		"64:ff9b:1::7f00:1":                    {"64:ff9b:1::7f00:1", "127.0.0.1"},
		"2002:7f00:1::":                        {"2002:7f00:1::", "127.0.0.1"},
		"2001:0:7f00:1:0:0:f5ff:fffe":          {"2001:0:7f00:1:0:0:f5ff:fffe", "127.0.0.1", "10.0.0.1"},
		"2001:0:4136:e378:8000:63bf:80ff:fffe": {"2001:0:4136:e378:8000:63bf:80ff:fffe", "65.54.227.120", "127.0.0.1"},
		"2001:db8::5efe:7f00:1":                {"2001:db8::5efe:7f00:1", "127.0.0.1"},
		"2001:db8::200:5efe:7f00:1":            {"2001:db8::200:5efe:7f00:1", "127.0.0.1"},
		"2002:a00:1::5efe:7f00:1":              {"2002:a00:1::5efe:7f00:1", "10.0.0.1", "127.0.0.1"},
	} {
		got, expected := addresses.Reached(netip.MustParseAddr(text)), []netip.Addr{}
		for _, one := range want {
			expected = append(expected, netip.MustParseAddr(one))
		}
		if !slices.Equal(got, expected) {
			t.Errorf("%s leads to %v, want %v", text, got, expected)
		}
	}
}

// The rows are those of IANA's registries of special addresses, and of clouds.
func TestAddressesAreLocalOrPrivate(t *testing.T) {
	for text, want := range map[string]string{
		"0.0.0.0": "local", "0.1.2.3": "local", "127.255.255.254": "local", "169.254.169.254": "local", "224.0.0.1": "local", "239.1.1.1": "local", "255.255.255.255": "local",
		"::": "local", "::1": "local", "fe80::1": "local", "febf::1": "local", "fec0::2": "local", "ff02::1": "local",
		"10.0.0.1": "private", "172.31.0.1": "private", "192.168.0.1": "private", "100.64.0.1": "private", "100.127.255.255": "private", "fc00::1": "private", "fd00::1": "private",
		"1.0.0.1": "public", "100.128.0.1": "public", "172.32.0.1": "public", "192.0.0.8": "public", "192.0.2.1": "public", "198.18.0.1": "public",
		"240.0.0.1": "public", "2001:db8::1": "public", "2606:4700::1": "public",
	} {
		address := netip.MustParseAddr(text)
		got := "public"
		switch {
		case addresses.IsLocal(address):
			got = "local"
		case addresses.IsPrivate(address):
			got = "private"
		}
		if got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}
