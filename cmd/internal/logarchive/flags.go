// SPDX-License-Identifier: Apache-2.0

// Package logarchive has the flag that names the archive of logs. Programs that archive logs and programs that read archived
// logs share it.
package logarchive

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/archive"
)

const (
	flag = "log-archive"
	// None is the URL of no archive, as is the empty one.
	None = "none"
)

// Flags are what the flag says. The zero value is no archive.
type Flags struct {
	// URL as archive.Open takes it, None, or empty.
	URL string
}

// AddTo adds the flag. The default is for people: what an empty URL stands for.
func (f *Flags) AddTo(flags *pflag.FlagSet, defaults string) {
	flags.StringVar(&f.URL, flag, "", "where logs are archived, so that they outlive their pods: "+
		"file:///directory, s3://bucket?region=REGION, gs://bucket, azblob://container, or none; credentials are found as the cloud's own tools find them (default "+defaults+")")
}

// Open opens the archive; nil where there is none. Whoever opens it closes it.
func (f *Flags) Open(ctx context.Context) (*archive.Store, error) {
	if f.URL == "" || f.URL == None {
		return nil, nil
	}
	store, err := archive.Open(ctx, f.URL, archive.Options{})
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return store, nil
}
