// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Summary is what the columns of an Image report. All columns report on the same build, its latest build that counts, or name another
// one. docs/images.md states the rule.
type Summary struct {
	// Ready and UpToDate are the statuses of these conditions.
	Ready, UpToDate metav1.ConditionStatus
	// Reason is why the Image is not ready, or why no build of its inputs starts. It is empty if neither is the case.
	Reason string
	// Latest is the name of the latest build that counts, with " (deleted)" if that build was deleted. Latest is empty if no build
	// counts.
	Latest string
	// Source is the name of the build that made the latest artifacts. It is empty if that is the latest build.
	Source string
}

// Summarize returns what the columns of an Image report.
func Summarize(image *v1alpha1.Image) Summary {
	status := &image.Status
	s := Summary{
		Ready: conditionStatus(status, v1alpha1.ImageReady), UpToDate: conditionStatus(status, v1alpha1.ImageUpToDate),
		Reason: summaryReason(status),
	}
	name := ""
	if latest := status.LatestBuild; latest != nil {
		name, s.Latest = latest.Name, latest.Name
		if latest.Deleted {
			s.Latest += " (deleted)"
		}
	}
	if made := status.LatestSuccessful; made != nil && made.Name != name {
		s.Source = made.Name
	}
	return s
}

// summaryReason returns the reason of the first condition that reports a problem. While a build is under way, the end of an earlier
// build is no longer the reason.
func summaryReason(status *v1alpha1.ImageStatus) string {
	for _, usual := range []struct{ kind, reason string }{
		{v1alpha1.ImageStalled, v1alpha1.ReasonProgressing},
		{v1alpha1.ImageInputsResolved, v1alpha1.ReasonResolved},
		{v1alpha1.ImageReady, v1alpha1.ReasonBuildSucceeded},
	} {
		condition := meta.FindStatusCondition(status.Conditions, usual.kind)
		if condition == nil || condition.Reason == usual.reason {
			continue
		}
		if latest := status.LatestBuild; usual.kind == v1alpha1.ImageReady && latest != nil && !latest.Phase.Finished() {
			return unfinishedReason(latest.Phase)
		}
		return condition.Reason
	}
	if OnRevokedBase(status.LatestSuccessful) != "" {
		return string(v1alpha1.ReasonBaseRevoked)
	}
	return ""
}

// unfinishedReason is the reason of an unfinished build in this phase.
func unfinishedReason(phase v1alpha1.BuildPhase) string {
	if phase.Active() {
		return v1alpha1.ReasonBuildActive
	}
	return v1alpha1.ReasonBuildQueued
}

func conditionStatus(status *v1alpha1.ImageStatus, kind string) metav1.ConditionStatus {
	if condition := meta.FindStatusCondition(status.Conditions, kind); condition != nil {
		return condition.Status
	}
	return metav1.ConditionUnknown
}
