// SPDX-License-Identifier: Apache-2.0

// Command goldsmith-tester is the program in the container image that tests images. With the subcommand tools it makes the other contents of the
// image.
package main

import (
	"os"

	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/builders/tester"
	"goldsmith.dev/goldsmith/cmd/internal/toolsimage"
)

// version is set by the linker, or empty.
var version string

func main() {
	of := toolsimage.Program{Name: "goldsmith-tester", Version: version, Main: tester.Main, Path: tools.TesterPath, Make: tools.MakeTester}
	os.Exit(of.Run(os.Args[1:]))
}
