// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goldsmith.dev/goldsmith/apis/metrics"
)

// Queue measures the queue of builds. Only the process that was elected has other values than 0.
type Queue struct {
	builds prometheus.Gauge
	wait   prometheus.Histogram
}

// NewQueue registers the metrics of the queue.
func NewQueue(registerer prometheus.Registerer) (*Queue, error) {
	q := &Queue{builds: metrics.NewGauge("goldsmith_queue_builds"), wait: metrics.NewHistogram("goldsmith_queue_wait_seconds")}
	if err := register(registerer, q.builds, q.wait); err != nil {
		return nil, err
	}
	return q, nil
}

// Waiting is how many builds wait now.
func (q *Queue) Waiting(builds int) { q.builds.Set(float64(builds)) }

// Admitted counts a build that has waited. A clock that went back counts as no wait.
func (q *Queue) Admitted(waited time.Duration) { q.wait.Observe(max(0, waited.Seconds())) }
