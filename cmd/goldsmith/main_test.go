// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"testing"

	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
)

// TestMain lets the test binary stand in for the executable where a server starts its children from it.
func TestMain(m *testing.M) {
	if code, ok := up.RunChild(os.Args); ok {
		os.Exit(code)
	}
	if _, err := up.NewLog(io.Discard, 0); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
