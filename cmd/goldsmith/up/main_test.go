// SPDX-License-Identifier: Apache-2.0

package up

import (
	"io"
	"os"
	"testing"
)

// TestMain lets the test binary stand in for the goldsmith executable where a server starts its children from it.
func TestMain(m *testing.M) {
	if code, ok := RunChild(os.Args); ok {
		os.Exit(code)
	}
	if err := logTo(io.Discard, 0); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
