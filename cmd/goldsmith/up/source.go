// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/cmd/internal/registries"
	"goldsmith.dev/goldsmith/cmd/internal/sources"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/source"
	"goldsmith.dev/goldsmith/jobs/transfer"
)

// checkSourceArgs returns the arguments of a check: the flags of this server that tell how sources are reached.
func checkSourceArgs(o *Options) []string {
	args := []string{render.CheckSourceCommand}
	for _, network := range o.Sources.Allowed {
		args = append(args, "--"+render.AllowedNetworksFlag+"="+network)
	}
	for _, host := range o.Registries.PlainHTTP {
		args = append(args, "--"+render.PlainHTTPFlag+"="+host)
	}
	return args
}

// checkSource answers which revision the source in the input names. The arguments are those of checkSourceArgs without the first. mounts is the
// directory below which the Secret is mounted.
func checkSource(args []string, getenv func(string) string, mounts string) (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var plain registries.Flags
	var networks sources.Networks
	flags := pflag.NewFlagSet(render.CheckSourceCommand, pflag.ContinueOnError)
	plain.AddTo(flags)
	networks.AddTo(flags)
	err := flags.Parse(args)
	allowed, invalid := networks.Prefixes()
	if err = errors.Join(err, invalid); err == nil {
		err = transfer.RunCheck(ctx, getenv, mounts, source.Options{Allowed: allowed, PlainHTTP: plain.PlainHTTP, Log: func(format string, args ...any) {
			fmt.Printf("goldsmith: "+format+"\n", args...)
		}})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
	return 0
}
