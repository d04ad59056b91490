// SPDX-License-Identifier: Apache-2.0

// Command goldsmith-console serves the web pages of Goldsmith in a cluster. It has no permissions: its requests have the tokens of the users who
// signed in. It can run any number of times, with session affinity by cookies: a session is of one process, and ends with it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	_ "golang.org/x/crypto/x509roots/fallback" // the container image has no certificate authorities

	"goldsmith.dev/goldsmith/cmd/internal/processlog"
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

// newProcessLogger also makes the libraries in this process log to the logger that it returns.
func newProcessLogger(out io.Writer, verbosity int) (logr.Logger, error) {
	logger := processlog.New(out, verbosity)
	return logger, processlog.Use(logger, verbosity)
}
