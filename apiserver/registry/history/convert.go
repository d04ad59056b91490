// SPDX-License-Identifier: Apache-2.0

package history

import (
	"cmp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

// Builds are recorded builds as the API shows them.
func Builds(entries []records.Entry) []v1alpha1.BuildRecord {
	builds := make([]v1alpha1.BuildRecord, len(entries))
	for i := range entries {
		builds[i] = build(&entries[i])
	}
	return builds
}

func build(entry *records.Entry) v1alpha1.BuildRecord {
	build := v1alpha1.BuildRecord{
		Name: entry.Name, UID: entry.UID, Number: entry.Number, Phase: entry.Phase, Trigger: entry.Trigger, Message: entry.TriggerMessage,
		RequestedBy: entry.RequestedBy, Attempts: entry.Attempts, LegalHold: entry.Held, OneOff: entry.OneOff, ImageUID: entry.ImageUID,
		Revoked: entry.Revoked, FailedTests: entry.FailedTests, Source: entry.Source,
		CreationTime: timeOf(entry.Created), StartTime: timeOf(entry.Started), CompletionTime: timeOf(entry.Completed), DeletionTime: timeOf(entry.Deleted),
	}
	if entry.Class != "" || entry.Reason != "" {
		build.Failure = &v1alpha1.BuildFailure{Class: entry.Class, Reason: entry.Reason, Message: entry.Message}
	}
	if !entry.Started.IsZero() {
		build.QueueTime = &metav1.Duration{Duration: entry.QueueTime}
		if !entry.Completed.IsZero() {
			build.Duration = &metav1.Duration{Duration: entry.Duration}
		}
	}
	return build
}

// Changes are recorded changes as the API shows them.
func Changes(recorded []records.Change) []v1alpha1.ImageChange {
	changes := make([]v1alpha1.ImageChange, len(recorded))
	for i, change := range recorded {
		changes[i] = v1alpha1.ImageChange{
			Generation: change.Generation, Time: timeOf(change.Time), User: change.User, Path: change.Path, From: change.From, To: change.To,
		}
	}
	return changes
}

// Notes are recorded notes as the API shows them.
func Notes(recorded []records.Note) []v1alpha1.NoteRecord {
	notes := make([]v1alpha1.NoteRecord, len(recorded))
	for i := range recorded {
		notes[i] = Note(&recorded[i])
	}
	return notes
}

// Note is a recorded note as the API shows it.
func Note(recorded *records.Note) v1alpha1.NoteRecord {
	return v1alpha1.NoteRecord{ID: recorded.ID, Time: timeOf(recorded.Time), Author: recorded.Author, Text: recorded.Text}
}

// Stats are figures of a window as the API shows them.
func Stats(counted *records.Stats, window time.Duration) *v1alpha1.BuildStats {
	stats := &v1alpha1.BuildStats{
		Window: metav1.Duration{Duration: window},
		Builds: counted.Builds, Succeeded: counted.Succeeded, Failed: counted.Failed, Cancelled: counted.Cancelled, Retried: counted.Retried, OneOffs: counted.OneOffs,
		Durations: percentiles(counted.Duration), QueueTimes: percentiles(counted.QueueTime), Recoveries: counted.Recoveries,
	}
	if judged := counted.Succeeded + counted.Failed; judged > 0 {
		rate := int32(100 * counted.Succeeded / judged) //nolint:gosec // at most 100
		stats.SuccessRate = &rate
	}
	for _, class := range []v1alpha1.FailureClass{
		v1alpha1.FailureUser, v1alpha1.FailureTest, v1alpha1.FailureConfig, v1alpha1.FailureInfrastructure, v1alpha1.FailureRegistry, v1alpha1.FailureTimeout,
	} {
		if builds := counted.Failures[class]; builds > 0 {
			stats.Failures = append(stats.Failures, v1alpha1.FailureCount{Class: class, Builds: builds})
		}
	}
	if counted.Recoveries > 0 {
		stats.MeanTimeToRecovery = &metav1.Duration{Duration: counted.TimeToRecovery}
	}
	return stats
}

// Tests are figures of tests as the API shows them.
func Tests(counted []records.TestStats) (tests []v1alpha1.TestCount) {
	for _, test := range counted {
		count := v1alpha1.TestCount{
			Name: test.Name, Builds: test.Builds, Passed: test.Passed, Flaky: test.Flaky, Failed: test.Failed, Errors: test.Errors,
		}
		if test.Passed > 0 {
			count.Duration = &metav1.Duration{Duration: test.Duration}
		}
		tests = append(tests, count)
	}
	return tests
}

// Fixes are figures of fixes as the API shows them.
func Fixes(fixes []records.Fix) (counts []v1alpha1.FixCount) {
	for _, counted := range records.CountFixes(fixes) {
		counts = append(counts, v1alpha1.FixCount{
			Reached: cmp.Or(counted.Channel, v1alpha1.ImageReady), Count: counted.Count, Times: *percentiles(counted.Percentiles),
		})
	}
	return counts
}

func percentiles(of records.Percentiles) *v1alpha1.DurationPercentiles {
	if of.Count == 0 {
		return nil
	}
	return &v1alpha1.DurationPercentiles{P50: metav1.Duration{Duration: of.P50}, P90: metav1.Duration{Duration: of.P90}}
}

// timeOf is nil for the zero time.
func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}
