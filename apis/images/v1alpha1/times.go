// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Duration returns how long a finished build took. It is false if the build has not finished, or never started. docs/queueing.md
// states what counts as duration.
func (status *ImageBuildStatus) Duration() (time.Duration, bool) {
	if status.CompletionTime == nil {
		return 0, false
	}
	return status.DurationAt(status.CompletionTime.Time)
}

// DurationAt returns how long a build has taken by a time or, if that was earlier, by its completion. It is false if the build has
// not started.
func (status *ImageBuildStatus) DurationAt(end time.Time) (time.Duration, bool) {
	if status.StartTime == nil {
		return 0, false
	}
	for _, earlier := range []*metav1.Time{status.CompletionTime, status.RequeuedSince()} {
		if earlier != nil && earlier.Time.Before(end) {
			end = earlier.Time
		}
	}
	return max(0, end.Sub(status.StartTime.Time)-status.requeued()), true // a clock may have been turned back
}

// QueueTime returns how long a build has waited in the queue, without a wait that continues. It is false if the build has not started.
func (build *ImageBuild) QueueTime() (time.Duration, bool) {
	status, since := &build.Status, &build.CreationTimestamp
	if status.StartTime == nil {
		return 0, false
	}
	if status.QueuedTime != nil {
		since = status.QueuedTime
	}
	return max(0, status.StartTime.Sub(since.Time)) + status.requeued(), true
}

// RequeuedSince returns when the wait began of a build that waits again after its start, or nil.
func (status *ImageBuildStatus) RequeuedSince() *metav1.Time {
	admitted, last := meta.FindStatusCondition(status.Conditions, BuildAdmitted), len(status.Attempts)-1
	switch {
	case status.StartTime == nil || admitted == nil || admitted.Status != metav1.ConditionFalse:
		return nil
	case last < 0 || status.Attempts[last].Outcome != "": // the condition remains until the next attempt
		return nil
	case admitted.LastTransitionTime.Before(status.StartTime): // the first wait, which ended with the start
		return status.StartTime
	}
	return &admitted.LastTransitionTime
}

// requeued returns requeuedDuration, or 0.
func (status *ImageBuildStatus) requeued() time.Duration {
	if status.RequeuedDuration == nil {
		return 0
	}
	return status.RequeuedDuration.Duration
}

// TimeUntil returns how long a fix took from the release file of the archive until some time. It is never negative, because the archive has another
// clock.
func (fix *PackageFix) TimeUntil(at metav1.Time) time.Duration {
	return max(0, at.Sub(fix.Since.Time))
}
