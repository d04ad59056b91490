// SPDX-License-Identifier: Apache-2.0

package history

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// The weights of a score. docs/history.md documents them.
const (
	pointsForSuccesses     = 60
	pointsForFirstAttempts = 10
	pointsForTheLast       = 30
)

// Health rates an Image, from its figures and its condition Ready. It is nil if no build has succeeded or failed.
//
// The score is 60·R + 10·R·F + 30·L, rounded down. R is the share of builds that succeeded, of all builds that succeeded or
// failed. F is the share of builds with one attempt, of the same builds. L is 1 if the last of them succeeded, 0 if it failed, and
// otherwise R.
func Health(stats *v1alpha1.BuildStats, conditions []metav1.Condition) *v1alpha1.ImageHealth {
	judged := stats.Succeeded + stats.Failed
	if judged == 0 {
		return nil
	}
	// In parts of judged * judged, without fractions.
	points := pointsForSuccesses*stats.Succeeded*judged + pointsForFirstAttempts*stats.Succeeded*(judged-stats.Retried)
	said := []string{fmt.Sprintf("%d of %d builds succeeded", stats.Succeeded, judged)}
	switch last(conditions) {
	case v1alpha1.ReasonBuildSucceeded:
		points += pointsForTheLast * judged * judged
		said = append(said, "the last one succeeded")
	case v1alpha1.ReasonBuildFailed:
		said = append(said, "the last one failed")
	default:
		points += pointsForTheLast * stats.Succeeded * judged
	}
	if stats.Retried > 0 {
		said = append(said, fmt.Sprintf("%d of %d had more than one attempt", stats.Retried, judged))
	}
	score := int32(points / (judged * judged)) //nolint:gosec // at most 100, the sum of the weights
	return &v1alpha1.ImageHealth{Score: score, Message: strings.Join(said, "; ")}
}

// last is the reason that the condition Ready has for the last build that finished, if it succeeded or failed.
func last(conditions []metav1.Condition) string {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ImageReady)
	if ready == nil {
		return ""
	}
	return ready.Reason
}
