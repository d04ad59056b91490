// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"

	registry "goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/cmd/internal/catalog"
)

// readKinds returns the documents of kinds.
func (o *Options) readKinds(ctx context.Context) (*catalog.Documents, error) {
	return o.Kinds.Configure(ctx, registry.NewConfiguration(nil), o.defaultKinds)
}

// startKinds watches the documents of kinds.
func (s *system) startKinds(ctx context.Context) {
	s.components.start(ctx, "kinds", func(ctx context.Context) error {
		return s.kinds.Watch(ctx, s.builders.Allowed(), func(line string) { s.notice(ctx, line) })
	})
}
