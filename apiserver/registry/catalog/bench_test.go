// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	registry "goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// benchmarked is how many objects the benchmark of the catalog lists.
const benchmarked = 1000

// BenchmarkCatalog compares requests for objects of a kind with the same requests for their Images, in pairs. The metric is the median of
// the former divided by that of the latter: `go test -run - -bench Catalog ./apiserver/registry/catalog`.
func BenchmarkCatalog(b *testing.B) {
	configured := registry.NewConfiguration([]*catalog.Kind{compileKind(b, "")})
	config := serve(b, configured)
	client, err := rest.HTTPClientFor(config)
	require.NoError(b, err)
	send := func(method, path, contentType, body string) time.Duration {
		request, err := http.NewRequestWithContext(b.Context(), method, config.Host+path, bytes.NewBufferString(body))
		require.NoError(b, err)
		request.Header.Set("Content-Type", contentType)
		start := time.Now()
		response, err := client.Do(request)
		require.NoError(b, err)
		answer, err := io.ReadAll(response.Body)
		took := time.Since(start)
		require.NoError(b, err)
		_ = response.Body.Close() // read to its end
		if response.StatusCode >= http.StatusMultipleChoices {
			b.Fatalf("%s %s: %s: %s", method, path, response.Status, answer)
		}
		return took
	}
	const ofKind, ofImages = "/apis/catalog.goldsmith.dev/v1/namespaces/default/debianservers", "/apis/images.goldsmith.dev/v1alpha1/namespaces/default/images"
	for i := range benchmarked {
		send(http.MethodPost, ofKind, "application/json", fmt.Sprintf(`{"metadata": {"name": "web-%d"}, "spec": {"size": "small", "packages": ["nginx"]}}`, i))
	}
	compare := func(name string, request func(path string) time.Duration) {
		b.Run(name, func(b *testing.B) {
			var views, images []time.Duration
			for b.Loop() {
				images = append(images, request(ofImages))
				views = append(views, request(ofKind))
			}
			b.ReportMetric(float64(median(views))/float64(median(images)), "of-image")
		})
	}
	compare("get", func(path string) time.Duration { return send(http.MethodGet, path+"/web-7", "", "") })
	compare("list-warm", func(path string) time.Duration { return send(http.MethodGet, path, "", "") })
	labels := 0
	compare("write", func(path string) time.Duration {
		labels++
		return send(http.MethodPatch, path+"/web-7", "application/merge-patch+json", fmt.Sprintf(`{"metadata": {"labels": {"n": "%d"}}}`, labels))
	})
	revisions := 0
	compare("list-cold", func(path string) time.Duration {
		if path == ofKind { // another kind, whose objects nothing has read
			revisions++
			configured.Replace([]*catalog.Kind{compileKind(b, fmt.Sprint("revision ", revisions))})
			awaitDescription(b, client, config.Host, fmt.Sprint("revision ", revisions))
		}
		return send(http.MethodGet, path, "", "")
	})
}

// compileKind compiles the kind of the specs with a description of its own.
func compileKind(b *testing.B, description string) *catalog.Kind {
	b.Helper()
	document := require.Value(os.ReadFile("../../testdata/catalog/debianservers.yaml"))(b)
	return parseKind(b, bytes.ReplaceAll(document, []byte("Packages to install."), []byte("Packages. "+description)))
}

// awaitDescription returns once the server publishes a kind with the description.
func awaitDescription(b *testing.B, client *http.Client, host, description string) {
	b.Helper()
	for b.Context().Err() == nil {
		request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, host+"/openapi/v3/apis/catalog.goldsmith.dev/v1", http.NoBody)
		require.NoError(b, err)
		response, err := client.Do(request)
		require.NoError(b, err)
		document, err := io.ReadAll(response.Body)
		require.NoError(b, err)
		_ = response.Body.Close() // read to its end
		if bytes.Contains(document, []byte(description+`"`)) {
			return
		}
	}
}

func median(durations []time.Duration) time.Duration {
	slices.Sort(durations)
	return durations[len(durations)/2]
}
