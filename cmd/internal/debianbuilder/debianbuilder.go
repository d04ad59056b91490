// SPDX-License-Identifier: Apache-2.0

// Package debianbuilder is the program of the builder debian, which runs in its tools: in a container image or in a sandbox.
package debianbuilder

import (
	"context"
	"io"

	"goldsmith.dev/goldsmith/builders/debian"
	"goldsmith.dev/goldsmith/builders/debian/ldd"
)

// Main runs the builder, or with the argument ldd its replacement of ldd, and returns the exit code.
func Main(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer, args []string) int {
	if len(args) > 0 && args[0] == "ldd" {
		return ldd.Main(getenv, stdout, stderr, args[1:])
	}
	return debian.Main(ctx, getenv, stdout, stderr, args)
}
