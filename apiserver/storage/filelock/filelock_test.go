// SPDX-License-Identifier: Apache-2.0

package filelock_test

import (
	"errors"
	"path/filepath"
	"testing"

	"goldsmith.dev/goldsmith/apiserver/storage/filelock"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheLockIsHeldOnceUntilItIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for range 2 {
		held, err := filelock.Take(path)
		require.NoError(t, err)
		if _, err := filelock.Take(path); !errors.Is(err, filelock.ErrHeld) {
			t.Errorf("a second holder gets %v", err)
		}
		require.NoError(t, held.Close())
	}
}
