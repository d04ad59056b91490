// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/e2e/require"
)

var storages = []struct {
	name string
	make func(directory string) builder.StorageBackend
}{
	{"memory", func(string) builder.StorageBackend { return builder.Memory() }},
	{"files", func(directory string) builder.StorageBackend { return builder.Files(directory) }},
	{"etcd", func(directory string) builder.StorageBackend { return builder.EmbeddedEtcd(directory) }},
}

// serve starts a server for a benchmark.
func serve(b *testing.B, backend builder.StorageBackend) typedcorev1.ConfigMapInterface {
	b.Helper()
	options, err := buildertest.CoreKinds(backend).ToServerOptions()
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	running, err := options.Start(ctx)
	if err != nil {
		cancel()
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cancel()
		if err := running.Wait(); err != nil {
			b.Error(err)
		}
	})
	require.NoError(b, running.WaitReady(b.Context()))
	client, err := kubernetes.NewForConfig(running.ClientConfig())
	require.NoError(b, err)
	return client.CoreV1().ConfigMaps(metav1.NamespaceDefault)
}

// BenchmarkStorage measures one request at a time, through a whole server: `go test -run - -bench Storage`.
func BenchmarkStorage(b *testing.B) {
	for _, storage := range storages {
		b.Run(storage.name, func(b *testing.B) {
			client := serve(b, storage.make(b.TempDir()))
			created := 0
			create := func(b *testing.B) {
				b.Helper()
				created++
				if _, err := client.Create(b.Context(), configMap(fmt.Sprintf("c-%d", created)), metav1.CreateOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			for range 500 {
				create(b)
			}
			b.Run("create", func(b *testing.B) {
				for b.Loop() {
					create(b)
				}
			})
			b.Run("get", func(b *testing.B) {
				for b.Loop() {
					if _, err := client.Get(b.Context(), "c-1", metav1.GetOptions{}); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("list-500-stored", func(b *testing.B) { // past the cache, from the storage
				for b.Loop() {
					list, err := client.List(b.Context(), metav1.ListOptions{Limit: 500})
					if err != nil || len(list.Items) != 500 {
						b.Fatal(len(list.Items), err)
					}
				}
			})
			b.Run("watch", func(b *testing.B) { // from a write to its event, the write included
				events, err := client.Watch(b.Context(), metav1.ListOptions{})
				require.NoError(b, err)
				defer events.Stop()
				initial := created
				for range initial {
					<-events.ResultChan()
				}
				for b.Loop() {
					create(b)
					<-events.ResultChan()
				}
			})
		})
	}
}

// BenchmarkIdleStorage measures what a server takes that does nothing. Every storage needs a process of its own:
// `go test -run - -bench IdleStorage/files -benchtime 1x`.
func BenchmarkIdleStorage(b *testing.B) {
	for _, storage := range storages {
		b.Run(storage.name, func(b *testing.B) {
			serve(b, storage.make(b.TempDir()))
			for b.Loop() {
				runtime.GC()
			}
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			b.ReportMetric(float64(memory.HeapAlloc)/(1<<20), "live-MiB")
			b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
			b.ReportMetric(resident(b)/(1<<10), "resident-MiB")
		})
	}
}

// resident returns how much memory the process has, in KiB.
func resident(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	var kibibytes float64
	if _, err := fmt.Sscan(after, &kibibytes); err != nil {
		b.Fatal(err)
	}
	return kibibytes
}
