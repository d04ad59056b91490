// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	registry "goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/jobs/catalog"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Flags are the value of the flag that names the documents. The zero value is no documents.
type Flags struct {
	// Path is a file with kinds, or a directory with such files.
	Path string
}

// AddTo adds the flag. Its usage describes the default, which replaces an empty path.
func (f *Flags) AddTo(flags *pflag.FlagSet, defaults string) {
	flags.StringVar(&f.Path, "kinds", "",
		"`path` of a file with kinds of images, or of a directory of such files, which the server reads whenever they change (default: "+defaults+")")
}

// Documents are the documents from which a server has its configuration.
type Documents struct {
	Configuration *registry.Configuration
	source        *Source
	first         map[string]*catalog.Kind // those of the start
}

// Configure sets the kinds of the documents in a configuration. Without a path there are none. An optional path may be missing. The error
// has a line for each problem.
func (f *Flags) Configure(ctx context.Context, configuration *registry.Configuration, optional bool) (*Documents, error) {
	documents := &Documents{Configuration: configuration}
	if f.Path == "" {
		return documents, nil
	}
	path, err := filepath.Abs(f.Path)
	if err != nil {
		return nil, fmt.Errorf("find the kinds: %w", err)
	}
	documents.source = NewSource(path, optional, registry.Compile)
	if documents.first, err = documents.source.Read(ctx); err != nil {
		return nil, fmt.Errorf("read the kinds: %w", err)
	}
	configuration.Replace(Sorted(documents.first))
	return documents, nil
}

// String names the kinds that the documents had at the start, and their place: "debianservers, desktops (/etc/kinds)". It is empty if there are
// none.
func (d *Documents) String() string {
	if len(d.first) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s)", strings.Join(slices.Sorted(maps.Keys(d.first)), ", "), d.source.place.Path)
}

// Watch sets the kinds whenever the documents change, until ctx is done. tell gets the lines of Source.Watch, and a line for each kind whose
// builder is not one of builders.
func (d *Documents) Watch(ctx context.Context, builders inputs.Builders, tell func(line string)) error {
	if d.source == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	warned := map[*catalog.Kind]bool{}
	warn := func(current []*catalog.Kind) {
		before := warned
		warned = map[*catalog.Kind]bool{}
		for _, kind := range current {
			if warned[kind] = true; before[kind] {
				continue
			}
			for _, text := range registry.Warnings(kind.Declared(), image.Setup{Builders: &builders, LogArchive: true, Records: true}) {
				tell("kinds: " + kind.Name() + ": warning: " + text)
			}
		}
	}
	warn(Sorted(d.first))
	return d.source.Watch(ctx, d.first, func(changed []*catalog.Kind) {
		d.Configuration.Replace(changed)
		warn(changed)
	}, func(line string) { tell("kinds: " + line) })
}
