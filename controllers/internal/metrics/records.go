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

// What a label of Records.Written says.
const (
	RecordedBuild    = "build"
	RecordedImage    = "image"
	RecordedDeletion = "deletion"
)

// Records measures the database of records. There is one only where a database is configured.
type Records struct {
	// Up is 1 while the database answers, 0 while it does not.
	Up prometheus.Gauge
	// Written counts what was written to the database, by what it is: RecordedBuild, RecordedImage or RecordedDeletion.
	Written *prometheus.CounterVec
	// Errors counts what the database answered with an error.
	Errors prometheus.Counter
	// Expired counts records of builds that were deleted because of their retention.
	Expired prometheus.Counter
	// Forgotten counts builds that were deleted while too many others waited for the database, so that their last state
	// was not recorded.
	Forgotten prometheus.Counter
	// SchemaVersion is the version that the database is migrated to; 0 until it has answered.
	SchemaVersion prometheus.Gauge
}

// NewRecords registers the metrics of the database of records. The finished builds that are not recorded are counted in a
// cache of builds whenever somebody asks, by the process that was elected.
func NewRecords(registerer prometheus.Registerer, builds client.Reader, elected <-chan struct{}, clock clock.PassiveClock) (*Records, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "goldsmith_records_" + name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "goldsmith_records_" + name, Help: help})
	}
	r := &Records{
		Up: gauge("up", "Whether the database of records answers."),
		Written: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goldsmith_records_written_total",
			Help: "What was written to the database of records: states of builds and of images, and deletions.",
		}, []string{"kind"}),
		Errors:        counter("errors_total", "Errors of the database of records. What failed is tried again."),
		Expired:       counter("expired_total", "Records of builds that were deleted because of their retention."),
		Forgotten:     counter("forgotten_total", "Builds that were deleted while too many others waited to be recorded, and whose last state is not."),
		SchemaVersion: gauge("schema_version", "The version that the database of records is migrated to; 0 until it has answered."),
	}
	backlog := &backlog{
		builds: builds, elected: elected, clock: clock, settled: trigger.RecordSettled,
		pending: prometheus.NewDesc("goldsmith_records_pending", "Finished builds that are not recorded yet.", nil, nil),
		lag:     prometheus.NewDesc("goldsmith_records_lag_seconds", "How long the oldest of them has been finished; 0 if there is none.", nil, nil),
	}
	var failures []error
	for _, collector := range []prometheus.Collector{r.Up, r.Written, r.Errors, r.Expired, r.Forgotten, r.SchemaVersion, backlog} {
		failures = append(failures, registerer.Register(collector))
	}
	if err := errors.Join(failures...); err != nil {
		return nil, fmt.Errorf("registering the metrics of the database of records: %w", err)
	}
	for _, kind := range []string{RecordedBuild, RecordedImage, RecordedDeletion} {
		r.Written.WithLabelValues(kind) // a rate needs a first value
	}
	return r, nil
}
