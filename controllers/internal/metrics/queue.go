// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Queue measures the queue of builds. Only the process that was elected has other values than 0.
type Queue struct {
	builds prometheus.Gauge
	wait   prometheus.Histogram
}

// NewQueue registers the metrics of the queue.
func NewQueue(registerer prometheus.Registerer) (*Queue, error) {
	q := &Queue{
		builds: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "goldsmith_queue_builds",
			Help: "Number of builds that wait to be admitted.",
		}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "goldsmith_queue_wait_seconds",
			Help:    "Time from the creation of a build until its status contains the first attempt.",
			Buckets: []float64{1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400},
		}),
	}
	if err := errors.Join(registerer.Register(q.builds), registerer.Register(q.wait)); err != nil {
		return nil, fmt.Errorf("register the metrics of the queue: %w", err)
	}
	return q, nil
}

// Waiting is how many builds wait now.
func (q *Queue) Waiting(builds int) { q.builds.Set(float64(builds)) }

// Admitted counts a build that has waited. A clock that went back counts as no wait.
func (q *Queue) Admitted(waited time.Duration) { q.wait.Observe(max(0, waited.Seconds())) }
