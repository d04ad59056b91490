// SPDX-License-Identifier: Apache-2.0

package ocilayout

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// The tests of jobs/publish have layouts of all kinds.

// TestTheNamesOfATarAreNotKept fails if a tar of many long names needs much memory.
func TestTheNamesOfATarAreNotKept(t *testing.T) {
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	for _, name := range []string{"other", "blobs/sha256/" + strings.Repeat("a", 1000), "blobs/sha256/a"} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}))
	}
	require.NoError(t, w.Close())
	read := require.Value(openTar(t.Context(), bytes.NewReader(content.Bytes()), int64(content.Len())))(t)
	if len(read.entries) != 1 {
		t.Errorf("kept %d names, want that of the blob: %v", len(read.entries), read.entries)
	}
}
