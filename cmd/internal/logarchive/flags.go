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
	// None is the URL for no archive, as is the empty URL.
	None = "none"
)

// Flags are the value of the flag. The zero value is no archive.
type Flags struct {
	// URL is a URL that archive.Open accepts, None, or empty.
	URL string
	// Clouds opens buckets of the services whose clients only some programs have, if this one has them: see archive.Options.
	Clouds archive.Opener
}

// AddTo adds the flag. Its usage describes the default, which replaces an empty URL.
func (f *Flags) AddTo(flags *pflag.FlagSet, defaults string) {
	clouds := ""
	if f.Clouds != nil {
		clouds = ", gs://bucket, azblob://container"
	}
	flags.StringVar(&f.URL, flag, "", "archive that keeps logs of builds after their pods are deleted: "+
		"file:///directory, s3://bucket?region=REGION"+clouds+", or none; credentials from the default credential chain of the cloud provider (default: "+defaults+")")
}

// Check reports why Open refuses the URL. It creates no directory.
func (f *Flags) Check(ctx context.Context) error {
	if f.URL == "" || f.URL == None {
		return nil
	}
	if err := archive.Check(ctx, f.URL, f.Clouds); err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return nil
}

// Open opens the archive. It returns nil for no archive. The caller closes the archive.
func (f *Flags) Open(ctx context.Context) (*archive.Store, error) {
	if f.URL == "" || f.URL == None {
		return nil, nil
	}
	store, err := archive.Open(ctx, f.URL, archive.Options{Clouds: f.Clouds})
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return store, nil
}
