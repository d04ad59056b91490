// SPDX-License-Identifier: Apache-2.0

// Package registries has the flag for how registries are reached. Programs that publish artifacts share it.
package registries

import (
	"fmt"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
)

// Flags are the value of the flag. With the zero value only registries on loopback addresses are reached without TLS.
type Flags struct {
	// PlainHTTP are the registries, each HOST or HOST:PORT, that are reached without TLS.
	PlainHTTP []string
}

// AddTo adds the flag.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.PlainHTTP, render.PlainHTTPFlag, nil,
		"registries, as `host` or host:port, that are reached without TLS when artifacts are published and fetched, besides those on loopback hosts; repeatable")
}

// Check checks the value of the flag.
func (f *Flags) Check() error {
	if err := transport.CheckPlainHTTP(f.PlainHTTP); err != nil {
		return fmt.Errorf("--%s: %w", render.PlainHTTPFlag, err)
	}
	return nil
}
