// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAnArchiveOfANewerProgramIsRefused(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, formatKey)
	before, err := Open(t.Context(), "file://"+directory, Options{})
	require.NoError(t, errors.Join(err, before.Ping(t.Context())))
	for content, complaint := range map[string]string{
		`{"format":1,"version":"v0.1.0"}`:               "",
		`{"format":2,"version":"v0.3.0","newField":[]}`: ErrNewer.Error() + ": goldsmith v0.3.0 has written it in format 2, and this program reads formats up to 1",
		``: "format.json is damaged",
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := Open(t.Context(), "file://"+directory, Options{})
		for _, err := range []error{err, before.Ping(t.Context())} {
			if complaint == "" && err != nil || complaint != "" && (err == nil || !strings.Contains(err.Error(), complaint)) {
				t.Errorf("%s: got %v, want %s", content, err, complaint)
			}
		}
	}
	require.NoError(t, before.Close())
}
