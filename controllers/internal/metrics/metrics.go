// SPDX-License-Identifier: Apache-2.0

// Package metrics measures builds, the queue, the archive of logs and the records for operators. It does not repeat the metrics
// of controller-runtime: queues, reconciliations and requests. apis/metrics declares each metric.
package metrics

import (
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/metrics"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// Builds counts builds and attempts as their ends are stored. It counts what this process stores: the sum over all
// processes is the number of builds.
type Builds struct {
	finished *prometheus.CounterVec
	duration *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	tests    *prometheus.CounterVec
	// builds pruned before their logs were archived, and before they were recorded
	unarchived, unrecorded prometheus.Counter
}

// NewBuilds registers the metrics of builds.
func NewBuilds(registerer prometheus.Registerer) (*Builds, error) {
	b := &Builds{
		finished:   metrics.NewCounterVec("goldsmith_builds_finished_total"),
		duration:   metrics.NewHistogramVec("goldsmith_build_duration_seconds"),
		attempts:   metrics.NewCounterVec("goldsmith_build_attempts_finished_total"),
		tests:      metrics.NewCounterVec("goldsmith_build_tests_finished_total"),
		unarchived: metrics.NewCounter("goldsmith_builds_pruned_unarchived_total"),
		unrecorded: metrics.NewCounter("goldsmith_builds_pruned_unrecorded_total"),
	}
	if err := register(registerer, b.finished, b.duration, b.attempts, b.tests, b.unarchived, b.unrecorded); err != nil {
		return nil, err
	}
	// rate() needs a first value.
	b.finished.WithLabelValues(string(v1alpha1.BuildSucceeded), "", "", "false")
	b.attempts.WithLabelValues(string(v1alpha1.AttemptSucceeded), "")
	b.tests.WithLabelValues(string(v1alpha1.TestPassed), "true")
	return b, nil
}

// CountEnds counts the build, the attempts and the tests that ended between a former status and the status that was just stored.
func (b *Builds) CountEnds(before *v1alpha1.ImageBuildStatus, build *v1alpha1.ImageBuild) {
	after := &build.Status
	for i := range after.Attempts {
		attempt := &after.Attempts[i]
		if ended := i < len(before.Attempts) && before.Attempts[i].Outcome != ""; ended || attempt.Outcome == "" {
			continue
		}
		_, reason := failure(attempt.Failure)
		b.attempts.WithLabelValues(string(attempt.Outcome), reason).Inc()
	}
	for i := range after.Tests {
		test := &after.Tests[i]
		if ended := i < len(before.Tests) && before.Tests[i].Outcome != ""; ended || test.Outcome == "" {
			continue
		}
		b.tests.WithLabelValues(string(test.Outcome), strconv.FormatBool(test.Gates)).Inc()
	}
	if before.Finished || !after.Finished {
		return
	}
	class, reason := failure(after.Failure)
	b.finished.WithLabelValues(string(after.Phase), class, reason, strconv.FormatBool(build.IsOneOff())).Inc()
	if took, started := after.Duration(); started {
		b.duration.WithLabelValues(string(after.Phase)).Observe(took.Seconds())
	}
}

// Pruned counts a build that was deleted before its logs were archived, or before it was recorded, if these are configured.
func (b *Builds) Pruned(build *v1alpha1.ImageBuild, logsArchived, buildsRecorded bool) {
	if logsArchived && !trigger.LogSettled(build) {
		b.unarchived.Inc()
	}
	if buildsRecorded && !trigger.RecordSettled(build) {
		b.unrecorded.Inc()
	}
}

func failure(of *v1alpha1.BuildFailure) (class, reason string) {
	if of == nil {
		return "", ""
	}
	return string(of.Class), string(of.Reason)
}

func register(registerer prometheus.Registerer, collectors ...prometheus.Collector) error {
	for _, collector := range collectors {
		if err := registerer.Register(collector); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}
