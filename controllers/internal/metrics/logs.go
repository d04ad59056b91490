// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/metrics"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// Logs measures the archive of logs. There is one only where an archive is configured.
type Logs struct {
	// Up is 1 while the archive answers, 0 while it does not.
	Up prometheus.Gauge
	// Bytes counts the bytes of logs that were read for the archive, without timestamps and before compression.
	Bytes prometheus.Counter
	// Errors counts the requests that the archive answered with an error.
	Errors prometheus.Counter
	// Swept counts builds whose archived logs were deleted because of their retention.
	Swept prometheus.Counter
}

// NewLogs registers the metrics of the archive. The elected process counts the finished builds whose logs are not archived in
// a cache of builds, at each scrape.
func NewLogs(registerer prometheus.Registerer, builds client.Reader, elected <-chan struct{}, clock clock.PassiveClock) (*Logs, error) {
	l := &Logs{
		Up:     metrics.NewGauge("goldsmith_log_archive_up"),
		Bytes:  metrics.NewCounter("goldsmith_log_archive_bytes_total"),
		Errors: metrics.NewCounter("goldsmith_log_archive_errors_total"),
		Swept:  metrics.NewCounter("goldsmith_log_archive_swept_total"),
	}
	backlog := &backlog{
		builds: builds, elected: elected, clock: clock, settled: trigger.LogSettled,
		pending: metrics.NewGaugeDesc("goldsmith_log_archive_pending"), lag: metrics.NewGaugeDesc("goldsmith_log_archive_lag_seconds"),
	}
	if err := register(registerer, l.Up, l.Bytes, l.Errors, l.Swept, backlog); err != nil {
		return nil, err
	}
	return l, nil
}
