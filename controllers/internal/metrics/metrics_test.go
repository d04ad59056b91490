// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
)

func TestAnEndIsCountedOnceWhenItIsStored(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	builds, err := metrics.NewBuilds(registry)
	if err != nil {
		t.Fatal(err)
	}
	start := metav1.NewTime(time.Unix(100, 0))
	end := metav1.NewTime(start.Add(45 * time.Second))
	evicted := v1alpha1.BuildAttempt{Number: 1, Outcome: v1alpha1.AttemptDisrupted, Failure: &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure, Reason: v1alpha1.ReasonEvicted}}
	failure := &v1alpha1.BuildFailure{Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonOOMKilled}

	starting := &v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildStarting, StartTime: &start, Attempts: []v1alpha1.BuildAttempt{{Number: 1}}}
	retrying := &v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRetrying, StartTime: &start, Attempts: []v1alpha1.BuildAttempt{evicted}}
	again := &v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildStarting, StartTime: &start, Attempts: []v1alpha1.BuildAttempt{evicted, {Number: 2}}}
	failed := &v1alpha1.ImageBuildStatus{
		Phase: v1alpha1.BuildFailed, Finished: true, StartTime: &start, CompletionTime: &end, Failure: failure,
		Attempts: []v1alpha1.BuildAttempt{evicted, {Number: 2, Outcome: v1alpha1.AttemptFailed, Failure: failure}},
	}
	succeeded := &v1alpha1.ImageBuildStatus{
		Phase: v1alpha1.BuildSucceeded, Finished: true, StartTime: &start, CompletionTime: &end,
		Attempts: []v1alpha1.BuildAttempt{{Number: 1, Outcome: v1alpha1.AttemptSucceeded}},
	}
	builds.Stored(starting, &v1alpha1.ImageBuild{Status: *retrying})
	builds.Stored(retrying, &v1alpha1.ImageBuild{Status: *again})
	builds.Stored(again, &v1alpha1.ImageBuild{Status: *failed})
	builds.Stored(failed, &v1alpha1.ImageBuild{Status: *failed})
	builds.Stored(starting, &v1alpha1.ImageBuild{Status: *succeeded})
	builds.Stored(starting, &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{OneOff: new(true)}, Status: *succeeded})

	expected := `
# HELP goldsmith_build_attempts_finished_total Number of finished attempts, by outcome, and by reason of the failure.
# TYPE goldsmith_build_attempts_finished_total counter
goldsmith_build_attempts_finished_total{outcome="Disrupted",reason="Evicted"} 1
goldsmith_build_attempts_finished_total{outcome="Failed",reason="OOMKilled"} 1
goldsmith_build_attempts_finished_total{outcome="Succeeded",reason=""} 2
# HELP goldsmith_builds_finished_total Number of finished builds, by phase, by class and reason of the failure, and by whether the build is one-off.
# TYPE goldsmith_builds_finished_total counter
goldsmith_builds_finished_total{class="",one_off="false",phase="Succeeded",reason=""} 1
goldsmith_builds_finished_total{class="",one_off="true",phase="Succeeded",reason=""} 1
goldsmith_builds_finished_total{class="User",one_off="false",phase="Failed",reason="OOMKilled"} 1
`
	err = testutil.GatherAndCompare(registry, strings.NewReader(expected), "goldsmith_build_attempts_finished_total", "goldsmith_builds_finished_total")
	if err != nil {
		t.Error(err)
	}
	if count, err := testutil.GatherAndCount(registry, "goldsmith_build_duration_seconds"); err != nil || count != 2 {
		t.Errorf("durations of %d phases: %v", count, err)
	}
	if _, err := metrics.NewBuilds(registry); err == nil {
		t.Error("the same metrics were registered twice")
	}
}

