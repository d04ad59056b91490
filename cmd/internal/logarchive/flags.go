// SPDX-License-Identifier: Apache-2.0

// Package logarchive has the flag that names the archive of logs. Programs that archive logs and programs that read archived
// logs share it.
package logarchive

import (
	"context"
	"fmt"
	"strings"

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
	flags.StringVar(&f.URL, flag, "", "archive that keeps logs of builds after their pods are deleted: "+
		"file:///directory, s3://bucket?region=REGION"+clouds()+", or none; credentials from the default credential chain of the cloud provider (default: "+defaults+")")
}

// clouds returns the URLs of the services that only some programs have the clients of: see archive/clouds.
func clouds() string {
	var text strings.Builder
	for _, address := range []string{"gs://bucket", "azblob://container"} {
		if archive.Reads(address) {
			text.WriteString(", " + address)
		}
	}
	return text.String()
}

// Open opens the archive; nil where there is none. The caller closes it.
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
