// SPDX-License-Identifier: Apache-2.0

package up

import (
	"net/netip"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestListensOnLoopbackAddressesOnly(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1":       "127.0.0.1:0",
		"127.0.0.1:6443":  "127.0.0.1:6443",
		"127.8.8.8":       "127.8.8.8:0",
		"localhost:6443":  "127.0.0.1:6443",
		"::1":             "[::1]:0",
		"[::1]":           "[::1]:0",
		"[::1]:6443":      "[::1]:6443",
		"127.0.0.1:0":     "127.0.0.1:0",
		"0.0.0.0":         "error: loopback",
		"0.0.0.0:6443":    "error: loopback",
		"::":              "error: loopback",
		"192.168.1.1":     "error: loopback",
		":6443":           "error: must be an IP address",
		"":                "error: must be an IP address",
		"example.com":     "error: must be an IP address",
		"127.0.0.1:70000": "error: port",
		"127.0.0.1:http":  "error: port",
	} {
		got, err := parseListen(text)
		if message, isError := strings.CutPrefix(want, "error: "); isError {
			if err == nil || !strings.Contains(err.Error(), message) {
				t.Errorf("%q: got %v, error %v, want an error with %q", text, got, err, message)
			}
			continue
		}
		if err != nil || got.String() != want {
			t.Errorf("%q: got %v, error %v, want %s", text, got, err, want)
		}
	}
}

func TestTheSamePortIsUsedAfterARestart(t *testing.T) {
	for _, test := range []struct{ asked, before, want string }{
		{"127.0.0.1", "127.0.0.1:4000", "127.0.0.1:4000"},
		{"localhost", "127.0.0.1:4000", "127.0.0.1:4000"},
		{"127.0.0.1", "", "127.0.0.1:0"},
		{"127.0.0.1", "nonsense", "127.0.0.1:0"},
		{"127.0.0.1:0", "127.0.0.1:4000", "127.0.0.1:0"},
		{"127.0.0.1:5000", "127.0.0.1:4000", "127.0.0.1:5000"},
		{"[::1]", "127.0.0.1:4000", "[::1]:0"},
	} {
		asked, err := parseListen(test.asked)
		require.NoError(t, err)
		if got := asked.withPortOf(test.before); got.String() != test.want {
			t.Errorf("asked for %s after %q: got %s, want %s", test.asked, test.before, got, test.want)
		}
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	listener, err := listen(netip.MustParseAddrPort("127.0.0.1:0"))
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	})
	taken := netip.MustParseAddrPort(listener.Addr().String())
	if _, err := listen(taken); err == nil || !strings.Contains(err.Error(), taken.String()) {
		t.Errorf("got error %v, want one that names %s", err, taken)
	}
}