func TestUnfinishedBuildsAreCountedByPhaseInTheElectedProcess(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builds := fake.NewClientBuilder().WithScheme(scheme)
	for name, phase := range map[string]v1alpha1.BuildPhase{"a": v1alpha1.BuildQueued, "b": v1alpha1.BuildQueued, "c": v1alpha1.BuildRunning, "d": v1alpha1.BuildFailed} {
		build := &v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Phase: phase}}
		build.Namespace, build.Name = "default", name
		builds.WithObjects(build)
	}
	registry := prometheus.NewPedanticRegistry()
	elected := make(chan struct{})
	if err := metrics.RegisterPhases(registry, builds.Build(), elected); err != nil {
		t.Fatal(err)
	}
	if count, err := testutil.GatherAndCount(registry); err != nil || count != 0 {
		t.Errorf("a process that waits to be elected has %d values: %v", count, err)
	}
	close(elected)
	expected := `
# HELP goldsmith_builds_unfinished Number of unfinished builds, by phase.
# TYPE goldsmith_builds_unfinished gauge
goldsmith_builds_unfinished{phase="Cancelling"} 0
goldsmith_builds_unfinished{phase="Pending"} 0
goldsmith_builds_unfinished{phase="Queued"} 2
goldsmith_builds_unfinished{phase="Retrying"} 0
goldsmith_builds_unfinished{phase="Running"} 1
goldsmith_builds_unfinished{phase="Starting"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(expected)); err != nil {
		t.Error(err)
	}
}

func TestTheLogsThatAreNotArchivedAreCounted(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	now := testingclock.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	builds := fake.NewClientBuilder().WithScheme(scheme)
	for name, c := range map[string]struct {
		finished bool
		status   metav1.ConditionStatus
		reason   string
		age      time.Duration
	}{
		"runs": {}, "new": {finished: true, age: time.Minute}, "archived": {true, metav1.ConditionTrue, v1alpha1.ReasonNoLog, time.Hour},
		"waits": {true, metav1.ConditionFalse, v1alpha1.ReasonArchiveUnavailable, 30 * time.Minute}, "expired": {true, metav1.ConditionFalse, v1alpha1.ReasonLogExpired, time.Hour},
	} {
		build := &v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Finished: c.finished, CompletionTime: &metav1.Time{Time: now.Now().Add(-c.age)}}}
		build.Namespace, build.Name = "default", name
		if c.reason != "" {
			build.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildLogArchived, Status: c.status, Reason: c.reason}}
		}
		builds.WithObjects(build)
	}
	registry, elected := prometheus.NewPedanticRegistry(), make(chan struct{})
	close(elected)
	if _, err := metrics.NewLogs(registry, builds.Build(), elected, now); err != nil {
		t.Fatal(err)
	}
	expected := `
# HELP goldsmith_log_archive_lag_seconds Time since the end of the oldest finished build whose logs are not archived yet; 0 if there is none.
# TYPE goldsmith_log_archive_lag_seconds gauge
goldsmith_log_archive_lag_seconds 1800
# HELP goldsmith_log_archive_pending Number of finished builds whose logs are not archived yet.
# TYPE goldsmith_log_archive_pending gauge
goldsmith_log_archive_pending 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(expected), "goldsmith_log_archive_lag_seconds", "goldsmith_log_archive_pending"); err != nil {
		t.Error(err)
	}
}

func TestTheBuildsThatAreNotRecordedAreCounted(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	now := testingclock.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	builds := fake.NewClientBuilder().WithScheme(scheme)
	for name, c := range map[string]struct {
		finished bool
		status   metav1.ConditionStatus
		reason   string
		age      time.Duration
	}{
		"runs": {}, "new": {finished: true, age: time.Minute}, "recorded": {true, metav1.ConditionTrue, v1alpha1.ReasonRecorded, 2 * time.Hour},
		"waits": {true, metav1.ConditionFalse, v1alpha1.ReasonRecordsUnavailable, time.Hour}, "never": {true, metav1.ConditionFalse, v1alpha1.ReasonNotRecordable, 2 * time.Hour},
	} {
		build := &v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Finished: c.finished, CompletionTime: &metav1.Time{Time: now.Now().Add(-c.age)}}}
		build.Namespace, build.Name = "default", name
		if c.reason != "" {
			build.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildRecorded, Status: c.status, Reason: c.reason}}
		}
		builds.WithObjects(build)
	}
	registry, elected := prometheus.NewPedanticRegistry(), make(chan struct{})
	if _, err := metrics.NewRecords(registry, builds.Build(), elected, now); err != nil {
		t.Fatal(err)
	}
	names := []string{"goldsmith_records_lag_seconds", "goldsmith_records_pending"}
	if count, err := testutil.GatherAndCount(registry, names...); err != nil || count != 0 {
		t.Errorf("a process that waits to be elected has %d values: %v", count, err)
	}
	close(elected)
	expected := `
# HELP goldsmith_records_lag_seconds Time since the end of the oldest finished build that is not recorded yet; 0 if there is none.
# TYPE goldsmith_records_lag_seconds gauge
goldsmith_records_lag_seconds 3600
# HELP goldsmith_records_pending Number of finished builds that are not recorded yet.
# TYPE goldsmith_records_pending gauge
goldsmith_records_pending 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(expected), names...); err != nil {
		t.Error(err)
	}
}
