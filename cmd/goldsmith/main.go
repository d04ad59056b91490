// SPDX-License-Identifier: Apache-2.0

// Command goldsmith is all of Goldsmith in one file: a server on this machine, and the verbs to use any server with.
// Called as kubectl-goldsmith it is a plugin of kubectl.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
)

// exitInterrupted is the exit code of a shell command that Ctrl-C ended.
const exitInterrupted = 128 + int(syscall.SIGINT)

func main() {
	if code, ok := up.RunChild(os.Args); ok {
		os.Exit(code)
	}
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	err := newRootCommand().ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return exitInterrupted
	default:
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
}
