// SPDX-License-Identifier: Apache-2.0

// Command goldsmith-apiserver serves Goldsmith's API in a cluster, aggregated behind its kube-apiserver.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	_ "golang.org/x/crypto/x509roots/fallback" // the container image has no certificate authorities
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	command, err := newCommand(os.Stderr)
	if err != nil {
		return err
	}
	if err := command.ExecuteContext(ctx); ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		return err
	}
	return nil // asked to stop before it served
}
