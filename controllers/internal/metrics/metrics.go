// SPDX-License-Identifier: Apache-2.0

// Package metrics measures builds, the queue, the archive of logs and the records for operators. It does not repeat the metrics
// of controller-runtime: queues, reconciliations and requests. apis/metrics declares each metric.
package metrics

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

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
	fixes    *prometheus.HistogramVec
	// channels are the names of channels that fixes have; guarded by mutex
	channels []string
	mutex    sync.Mutex
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
		fixes:      metrics.NewHistogramVec("goldsmith_fix_duration_seconds"),
		unarchived: metrics.NewCounter("goldsmith_builds_pruned_unarchived_total"),
		unrecorded: metrics.NewCounter("goldsmith_builds_pruned_unrecorded_total"),
	}
	if err := register(registerer, b.finished, b.duration, b.attempts, b.tests, b.fixes, b.unarchived, b.unrecorded); err != nil {
		return nil, err
	}
	// rate() needs a first value.
	b.finished.WithLabelValues(string(v1alpha1.BuildSucceeded), "", "", "false")
	b.attempts.WithLabelValues(string(v1alpha1.AttemptSucceeded), "")
	b.tests.WithLabelValues(string(v1alpha1.TestPassed), "true")
	b.fixes.WithLabelValues(v1alpha1.ImageReady)
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

// maxChannels is how many channels have values of their own. Users choose the names.
const maxChannels = 32

// CountFixes counts the fixes of an Image, and their channels, that a status which was just stored has and the former status did not have.
func (b *Builds) CountFixes(before, after []v1alpha1.PackageFix) {
	for i := range after {
		fix, known := &after[i], v1alpha1.PackageFix{}
		if at := slices.IndexFunc(before, func(of v1alpha1.PackageFix) bool { return of.Build == fix.Build }); at >= 0 {
			known = before[at]
		} else {
			b.fixes.WithLabelValues(v1alpha1.ImageReady).Observe(fix.TimeUntil(fix.ReadyTime).Seconds())
		}
		for _, channel := range fix.Channels {
			if !slices.ContainsFunc(known.Channels, func(of v1alpha1.FixedChannel) bool { return of.Name == channel.Name }) {
				b.fixes.WithLabelValues(b.channel(channel.Name)).Observe(fix.TimeUntil(channel.Time).Seconds())
			}
		}
	}
}

// channel returns the label of a channel.
func (b *Builds) channel(name string) string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	switch {
	case slices.Contains(b.channels, name):
	case len(b.channels) == maxChannels:
		return "other"
	default:
		b.channels = append(b.channels, name)
	}
	return name
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
