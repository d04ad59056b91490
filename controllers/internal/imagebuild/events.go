// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// recordEvent records an event for the end of a build, and for each failed attempt before it. An event names the reason of a failure.
// The status has its message, so kubectl describe does not repeat it.
func (r *reconciler) recordEvent(before, after *v1alpha1.ImageBuild) {
	if before.Status.Phase == after.Status.Phase {
		return
	}
	switch after.Status.Phase {
	case v1alpha1.BuildSucceeded:
		r.Events.Event(after, corev1.EventTypeNormal, v1alpha1.EventSucceeded, succeededMessage(after))
	case v1alpha1.BuildFailed, v1alpha1.BuildCancelled:
		kind, end := corev1.EventTypeWarning, "failed"
		if after.Status.Phase == v1alpha1.BuildCancelled {
			kind, end = corev1.EventTypeNormal, "was cancelled"
		}
		r.Events.Eventf(after, kind, string(after.Status.Failure.Reason), "the build %s: see status.failure", end)
	case v1alpha1.BuildRetrying:
		attempt := after.Status.Attempts[len(after.Status.Attempts)-1]
		r.Events.Eventf(after, corev1.EventTypeWarning, v1alpha1.EventRetrying, "attempt %d ended with %s: see status.attempts",
			attempt.Number, attempt.Failure.Reason)
	}
}

func succeededMessage(build *v1alpha1.ImageBuild) string {
	made := make([]string, 0, len(build.Status.Artifacts))
	for _, artifact := range build.Status.Artifacts {
		made = append(made, artifact.Target+" "+artifact.Digest)
	}
	took, _ := build.Status.Duration()
	return fmt.Sprintf("built %s in %s", strings.Join(made, ", "), took)
}
