// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"

	"goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/cmd/internal/kinds"
	compiled "goldsmith.dev/goldsmith/jobs/catalog"
)

// kindsFile is the document of kinds in the data directory.
const kindsFile = "kinds.yaml"

// configuredKinds are the kinds of the operator's documents.
type configuredKinds struct {
	*catalog.Configuration
	source *kinds.Source
	first  map[string]*compiled.Kind // those of the start
}

// readKinds returns the kinds of the documents.
func (o *Options) readKinds() (*configuredKinds, error) {
	source := kinds.NewSource(o.Kinds, o.defaultKinds, catalog.Compile)
	first, err := source.Read()
	if err != nil {
		return nil, fmt.Errorf("read the kinds: %w", err)
	}
	return &configuredKinds{Configuration: catalog.NewConfiguration(kinds.Sorted(first)), source: source, first: first}, nil
}

// startKinds watches the documents of kinds.
func (s *system) startKinds(ctx context.Context) {
	s.components.start(ctx, "kinds", func(ctx context.Context) error {
		return s.kinds.source.Watch(ctx, s.kinds.first, s.kinds.Replace, func(line string) { s.notice(ctx, "kinds: "+line) })
	})
}
