// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"
	"path/filepath"

	"k8s.io/apimachinery/pkg/api/resource"

	"goldsmith.dev/goldsmith/cmd/goldsmith/up/registry"
	"goldsmith.dev/goldsmith/jobs/local"
)

// parseBuilderCacheMax returns a quantity in bytes.
func parseBuilderCacheMax(text string) (int64, error) {
	quantity, err := resource.ParseQuantity(text)
	if err != nil || quantity.Value() < 0 {
		return 0, fmt.Errorf("--builder-cache-max %q: must be a quantity of bytes, such as 20Gi, or 0", text)
	}
	return quantity.Value(), nil
}

// readBuilders returns the builders of the flags and of the documents.
func (o *Options) readBuilders() (*registry.Registry, error) {
	return registry.Read(o.registry())
}

func (o *Options) registry() registry.Options {
	cache := ""
	if !o.Memory {
		cache = filepath.Join(o.DataDirectory, "cache")
	}
	return registry.Options{
		Pairs: o.Builders, Documents: o.BuilderDocuments, Optional: o.defaultBuilders, Unconfined: o.Unconfined,
		Executable: o.Executable, CheckSource: checkSourceArgs(o), Cache: cache, CacheMaxBytes: o.builderCacheMax,
	}
}

// startBuilders watches the documents of builders.
func (s *system) startBuilders(ctx context.Context, agent *local.Agent) {
	s.components.start(ctx, "builders", func(ctx context.Context) error {
		return s.builders.Watch(ctx, agent.SetBuilders, func(line string) { s.notice(ctx, "builders: "+line) })
	})
}
