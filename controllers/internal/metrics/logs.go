// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "goldsmith_log_archive_" + name, Help: help})
	}
	l := &Logs{
		Up:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "goldsmith_log_archive_up", Help: "1 if the log archive is available, 0 if it is not."}),
		Bytes:  counter("bytes_total", "Number of archived bytes of logs, before compression."),
		Errors: counter("errors_total", "Number of errors of the log archive. The controller retries failed operations."),
		Swept:  counter("swept_total", "Number of builds whose archived logs were deleted according to their retention."),
	}
	backlog := &backlog{
		builds: builds, elected: elected, clock: clock, settled: trigger.LogSettled,
		pending: prometheus.NewDesc("goldsmith_log_archive_pending", "Number of finished builds whose logs are not archived yet.", nil, nil),
		lag:     prometheus.NewDesc("goldsmith_log_archive_lag_seconds", "Time since the end of the oldest finished build whose logs are not archived yet; 0 if there is none.", nil, nil),
	}
	var failures []error
	for _, collector := range []prometheus.Collector{l.Up, l.Bytes, l.Errors, l.Swept, backlog} {
		failures = append(failures, registerer.Register(collector))
	}
	if err := errors.Join(failures...); err != nil {
		return nil, fmt.Errorf("register the metrics of the archive of logs: %w", err)
	}
	return l, nil
}
