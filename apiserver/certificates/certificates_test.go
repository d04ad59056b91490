// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"bytes"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAKeptCertificateIsReplacedWhenItNoLongerServes(t *testing.T) {
	directory := t.TempDir()
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	kept, _, err := Own(directory, hosts, time.Now())
	require.NoError(t, err)
	for _, test := range []struct {
		name     string
		hosts    []string
		now      time.Time
		replaced bool
	}{
		{"while it is good", hosts, time.Now(), false},
		{"shortly before it expires", hosts, time.Now().AddDate(0, 11, 15), true},
		{"for a host that it does not name", append(hosts, "192.0.2.1"), time.Now(), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			certificate, key, err := Own(directory, test.hosts, test.now)
			require.NoError(t, err)
			if got := !bytes.Equal(certificate, kept); got != test.replaced {
				t.Errorf("replaced: %t", got)
			}
			if !usable(certificate, key, test.hosts, time.Now()) {
				t.Error("what it returned is not usable")
			}
		})
	}
}
