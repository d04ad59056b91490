// SPDX-License-Identifier: Apache-2.0

package permissions

import (
	"slices"
	"testing"
)

func TestEveryExceptionIsServed(t *testing.T) {
	permissions, err := ByRole()
	if err != nil {
		t.Fatal(err)
	}
	for exception, role := range exceptions {
		if !slices.Contains(permissions[role], exception) {
			t.Errorf("%q is an exception, but the server does not serve it", exception)
		}
	}
}
