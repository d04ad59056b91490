// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	published "goldsmith.dev/goldsmith/apis/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAnEndIsCountedOnceWhenItIsStored(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	builds, err := metrics.NewBuilds(registry)
	require.NoError(t, err)
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
	builds.CountEnds(starting, &v1alpha1.ImageBuild{Status: *retrying})
	builds.CountEnds(retrying, &v1alpha1.ImageBuild{Status: *again})
	builds.CountEnds(again, &v1alpha1.ImageBuild{Status: *failed})
	builds.CountEnds(failed, &v1alpha1.ImageBuild{Status: *failed})
	tested := starting.DeepCopy()
	tested.Tests = []v1alpha1.TestStatus{{Name: "boots", Gates: true, Outcome: v1alpha1.TestFlaky}, {Name: "web"}}
	succeeded.Tests = []v1alpha1.TestStatus{{Name: "boots", Gates: true, Outcome: v1alpha1.TestFlaky}, {Name: "web", Outcome: v1alpha1.TestFailed}}
	builds.CountEnds(starting, &v1alpha1.ImageBuild{Status: *tested})
	builds.CountEnds(tested, &v1alpha1.ImageBuild{Status: *succeeded})
	succeeded.Tests = nil
	builds.CountEnds(starting, &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{OneOff: new(true)}, Status: *succeeded})

	compare(t, registry,
		`goldsmith_build_attempts_finished_total{outcome="Disrupted",reason="Evicted"} 1`,
		`goldsmith_build_attempts_finished_total{outcome="Failed",reason="OOMKilled"} 1`,
		`goldsmith_build_attempts_finished_total{outcome="Succeeded",reason=""} 2`,
		`goldsmith_build_tests_finished_total{gates="false",outcome="Failed"} 1`,
		`goldsmith_build_tests_finished_total{gates="true",outcome="Flaky"} 1`,
		`goldsmith_build_tests_finished_total{gates="true",outcome="Passed"} 0`,
		`goldsmith_builds_finished_total{class="",one_off="false",phase="Succeeded",reason=""} 1`,
		`goldsmith_builds_finished_total{class="",one_off="true",phase="Succeeded",reason=""} 1`,
		`goldsmith_builds_finished_total{class="User",one_off="false",phase="Failed",reason="OOMKilled"} 1`)
	if count, err := testutil.GatherAndCount(registry, "goldsmith_build_duration_seconds"); err != nil || count != 2 {
		t.Errorf("durations of %d phases: %v", count, err)
	}
	if _, err := metrics.NewBuilds(registry); err == nil {
		t.Error("the same metrics were registered twice")
	}
}

func TestAFixIsCountedOnceWhereItGets(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	builds, err := metrics.NewBuilds(registry)
	require.NoError(t, err)
	since := metav1.NewTime(time.Unix(10_000, 0))
	after := func(d time.Duration) metav1.Time { return metav1.NewTime(since.Add(d)) }
	fixed := v1alpha1.PackageFix{Build: "web-2", Since: since, ReadyTime: after(10 * time.Minute)}
	promoted := *fixed.DeepCopy()
	promoted.Channels = []v1alpha1.FixedChannel{{Name: "stable", Time: after(2 * time.Hour)}}
	early := v1alpha1.PackageFix{Build: "web-3", Since: since, ReadyTime: after(-time.Hour)} // the clock of the archive is ahead
	for i := range 40 {
		early.Channels = append(early.Channels, v1alpha1.FixedChannel{Name: fmt.Sprint("team-", i), Time: after(time.Hour)})
	}
	builds.CountFixes(nil, []v1alpha1.PackageFix{fixed})
	builds.CountFixes([]v1alpha1.PackageFix{fixed}, []v1alpha1.PackageFix{promoted})
	builds.CountFixes([]v1alpha1.PackageFix{promoted}, []v1alpha1.PackageFix{early, promoted})
	builds.CountFixes([]v1alpha1.PackageFix{early, promoted}, []v1alpha1.PackageFix{early})

	families, err := registry.Gather()
	require.NoError(t, err)
	counts, sums := map[string]uint64{}, map[string]float64{}
	for _, family := range families {
		if family.GetName() == "goldsmith_fix_duration_seconds" {
			for _, of := range family.GetMetric() {
				counts[of.GetLabel()[0].GetValue()], sums[of.GetLabel()[0].GetValue()] = of.GetHistogram().GetSampleCount(), of.GetHistogram().GetSampleSum()
			}
		}
	}
	if counts["Ready"] != 2 || sums["Ready"] != 600 || counts["stable"] != 1 || sums["stable"] != 7200 || counts["team-0"] != 1 || counts["other"] != 9 || len(counts) != 34 {
		t.Errorf("counted are %v, together %v", counts, sums)
	}
}

