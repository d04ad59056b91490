// SPDX-License-Identifier: Apache-2.0

// Package program is the program of the builder debian, which runs in its tools: in a container image or in a sandbox.
package program

import (
	"context"
	"io"

	"goldsmith.dev/goldsmith/builders/debian"
	"goldsmith.dev/goldsmith/builders/debian/ldd"
	"goldsmith.dev/goldsmith/builders/debian/processes"
	"goldsmith.dev/goldsmith/builders/debian/static"
)

// Main runs the builder, and returns the exit code. With the name of another program as the first argument it runs that, which the tools call.
func Main(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer, args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case "ldd":
			return ldd.Main(getenv, stdout, stderr, args[1:])
		case "libraries":
			return ldd.LinkMain(getenv, stderr, args[1:])
		case "run":
			return processes.Run(stdout, stderr, args[1:])
		case "end-of-packages":
			processes.EndOfPackages(getenv, stdout)
			return 0
		case "static":
			return static.Main(stdout, stderr, args[1:])
		}
	}
	return debian.Main(ctx, getenv, stdout, stderr, args)
}
