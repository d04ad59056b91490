// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/metrics"
	"goldsmith.dev/goldsmith/e2e/require"
)

var update = flag.Bool("update", false, "write docs/reference/metrics.md")

const head = `# Every metric

This page lists the metrics of Goldsmith. ` + "`make generate`" + ` writes it from [the list](../../apis/metrics/list.go).
Both programs also have the metrics of their libraries, such as ` + "`controller_runtime_…` and `apiserver_…`. `goldsmith up`" + `
serves no metrics.

The component [monitoring](../cluster.md) has scrape configuration, alerts and a dashboard. Metrics about builds, the queue
and backlogs have values in the elected controller only, so a sum over all controllers counts nothing twice. Metrics of
the log archive and of the records database exist only if these are configured. Metrics are alpha, like the API: a
release can rename them.

| metric | type | labels | program | meaning |
|---|---|---|---|---|
`

func TestThePageHasEveryMetric(t *testing.T) {
	want := head
	for _, metric := range metrics.All() {
		labels := "–"
		if len(metric.Labels) > 0 {
			labels = "`" + strings.Join(metric.Labels, "`, `") + "`"
		}
		want += fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", metric.Name, metric.Kind, labels, metric.Program, metric.Help)
	}
	page := filepath.Join("..", "..", "docs", "reference", "metrics.md")
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o600))
	}
	if text, err := os.ReadFile(page); err != nil || string(text) != want {
		t.Errorf("docs/reference/metrics.md is stale: run make generate (-page +list): %v\n%s", err, cmp.Diff(string(text), want))
	}
}

func TestNamesAreThoseOfPrometheus(t *testing.T) {
	for _, metric := range metrics.All() {
		if counts := strings.HasSuffix(metric.Name, "_total"); !strings.HasPrefix(metric.Name, "goldsmith_") || counts != (metric.Kind == metrics.Counter) {
			t.Errorf("%s %s", metric.Kind, metric.Name)
		}
		if !strings.HasSuffix(metric.Help, ".") || (len(metric.Buckets) > 0) != (metric.Kind == metrics.Histogram) {
			t.Errorf("%s: help %q, buckets %v", metric.Name, metric.Help, metric.Buckets)
		}
	}
}

func TestAMetricThatIsNotDeclaredIsRefused(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a gauge was made that is declared as a counter")
		}
	}()
	metrics.NewGauge("goldsmith_records_errors_total")
}