func TestUnfinishedBuildsAreCountedByPhaseInTheElectedProcess(t *testing.T) {
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	builds := fake.NewClientBuilder().WithScheme(scheme)
	for name, phase := range map[string]v1alpha1.BuildPhase{"a": v1alpha1.BuildQueued, "b": v1alpha1.BuildQueued, "c": v1alpha1.BuildRunning, "d": v1alpha1.BuildFailed} {
		build := &v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Phase: phase}}
		build.Namespace, build.Name = "default", name
		builds.WithObjects(build)
	}
	registry := prometheus.NewPedanticRegistry()
	elected := make(chan struct{})
	require.NoError(t, metrics.RegisterPhases(registry, builds.Build(), elected))
	if count, err := testutil.GatherAndCount(registry); err != nil || count != 0 {
		t.Errorf("a process that waits to be elected has %d values: %v", count, err)
	}
	close(elected)
	compare(t, registry, `goldsmith_builds_unfinished{phase="Cancelling"} 0`, `goldsmith_builds_unfinished{phase="Pending"} 0`,
		`goldsmith_builds_unfinished{phase="Queued"} 2`, `goldsmith_builds_unfinished{phase="Retrying"} 0`, `goldsmith_builds_unfinished{phase="Testing"} 0`,
		`goldsmith_builds_unfinished{phase="Running"} 1`, `goldsmith_builds_unfinished{phase="Starting"} 0`)
}

// compare compares the values of metrics with lines of Prometheus' text format. The list has the lines before them.
func compare(t *testing.T, registry prometheus.Gatherer, lines ...string) {
	t.Helper()
	var names []string
	expected := ""
	for _, line := range lines {
		name := line[:strings.IndexAny(line, "{ ")]
		if !slices.Contains(names, name) {
			names = append(names, name)
			i := slices.IndexFunc(published.All(), func(m published.Metric) bool { return m.Name == name })
			expected += fmt.Sprintf("# HELP %s %s\n# TYPE %s %s\n", name, published.All()[i].Help, name, published.All()[i].Kind)
		}
		expected += line + "\n"
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(expected), names...); err != nil {
		t.Error(err)
	}
}

func TestTheControllerHasEveryDeclaredMetric(t *testing.T) {
	registered := &registered{Registerer: prometheus.NewRegistry()}
	_, errBuilds := metrics.NewBuilds(registered)
	_, errQueue := metrics.NewQueue(registered)
	_, errArchives := metrics.NewArchiveChecks(registered)
	_, errSources := metrics.NewSourceChecks(registered)
	_, errLogs := metrics.NewLogs(registered, nil, nil, nil)
	_, errRecords := metrics.NewRecords(registered, nil, nil, nil)
	require.NoError(t, errors.Join(errBuilds, errQueue, errArchives, errSources, errLogs, errRecords, metrics.RegisterPhases(registered, nil, nil)))
	var want []string
	for _, metric := range published.All() {
		if metric.Program == published.Controller {
			want = append(want, metric.Name)
		}
	}
	slices.Sort(want)
	slices.Sort(registered.names)
	if !slices.Equal(registered.names, want) {
		t.Errorf("registered are %q, declared are %q", registered.names, want)
	}
}

