// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestServersOfAStorageShareItsLocks(t *testing.T) {
	g := buildertest.Parallel(t)
	database := require.Value(etcd.Start(t.Context(), ""))(t)
	t.Cleanup(func() { g.Expect(database.Stop()).To(Succeed()) })
	shared := builder.ExternalEtcd(database.Transport())
	var scopes []*resources.Scope
	for _, storage := range []builder.StorageBackend{shared, shared, builder.Memory()} {
		buildertest.Start(t, buildertest.Library(storage).WithResource(v1.SchemeGroupVersion, "locks", func(scope *resources.Scope) (resources.Storages, error) {
			scopes = append(scopes, scope)
			return nil, nil
		}))
	}
	defer require.Value(scopes[0].Lock(t.Context(), "books/a"))(t).Unlock()
	briefly, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	g.Expect(scopes[1].Lock(briefly, "books/a")).Error().To(Satisfy(apierrors.IsServiceUnavailable))
	require.Value(scopes[2].Lock(t.Context(), "books/a"))(t).Unlock()
}
