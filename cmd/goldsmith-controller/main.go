// SPDX-License-Identifier: Apache-2.0

// Command goldsmith-controller runs Goldsmith's controllers in a cluster. It can run any number of times: one of the
// processes acts, the others wait to take over.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	_ "golang.org/x/crypto/x509roots/fallback" // the container image has no certificate authorities
)

// version is set by the linker, or empty.
var version string

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	if err := newCommand(newProcessLogger).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
	return 0
}
