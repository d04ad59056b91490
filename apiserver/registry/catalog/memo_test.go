// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// BenchmarkMemo reports the memory that the memo keeps for an object in addition to its Image, which the store has.
func BenchmarkMemo(b *testing.B) {
	document, err := os.ReadFile("../../testdata/catalog/debianservers.yaml")
	require.NoError(b, err)
	declared := &v1alpha1.ImageKind{}
	require.NoError(b, yaml.UnmarshalStrict(document, declared))
	kind, errs := Compile(b.Context(), declared)
	require.NoError(b, errs.ToAggregate())
	images := make([]*v1alpha1.Image, memoSize)
	for i := range images {
		images[i], err = kind.Put(b.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "catalog.goldsmith.dev/v1", "kind": "DebianServer",
			"metadata": map[string]any{"name": fmt.Sprintf("web-%d", i), "namespace": "red", "labels": map[string]any{"team": "shop"}},
			"spec":     map[string]any{"size": "small", "packages": []any{"nginx"}},
		}}, nil, nil)
		require.NoError(b, err)
		images[i].UID, images[i].ResourceVersion = types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", i)), "7"
	}
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	for b.Loop() {
		memo, before := newMemo(), heap()
		for _, image := range images {
			_, err := memo.get(kind, image)
			require.NoError(b, err)
		}
		b.ReportMetric(float64(heap()-before)/memoSize, "B/object")
		runtime.KeepAlive(memo)
		runtime.KeepAlive(images)
	}
}
