// SPDX-License-Identifier: Apache-2.0

package dynamic_test

import (
	"fmt"
	"runtime"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/discovery"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/e2e/require"
)

// manyKinds are n kinds of 100 fields, which store nothing.
func manyKinds(n int, revision string) []dynamic.Kind {
	fields := map[string]apiextensionsv1.JSONSchemaProps{}
	for i := range 100 {
		fields[fmt.Sprintf("field%d", i)] = apiextensionsv1.JSONSchemaProps{Type: "string", Description: fmt.Sprintf("field%d is one of many.", i)}
	}
	kinds := make([]dynamic.Kind, n)
	for i := range kinds {
		kinds[i] = computed(definition(fmt.Sprintf("kind%ds", i), fmt.Sprintf("Kind%d", i), fields), revision, nil)
	}
	return kinds
}

// BenchmarkTheHundredthKind replaces one of 100 kinds of 100 fields.
func BenchmarkTheHundredthKind(b *testing.B) {
	group := dynamic.NewGroup(shopGroup, "v1")
	options := require.Value(buildertest.CoreKinds(builder.Memory()).WithDynamicGroup(group).ToServerOptions())(b)
	running := require.Value(options.Start(b.Context()))(b)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kinds := manyKinds(100, "1")
	require.NoError(b, group.Replace(kinds))
	require.NoError(b, running.WaitReady(b.Context()))
	runtime.GC()
	runtime.ReadMemStats(&after)
	client := require.Value(discovery.NewDiscoveryClientForConfig(running.ClientConfig()))(b)
	replaced := 0
	replace := func(b *testing.B) {
		replaced++
		kinds[99].Revision = fmt.Sprint("changed", replaced)
		require.NoError(b, group.Replace(kinds))
	}
	b.Run("replace", func(b *testing.B) {
		for b.Loop() {
			replace(b)
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/100/1024, "KiB/kind")
	})
	for _, path := range []string{"/openapi/v3/apis/" + shopGroup + "/v1", "/openapi/v2"} {
		read := func(b *testing.B) {
			require.Value(client.RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json").Do(b.Context()).Raw())(b)
		}
		b.Run("describe"+path, func(b *testing.B) {
			read(b)
			for b.Loop() {
				replace(b)
				read(b)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/100/1024, "KiB/kind")
		})
	}
}
