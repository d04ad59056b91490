// SPDX-License-Identifier: Apache-2.0

package history

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func at(minutes int) *metav1.Time {
	return &metav1.Time{Time: noon.Add(time.Duration(minutes) * time.Minute)}
}

func TestBuilds(t *testing.T) {
	got := Builds([]records.Entry{
		{
			Namespace: "team", Name: "web-2", UID: "u2", Image: "web", ImageUID: "i", Number: 2, Trigger: v1alpha1.TriggerManual, TriggerMessage: "please",
			RequestedBy: "ada", Phase: v1alpha1.BuildFailed, Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed, Message: "exit code 1", Attempts: 2,
			Created: at(0).Time, Queued: at(0).Time, Started: at(1).Time, Completed: at(3).Time, Duration: 2 * time.Minute, QueueTime: time.Minute,
			Held: true, Deleted: at(9).Time, OneOff: true, Revoked: &v1alpha1.Revocation{Reason: "wrong key"}, FailedTests: []string{"web"},
		},
		{Namespace: "team", Name: "web-3", UID: "u3", Number: 3, Phase: v1alpha1.BuildRunning, Attempts: 1, Created: at(4).Time, Started: at(4).Time},
		{Namespace: "team", Name: "web-4", UID: "u4", Number: 4, Phase: v1alpha1.BuildPending, Created: at(5).Time},
	})
	want := []v1alpha1.BuildRecord{
		{
			Name: "web-2", UID: "u2", Number: 2, Trigger: v1alpha1.TriggerManual, Message: "please", RequestedBy: "ada", Phase: v1alpha1.BuildFailed, Attempts: 2,
			Failure:      &v1alpha1.BuildFailure{Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed, Message: "exit code 1"},
			CreationTime: at(0), StartTime: at(1), CompletionTime: at(3), DeletionTime: at(9),
			Duration: &metav1.Duration{Duration: 2 * time.Minute}, QueueTime: &metav1.Duration{Duration: time.Minute}, LegalHold: true, OneOff: true, ImageUID: "i",
			Revoked: &v1alpha1.Revocation{Reason: "wrong key"}, FailedTests: []string{"web"},
		},
		// It did not wait, which is something else than that it has not started.
		{Name: "web-3", UID: "u3", Number: 3, Phase: v1alpha1.BuildRunning, Attempts: 1, CreationTime: at(4), StartTime: at(4), QueueTime: &metav1.Duration{}},
		{Name: "web-4", UID: "u4", Number: 4, Phase: v1alpha1.BuildPending, CreationTime: at(5)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNotesAndChanges(t *testing.T) {
	notes := Notes([]records.Note{{ID: "1", Time: at(1).Time, Author: "ada", Text: "withdrawn"}})
	if diff := cmp.Diff([]v1alpha1.NoteRecord{{ID: "1", Time: at(1), Author: "ada", Text: "withdrawn"}}, notes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	change := records.Change{Generation: 2, Time: at(2).Time, User: "ada", InputChange: v1alpha1.InputChange{Path: "suspend", From: "false", To: "true"}}
	want := []v1alpha1.ImageChange{{Generation: 2, Time: at(2), User: "ada", Path: "suspend", From: "false", To: "true"}}
	if diff := cmp.Diff(want, Changes([]records.Change{change})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStats(t *testing.T) {
	window := 24 * time.Hour
	got := Stats(&records.Stats{
		Builds: 8, Succeeded: 2, Failed: 4, Cancelled: 2, Retried: 3, OneOffs: 5,
		Failures:  map[v1alpha1.FailureClass]int64{v1alpha1.FailureTimeout: 1, v1alpha1.FailureUser: 2, v1alpha1.FailureTest: 1},
		Duration:  records.Percentiles{Count: 2, P50: time.Minute, P90: time.Hour},
		QueueTime: records.Percentiles{Count: 6, P50: 0, P90: time.Second}, Recoveries: 1, TimeToRecovery: 2 * time.Hour,
	}, window)
	want := &v1alpha1.BuildStats{
		Window: metav1.Duration{Duration: window}, Builds: 8, Succeeded: 2, Failed: 4, Cancelled: 2, Retried: 3, OneOffs: 5, SuccessRate: new(int32(33)),
		Failures:   []v1alpha1.FailureCount{{Class: v1alpha1.FailureUser, Builds: 2}, {Class: v1alpha1.FailureTest, Builds: 1}, {Class: v1alpha1.FailureTimeout, Builds: 1}},
		Durations:  &v1alpha1.DurationPercentiles{P50: metav1.Duration{Duration: time.Minute}, P90: metav1.Duration{Duration: time.Hour}},
		QueueTimes: &v1alpha1.DurationPercentiles{P90: metav1.Duration{Duration: time.Second}},
		Recoveries: 1, MeanTimeToRecovery: &metav1.Duration{Duration: 2 * time.Hour},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&v1alpha1.BuildStats{Window: metav1.Duration{Duration: window}}, Stats(&records.Stats{}, window)); diff != "" {
		t.Errorf("without builds (-want +got):\n%s", diff)
	}
}

func TestEveryClassOfFailureIsShown(t *testing.T) {
	// Those that are retried by default or not: all but Cancelled, which is no failure.
	counted := map[v1alpha1.FailureClass]int64{}
	for _, reason := range []v1alpha1.FailureReason{
		v1alpha1.ReasonBuilderFailed, v1alpha1.ReasonNoResult, v1alpha1.ReasonEvicted, v1alpha1.ReasonImagePullFailed, v1alpha1.ReasonRunTimeout,
	} {
		counted[reason.Class()] = 1
	}
	if stats := Stats(&records.Stats{Failures: counted}, time.Hour); len(stats.Failures) != len(counted) {
		t.Errorf("of %v only %v is shown", counted, stats.Failures)
	}
}
