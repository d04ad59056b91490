// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// backlog counts the finished builds that are not archived or recorded yet, in a cache of builds.
type backlog struct {
	builds  client.Reader
	elected <-chan struct{}
	clock   clock.PassiveClock
	settled func(*v1alpha1.ImageBuild) bool // the build is not in the backlog
	// how many builds are in the backlog, and how many seconds ago the oldest of them finished
	pending, lag *prometheus.Desc
}

// Describe sends the descriptions of the gauges.
func (b *backlog) Describe(to chan<- *prometheus.Desc) {
	to <- b.pending
	to <- b.lag
}

// Collect counts. Only the process that was elected has values, so that a sum counts each build once.
func (b *backlog) Collect(to chan<- prometheus.Metric) {
	select {
	case <-b.elected:
	default:
		return
	}
	list := &v1alpha1.ImageBuildList{}
	if err := b.builds.List(context.Background(), list, client.UnsafeDisableDeepCopy); err != nil {
		to <- prometheus.NewInvalidMetric(b.pending, err)
		return
	}
	var pending int
	var lag time.Duration
	for i := range list.Items {
		build := &list.Items[i]
		if !build.Status.Finished || b.settled(build) {
			continue
		}
		pending++
		if build.Status.CompletionTime != nil {
			lag = max(lag, b.clock.Since(build.Status.CompletionTime.Time))
		}
	}
	to <- prometheus.MustNewConstMetric(b.pending, prometheus.GaugeValue, float64(pending))
	to <- prometheus.MustNewConstMetric(b.lag, prometheus.GaugeValue, lag.Seconds())
}
