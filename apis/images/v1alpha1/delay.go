// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Delay returns the condition that reports what an unfinished build waits for, or nil. Its reason is what WHY shows. The condition PodReady
// stays True while a build waits for its publisher, because its builder has run.
func (status *ImageBuildStatus) Delay() *metav1.Condition {
	if status.Finished || status.Phase.Finished() {
		return nil
	}
	for _, kind := range []string{BuildAdmitted, BuildPodReady} {
		condition := meta.FindStatusCondition(status.Conditions, kind)
		if condition != nil && (condition.Status != metav1.ConditionTrue || condition.Reason == ReasonWaitingForPublisher) {
			return condition
		}
	}
	if attested := meta.FindStatusCondition(status.Conditions, BuildAttested); attested != nil && attested.Reason == ReasonWaitingForSigner {
		return attested
	}
	return nil
}
