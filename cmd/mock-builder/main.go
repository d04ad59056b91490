// SPDX-License-Identifier: Apache-2.0

// Command mock-builder is the mock builder by itself, as its container image has it. What it can be told is in the
// documentation of package jobs/mock.
package main

import (
	"context"
	"fmt"
	"os"

	"goldsmith.dev/goldsmith/jobs/mock"
)

// version is set by the linker.
var version = "devel"

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("mock-builder", version)
		return
	}
	os.Exit(mock.Main(context.Background(), os.Getenv, os.Stdout, os.Stderr, os.Args[1:]))
}
