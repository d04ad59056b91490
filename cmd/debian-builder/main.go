// SPDX-License-Identifier: Apache-2.0

// Command debian-builder is the program in the container image of the builder debian. With the subcommand tools it makes the other contents
// of the image.
package main

import (
	"os"

	"goldsmith.dev/goldsmith/builders/debian/program"
	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/cmd/internal/toolsimage"
)

// version is set by the linker, or empty.
var version string

func main() {
	of := toolsimage.Program{Name: "debian-builder", Version: version, Main: program.Main, Path: tools.Path, Make: tools.Make}
	os.Exit(of.Run(os.Args[1:]))
}