// registered keeps the names of the metrics that are registered.
type registered struct {
	prometheus.Registerer
	names []string
}

func (r *registered) Register(collector prometheus.Collector) error {
	descriptions := make(chan *prometheus.Desc, 10)
	collector.Describe(descriptions)
	close(descriptions)
	for description := range descriptions {
		name, _, _ := strings.Cut(strings.TrimPrefix(description.String(), `Desc{fqName: "`), `"`)
		r.names = append(r.names, name)
	}
	return r.Registerer.Register(collector)
}

func TestTheBacklogIsCountedInTheElectedProcess(t *testing.T) {
	now := testingclock.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	type states map[string]struct { // the condition of a finished build, by its reason
		status metav1.ConditionStatus
		age    time.Duration
	}
	for condition, test := range map[string]struct {
		states   states
		register func(prometheus.Registerer, client.Reader, <-chan struct{}) error
		want     []string
	}{
		v1alpha1.BuildLogArchived: {
			states{
				v1alpha1.ReasonNoLog: {metav1.ConditionTrue, time.Hour}, v1alpha1.ReasonLogExpired: {metav1.ConditionFalse, time.Hour},
				v1alpha1.ReasonArchiveUnavailable: {metav1.ConditionFalse, 30 * time.Minute},
			},
			func(registerer prometheus.Registerer, builds client.Reader, elected <-chan struct{}) error {
				_, err := metrics.NewLogs(registerer, builds, elected, now)
				return err
			},
			[]string{"goldsmith_log_archive_lag_seconds 1800", "goldsmith_log_archive_pending 2"},
		},
		v1alpha1.BuildRecorded: {
			states{
				v1alpha1.ReasonRecorded: {metav1.ConditionTrue, 2 * time.Hour}, v1alpha1.ReasonNotRecordable: {metav1.ConditionFalse, 2 * time.Hour},
				v1alpha1.ReasonRecordsUnavailable: {metav1.ConditionFalse, time.Hour},
			},
			func(registerer prometheus.Registerer, builds client.Reader, elected <-chan struct{}) error {
				_, err := metrics.NewRecords(registerer, builds, elected, now)
				return err
			},
			[]string{"goldsmith_records_lag_seconds 3600", "goldsmith_records_pending 2"},
		},
	} {
		t.Run(condition, func(t *testing.T) {
			scheme := runtime.NewScheme()
			require.NoError(t, v1alpha1.AddToScheme(scheme))
			builds := fake.NewClientBuilder().WithScheme(scheme)
			add := func(name string, status v1alpha1.ImageBuildStatus) {
				builds.WithObjects(&v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Status: status})
			}
			add("runs", v1alpha1.ImageBuildStatus{})
			add("new", v1alpha1.ImageBuildStatus{Finished: true, CompletionTime: &metav1.Time{Time: now.Now().Add(-time.Minute)}})
			for reason, of := range test.states {
				add(strings.ToLower(reason), v1alpha1.ImageBuildStatus{
					Finished: true, CompletionTime: &metav1.Time{Time: now.Now().Add(-of.age)},
					Conditions: []metav1.Condition{{Type: condition, Status: of.status, Reason: reason}},
				})
			}
			registry, elected := prometheus.NewPedanticRegistry(), make(chan struct{})
			require.NoError(t, test.register(registry, builds.Build(), elected))
			names := []string{strings.Fields(test.want[0])[0], strings.Fields(test.want[1])[0]}
			if count, err := testutil.GatherAndCount(registry, names...); err != nil || count != 0 {
				t.Errorf("a process that waits to be elected has %d values: %v", count, err)
			}
			close(elected)
			compare(t, registry, test.want...)
		})
	}
}
