// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// sampled is the number of comparisons for each comparison that is checked against the function of the controllers, which
// is too slow for all comparisons.
const sampled = 512

func sameBuildStatus(cover *coverage, a, b *v1alpha1.ImageBuildStatus) bool {
	same := a.Phase == b.Phase && a.Finished == b.Finished && a.CurrentAttempt == b.CurrentAttempt &&
		sameTime(a.QueuedTime, b.QueuedTime) && sameTime(a.StartTime, b.StartTime) && sameTime(a.CompletionTime, b.CompletionTime) &&
		sameValue(a.RequeuedDuration, b.RequeuedDuration) && (a.Resolved == nil) == (b.Resolved == nil) && len(a.Artifacts) == len(b.Artifacts) && sameFailure(a.Failure, b.Failure) &&
		slices.EqualFunc(a.Conditions, b.Conditions, sameCondition) && slices.EqualFunc(a.Attempts, b.Attempts, sameAttempt)
	cover.comparisons++
	if cover.comparisons%sampled == 0 && same != equality.Semantic.DeepEqual(a, b) {
		panic("statuses of builds are compared wrongly")
	}
	return same
}

func sameTime(a, b *metav1.Time) bool {
	return a == b || a != nil && b != nil && a.Time.Equal(b.Time)
}

func sameCondition(a, b metav1.Condition) bool {
	return a.Type == b.Type && a.Status == b.Status && a.Reason == b.Reason && a.Message == b.Message &&
		a.ObservedGeneration == b.ObservedGeneration && a.LastTransitionTime.Time.Equal(b.LastTransitionTime.Time)
}

func sameAttempt(a, b v1alpha1.BuildAttempt) bool {
	return a.Number == b.Number && a.JobName == b.JobName && a.JobUID == b.JobUID && a.PodName == b.PodName && a.PodUID == b.PodUID &&
		a.NodeName == b.NodeName && a.Outcome == b.Outcome && a.StartTime.Time.Equal(b.StartTime.Time) &&
		sameTime(a.CompletionTime, b.CompletionTime) && sameFailure(a.Failure, b.Failure)
}

func sameFailure(a, b *v1alpha1.BuildFailure) bool {
	return a == b || a != nil && b != nil && a.Reason == b.Reason && a.Class == b.Class && a.Message == b.Message && a.LogTail == b.LogTail &&
		(a.ExitCode == b.ExitCode || a.ExitCode != nil && b.ExitCode != nil && *a.ExitCode == *b.ExitCode)
}

func sameImageStatus(cover *coverage, a, b *v1alpha1.ImageStatus) bool {
	same := a.ObservedGeneration == b.ObservedGeneration && a.BuildCounter == b.BuildCounter && a.InputsDigest == b.InputsDigest &&
		a.ActiveBuilds == b.ActiveBuilds && a.QueuedBuilds == b.QueuedBuilds && a.ConsecutiveFailures == b.ConsecutiveFailures &&
		a.CountedBuild == b.CountedBuild && slices.Equal(a.RecentRequests, b.RecentRequests) && slices.Equal(a.Channels, b.Channels) &&
		sameValue(a.LastAttempted, b.LastAttempted) && sameValue(a.LatestBuild, b.LatestBuild) && sameValue(a.LastFinished, b.LastFinished) && successNumber(a) == successNumber(b) &&
		sameTime(a.LastScheduleTime, b.LastScheduleTime) && sameTime(a.NextScheduleTime, b.NextScheduleTime) &&
		slices.EqualFunc(a.Conditions, b.Conditions, sameCondition)
	cover.comparisons++
	if cover.comparisons%sampled == 0 && same != equality.Semantic.DeepEqual(a, b) {
		panic("statuses of Images are compared wrongly")
	}
	return same
}

func sameValue[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// successNumber identifies the latest success: what a build made does not change.
func successNumber(status *v1alpha1.ImageStatus) int64 {
	if status.LatestSuccessful == nil {
		return 0
	}
	return status.LatestSuccessful.Number
}
