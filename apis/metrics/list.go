// SPDX-License-Identifier: Apache-2.0

// Package metrics declares every metric of Goldsmith: its name, kind, labels and help text. docs/reference/metrics.md is generated from
// it. The package measures nothing. Metrics of libraries, such as those of controller-runtime, are not declared here.
//
// Label values are few: phases, outcomes and documented reasons, never names of objects.
package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Kind is the kind of a metric, as Prometheus names it.
type Kind string

// The kinds of metrics.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// The programs that have metrics.
const (
	Controller = "goldsmith-controller"
	APIServer  = "goldsmith-apiserver"
)

// Metric declares a metric.
type Metric struct {
	// Name of the metric. The unit is part of it.
	Name string
	Kind Kind
	// Program that has the metric: Controller or APIServer.
	Program string
	// Help is what the metric measures, as one or two sentences.
	Help string
	// Labels are the names of its labels.
	Labels []string
	// Buckets are the upper bounds of a histogram.
	Buckets []float64
}

// list is the only place where a metric is declared.
var list = []Metric{
	{Name: "goldsmith_builds_unfinished", Kind: Gauge, Program: Controller, Labels: []string{"phase"},
		Help: "Number of unfinished builds, by phase."},
	{Name: "goldsmith_builds_finished_total", Kind: Counter, Program: Controller, Labels: []string{"phase", "class", "reason", "one_off"},
		Help: "Number of finished builds, by phase, by class and reason of the failure, and by whether the build is one-off."},
	{Name: "goldsmith_build_attempts_finished_total", Kind: Counter, Program: Controller, Labels: []string{"outcome", "reason"},
		Help: "Number of finished attempts, by outcome, and by reason of the failure."},
	{Name: "goldsmith_build_tests_finished_total", Kind: Counter, Program: Controller, Labels: []string{"outcome", "gates"},
		Help: "Number of finished tests of builds, by outcome, and by whether the build needs the test to succeed."},
	{Name: "goldsmith_build_duration_seconds", Kind: Histogram, Program: Controller, Labels: []string{"phase"},
		Help:    "Duration of finished builds, without their time in the queue, by phase.",
		Buckets: []float64{1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400}},
	{Name: "goldsmith_archive_checks_total", Kind: Counter, Program: Controller, Labels: []string{"outcome"},
		Help: "Number of checks of archives of packages, by outcome: changed, unchanged or failed."},
	{Name: "goldsmith_source_checks_total", Kind: Counter, Program: Controller, Labels: []string{"outcome"},
		Help: "Number of checks of sources from Git and registries, by outcome: changed, unchanged or failed."},
	{Name: "goldsmith_fix_duration_seconds", Kind: Histogram, Program: Controller, Labels: []string{"reached"},
		Help:    "Time from the fix of a package in an archive until an image has it, and until a channel has it: Ready, or the name of the channel.",
		Buckets: []float64{60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 345600, 604800, 1209600, 2592000}},
	{Name: "goldsmith_builds_pruned_unarchived_total", Kind: Counter, Program: Controller,
		Help: "Number of builds that were pruned one day after their end, before their logs were archived."},
	{Name: "goldsmith_builds_pruned_unrecorded_total", Kind: Counter, Program: Controller,
		Help: "Number of builds that were pruned one day after their end, before they were recorded."},
	{Name: "goldsmith_queue_builds", Kind: Gauge, Program: Controller,
		Help: "Number of builds that wait to be admitted."},
	{Name: "goldsmith_queue_wait_seconds", Kind: Histogram, Program: Controller,
		Help:    "Time from the creation of a build until its status contains the first attempt.",
		Buckets: []float64{1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400}},
	{Name: "goldsmith_log_archive_up", Kind: Gauge, Program: Controller,
		Help: "1 if the log archive is available, 0 if it is not."},
	{Name: "goldsmith_log_archive_bytes_total", Kind: Counter, Program: Controller,
		Help: "Number of archived bytes of logs, before compression."},
	{Name: "goldsmith_log_archive_errors_total", Kind: Counter, Program: Controller,
		Help: "Number of errors of the log archive. The controller retries failed operations."},
	{Name: "goldsmith_log_archive_swept_total", Kind: Counter, Program: Controller,
		Help: "Number of builds whose archived logs were deleted according to their retention."},
	{Name: "goldsmith_log_archive_pending", Kind: Gauge, Program: Controller,
		Help: "Number of finished builds whose logs are not archived yet."},
	{Name: "goldsmith_log_archive_lag_seconds", Kind: Gauge, Program: Controller,
		Help: "Time since the end of the oldest finished build whose logs are not archived yet; 0 if there is none."},
	{Name: "goldsmith_records_up", Kind: Gauge, Program: Controller,
		Help: "1 if the records database is available, 0 if it is not."},
	{Name: "goldsmith_records_written_total", Kind: Counter, Program: Controller, Labels: []string{"kind"},
		Help: "Number of writes to the records database, by kind: build, image or deletion."},
	{Name: "goldsmith_records_errors_total", Kind: Counter, Program: Controller,
		Help: "Number of errors of the records database. The controller retries failed operations."},
	{Name: "goldsmith_records_expired_total", Kind: Counter, Program: Controller,
		Help: "Number of build records that were deleted according to their retention."},
	{Name: "goldsmith_records_forgotten_total", Kind: Counter, Program: Controller,
		Help: "Number of deleted builds whose last state was not recorded, because too many other builds waited to be recorded."},
	{Name: "goldsmith_records_schema_version", Kind: Gauge, Program: Controller,
		Help: "Schema version of the records database; 0 until the database has answered."},
	{Name: "goldsmith_records_pending", Kind: Gauge, Program: Controller,
		Help: "Number of finished builds that are not recorded yet."},
	{Name: "goldsmith_records_lag_seconds", Kind: Gauge, Program: Controller,
		Help: "Time since the end of the oldest finished build that is not recorded yet; 0 if there is none."},
	{Name: "goldsmith_image_changes_recorded_total", Kind: Counter, Program: APIServer,
		Help: "Number of recorded changes of images."},
	{Name: "goldsmith_image_changes_dropped_total", Kind: Counter, Program: APIServer,
		Help: "Number of changes of images that were not recorded, because the records database was unavailable for too long, or refused them."},
}

