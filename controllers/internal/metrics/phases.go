// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/metrics"
)

// phases counts the unfinished builds.
type phases struct {
	builds  client.Reader
	elected <-chan struct{}
	gauge   *prometheus.Desc
}

// RegisterPhases registers a gauge of the unfinished builds by phase, read from a cache of them. Only the process that
// was elected has values, so that a sum counts each build once.
func RegisterPhases(registerer prometheus.Registerer, builds client.Reader, elected <-chan struct{}) error {
	return register(registerer, &phases{builds: builds, elected: elected, gauge: metrics.NewGaugeDesc("goldsmith_builds_unfinished")})
}

// Describe sends the description of the gauge.
func (p *phases) Describe(to chan<- *prometheus.Desc) {
	to <- p.gauge
}

// Collect sends a value for each phase, 0 included.
func (p *phases) Collect(to chan<- prometheus.Metric) {
	select {
	case <-p.elected:
	default:
		return
	}
	list := &v1alpha1.ImageBuildList{}
	if err := p.builds.List(context.Background(), list, client.UnsafeDisableDeepCopy); err != nil {
		to <- prometheus.NewInvalidMetric(p.gauge, err)
		return
	}
	counts := map[v1alpha1.BuildPhase]int{
		v1alpha1.BuildPending: 0, v1alpha1.BuildQueued: 0, v1alpha1.BuildStarting: 0,
		v1alpha1.BuildRunning: 0, v1alpha1.BuildRetrying: 0, v1alpha1.BuildTesting: 0, v1alpha1.BuildCancelling: 0,
	}
	for i := range list.Items {
		if phase := list.Items[i].Status.Phase; !phase.Finished() {
			counts[phase]++
		}
	}
	for phase, count := range counts {
		to <- prometheus.MustNewConstMetric(p.gauge, prometheus.GaugeValue, float64(count), string(phase))
	}
}
