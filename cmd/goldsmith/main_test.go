// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
)

// TestMain lets the test binary stand in for the executable: for the children of a server, and under the name of the program or
// of the plugin.
func TestMain(m *testing.M) {
	version = "v0.1.0" // as the linker sets it
	if filepath.Base(os.Args[0]) == "goldsmith" || client.IsPlugin(os.Args[0]) {
		main()
	}
	if code, ok := runChild(); ok {
		os.Exit(code)
	}
	if _, err := up.NewLog(io.Discard, 0); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
