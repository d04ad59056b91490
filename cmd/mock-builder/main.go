// SPDX-License-Identifier: Apache-2.0

// Command mock-builder is the program in the container image of the mock builder. Package jobs/mock documents its
// parameters.
package main

import (
	"context"
	"fmt"
	"os"

	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/jobs/mock"
)

// version is set by the linker, or empty.
var version string

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("mock-builder", buildversion.Get(version))
		return
	}
	os.Exit(mock.Main(context.Background(), os.Getenv, os.Stdout, os.Stderr, os.Args[1:]))
}
