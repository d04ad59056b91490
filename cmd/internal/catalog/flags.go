// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	registry "goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
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

// Documents are the documents from which a server has its configuration. They are safe for concurrent use.
type Documents struct {
	Configuration *registry.Configuration
	watches       documents.Restarts

	mu      sync.Mutex // of a change
	source  *Source
	current map[string]*catalog.Kind
}

// Configure sets the kinds of the documents in a configuration. Without a path there are none. An optional path may be missing. The error
// has a line for each problem.
func (f *Flags) Configure(ctx context.Context, configuration *registry.Configuration, optional bool) (*Documents, error) {
	read := &Documents{Configuration: configuration}
	if f.Path == "" {
		return read, nil
	}
	apply, err := read.Prepare(ctx, f.Path, optional)
	if err != nil {
		return nil, err
	}
	apply()
	return read, nil
}

// Prepare reads the documents of a path. apply sets their kinds, and returns the difference, or "".
func (d *Documents) Prepare(ctx context.Context, path string, optional bool) (apply func() string, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the kinds: %w", err)
	}
	d.mu.Lock()
	source := d.source
	d.mu.Unlock()
	if source == nil || source.place.Path != path || source.place.Optional != optional {
		source = NewSource(path, optional, registry.Compile)
	}
	kinds, err := source.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the kinds: %w", err)
	}
	return func() string {
		d.mu.Lock()
		defer d.mu.Unlock()
		before := d.current
		d.source, d.current = source, kinds
		d.Configuration.Replace(Sorted(kinds))
		d.watches.Restart()
		return documents.Difference(before, kinds, same)
	}, nil
}

func same(a, b *catalog.Kind) bool { return a == b }

// String names the kinds that the documents had at the start, and their place: "debianservers, desktops (/etc/kinds)". It is empty if there are
// none.
func (d *Documents) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.current) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s)", strings.Join(slices.Sorted(maps.Keys(d.current)), ", "), d.source.place.Path)
}

// Watch sets the kinds whenever the documents change, until ctx is done. tell gets the lines of Source.Watch, and a line for each kind whose
// builder is not one of builders.
func (d *Documents) Watch(ctx context.Context, builders inputs.Builders, tell func(line string)) error {
	warned := map[*catalog.Kind]bool{}
	warn := func(current []*catalog.Kind) {
		before := warned
		warned = map[*catalog.Kind]bool{}
		for _, kind := range current {
			if warned[kind] = true; before[kind] {
				continue
			}
			for _, text := range registry.Warnings(kind.Declared(), image.Setup{Builders: &builders, LogArchive: true, Records: true}, time.Now()) {
				tell("kinds: " + kind.Name() + ": warning: " + text)
			}
		}
	}
	return d.watches.Run(ctx, func(ctx context.Context) error {
		d.mu.Lock()
		source, current := d.source, d.current
		d.mu.Unlock()
		if source == nil {
			<-ctx.Done()
			return ctx.Err()
		}
		warn(Sorted(current))
		return source.Watch(ctx, current, func(kinds map[string]*catalog.Kind) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.source != source { // a reload has read other documents
				return
			}
			d.current = kinds
			d.Configuration.Replace(Sorted(kinds))
			warn(Sorted(kinds))
		}, func(line string) { tell("kinds: " + line) })
	})
}
