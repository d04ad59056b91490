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

// The values of the label of Records.Written.
const (
	RecordedBuild    = "build"
	RecordedImage    = "image"
	RecordedDeletion = "deletion"
)

// Records measures the database of records. There is one only where a database is configured.
type Records struct {
	// Up is 1 while the database answers, 0 while it does not.
	Up prometheus.Gauge
	// Written counts the records written to the database by type: RecordedBuild, RecordedImage or RecordedDeletion.
	Written *prometheus.CounterVec
	// Errors counts the requests that the database answered with an error.
	Errors prometheus.Counter
	// Expired counts records of builds that were deleted because of their retention.
	Expired prometheus.Counter
	// Forgotten counts deleted objects whose last state was not recorded, because too many deletions waited for the database.
	Forgotten prometheus.Counter
	// SchemaVersion is the version that the database is migrated to; 0 until it has answered.
	SchemaVersion prometheus.Gauge
}

// NewRecords registers the metrics of the database of records. The elected process counts the finished builds that are not recorded
// in a cache of builds, at each scrape.
func NewRecords(registerer prometheus.Registerer, builds client.Reader, elected <-chan struct{}, clock clock.PassiveClock) (*Records, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "goldsmith_records_" + name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "goldsmith_records_" + name, Help: help})
	}
	r := &Records{
		Up: gauge("up", "1 if the records database is available, 0 if it is not."),
		Written: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goldsmith_records_written_total",
			Help: "Number of writes to the records database, by kind: build, image or deletion.",
		}, []string{"kind"}),
		Errors:        counter("errors_total", "Number of errors of the records database. The controller retries failed operations."),
		Expired:       counter("expired_total", "Number of build records that were deleted according to their retention."),
		Forgotten:     counter("forgotten_total", "Number of deleted builds whose last state was not recorded, because too many other builds waited to be recorded."),
		SchemaVersion: gauge("schema_version", "Schema version of the records database; 0 until the database has answered."),
	}
	backlog := &backlog{
		builds: builds, elected: elected, clock: clock, settled: trigger.RecordSettled,
		pending: prometheus.NewDesc("goldsmith_records_pending", "Number of finished builds that are not recorded yet.", nil, nil),
		lag:     prometheus.NewDesc("goldsmith_records_lag_seconds", "Time since the end of the oldest finished build that is not recorded yet; 0 if there is none.", nil, nil),
	}
	var failures []error
	for _, collector := range []prometheus.Collector{r.Up, r.Written, r.Errors, r.Expired, r.Forgotten, r.SchemaVersion, backlog} {
		failures = append(failures, registerer.Register(collector))
	}
	if err := errors.Join(failures...); err != nil {
		return nil, fmt.Errorf("register the metrics of the database of records: %w", err)
	}
	for _, kind := range []string{RecordedBuild, RecordedImage, RecordedDeletion} {
		r.Written.WithLabelValues(kind) // a rate needs a first value
	}
	return r, nil
}