// All returns every metric, in the order of the page.
func All() []Metric { return slices.Clone(list) }

// find returns a declared metric. A name that is not declared is an error of the program, so find panics.
func find(name string, kind Kind) Metric {
	i := slices.IndexFunc(list, func(m Metric) bool { return m.Name == name && m.Kind == kind })
	if i < 0 {
		panic("no " + string(kind) + " " + name + " in the list of metrics")
	}
	return list[i]
}

// NewCounter makes a declared counter without labels. Like the other constructors, it panics if the name is not declared as such.
func NewCounter(name string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: find(name, Counter).Help})
}

// NewCounterVec makes a declared counter with its labels.
func NewCounterVec(name string) *prometheus.CounterVec {
	m := find(name, Counter)
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: m.Help}, m.Labels)
}

// NewGauge makes a declared gauge without labels.
func NewGauge(name string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: find(name, Gauge).Help})
}

// NewGaugeDesc makes the description of a declared gauge with its labels, whose values a collector computes at each scrape.
func NewGaugeDesc(name string) *prometheus.Desc {
	m := find(name, Gauge)
	return prometheus.NewDesc(name, m.Help, m.Labels, nil)
}

// NewHistogram makes a declared histogram without labels.
func NewHistogram(name string) prometheus.Histogram {
	m := find(name, Histogram)
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: m.Help, Buckets: m.Buckets})
}

// NewHistogramVec makes a declared histogram with its labels.
func NewHistogramVec(name string) *prometheus.HistogramVec {
	m := find(name, Histogram)
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: m.Help, Buckets: m.Buckets}, m.Labels)
}
