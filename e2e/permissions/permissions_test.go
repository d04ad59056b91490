// SPDX-License-Identifier: Apache-2.0

package permissions

import (
	"slices"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestEveryExceptionIsServed(t *testing.T) {
	permissions, err := ByRole()
	require.NoError(t, err)
	for exception, role := range exceptions {
		if !slices.Contains(permissions[role], exception) {
			t.Errorf("%q is an exception, but the server does not serve it", exception)
		}
	}
}
