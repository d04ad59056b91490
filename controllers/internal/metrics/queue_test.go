// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheQueueHasALengthAndWaits(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	queue, err := metrics.NewQueue(registry)
	require.NoError(t, err)
	queue.Waiting(7)
	queue.Admitted(90 * time.Second)
	queue.Admitted(-time.Second) // a clock went back
	compare(t, registry, "goldsmith_queue_builds 7")
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if histogram := family.GetMetric()[0].GetHistogram(); histogram != nil && (histogram.GetSampleCount() != 2 || histogram.GetSampleSum() != 90) {
			t.Errorf("%d waits of %g seconds", histogram.GetSampleCount(), histogram.GetSampleSum())
		}
	}
	if _, err := metrics.NewQueue(registry); err == nil {
		t.Error("the same metrics were registered twice")
	}
}
