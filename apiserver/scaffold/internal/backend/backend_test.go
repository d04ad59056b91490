// SPDX-License-Identifier: Apache-2.0

package backend_test

import (
	"io"
	"os"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/backend"
)

func TestNamesThatCannotBePackagesAreRefused(t *testing.T) {
	for _, name := range []string{"", "Ledger", "led-ger", "1ledger", "type", "memory", "internal"} {
		directory := t.TempDir()
		err := backend.Scaffold(t.Context(), backend.Options{Name: name, Directory: directory}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "--name") {
			t.Errorf("%q: %v", name, err)
		}
		if entries, err := os.ReadDir(directory); err != nil || len(entries) > 0 {
			t.Errorf("%q: wrote %v, %v", name, entries, err)
		}
	}
}
