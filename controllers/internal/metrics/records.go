// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/metrics"
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
	r := &Records{
		Up:            metrics.NewGauge("goldsmith_records_up"),
		Written:       metrics.NewCounterVec("goldsmith_records_written_total"),
		Errors:        metrics.NewCounter("goldsmith_records_errors_total"),
		Expired:       metrics.NewCounter("goldsmith_records_expired_total"),
		Forgotten:     metrics.NewCounter("goldsmith_records_forgotten_total"),
		SchemaVersion: metrics.NewGauge("goldsmith_records_schema_version"),
	}
	backlog := &backlog{
		builds: builds, elected: elected, clock: clock, settled: trigger.RecordSettled,
		pending: metrics.NewGaugeDesc("goldsmith_records_pending"), lag: metrics.NewGaugeDesc("goldsmith_records_lag_seconds"),
	}
	if err := register(registerer, r.Up, r.Written, r.Errors, r.Expired, r.Forgotten, r.SchemaVersion, backlog); err != nil {
		return nil, err
	}
	for _, kind := range []string{RecordedBuild, RecordedImage, RecordedDeletion} {
		r.Written.WithLabelValues(kind) // a rate needs a first value
	}
	return r, nil
}
