// SPDX-License-Identifier: Apache-2.0

package require_test

import (
	"net"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAFreeAddressIsForTheTestOnly(t *testing.T) {
	address := require.FreeAddress(t)
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("somebody listens")
	}
	for range 2 { // a server can restart
		listener := require.Value(net.Listen("tcp", address))(t)
		client := require.Value(net.Dial("tcp", address))(t)
		require.NoError(t, client.Close())
		require.NoError(t, listener.Close())
	}
}
