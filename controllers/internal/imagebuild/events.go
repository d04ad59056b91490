// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"fmt"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// recordEvent records an event for the end of a build, for each failed attempt before it, and for the beginning of its tests. An event names the
// reason of a failure. The status has its message, so kubectl describe does not repeat it.
func (r *reconciler) recordEvent(before, after *v1alpha1.ImageBuild) {
	if failed := failedAttempt(before, after); failed != nil && !after.Status.Finished {
		r.Events.Eventf(after, corev1.EventTypeWarning, v1alpha1.EventRetrying, "attempt %d ended with %s: see status.attempts", failed.Number, failed.Failure.Reason)
	}
	r.recordRevocation(before, after)
	if before.Status.Phase == after.Status.Phase {
		return
	}
	switch after.Status.Phase {
	case v1alpha1.BuildTesting:
		r.Events.Eventf(after, corev1.EventTypeNormal, v1alpha1.EventTesting, "made %s, which is tested now", madeBy(after))
	case v1alpha1.BuildSucceeded:
		for i := range after.Status.Tests {
			if test := &after.Status.Tests[i]; !test.Outcome.Passed() {
				r.Events.Eventf(after, corev1.EventTypeWarning, v1alpha1.EventTestNotPassed, "test %s, which is not required, has the outcome %s: see status.tests", test.Name, test.Outcome)
			}
		}
		r.Events.Event(after, corev1.EventTypeNormal, v1alpha1.EventSucceeded, succeededMessage(after))
	case v1alpha1.BuildFailed, v1alpha1.BuildCancelled:
		kind, end := corev1.EventTypeWarning, "failed"
		if after.Status.Phase == v1alpha1.BuildCancelled {
			kind, end = corev1.EventTypeNormal, "was cancelled"
		}
		r.Events.Eventf(after, kind, string(after.Status.Failure.Reason), "the build %s: see status.failure", end)
	}
}

// logEnd logs the end of a build. Events are deleted after an hour, and nobody watches a nightly build.
func logEnd(logger logr.Logger, before, after *v1alpha1.ImageBuild) {
	if before.Status.Finished || !after.Status.Finished {
		return
	}
	values := []any{"build", klog.KObj(after), "outcome", after.Status.Phase}
	if ref := after.Spec.ImageRef; ref != nil {
		values = append(values, "image", ref.Name)
	}
	if failure := after.Status.Failure; failure != nil {
		values = append(values, "reason", failure.Reason)
	}
	logger.Info("a build finished", values...)
}

// recordRevocation records an event when the condition Revoked becomes True, and when it becomes False because the build was restored.
func (r *reconciler) recordRevocation(before, after *v1alpha1.ImageBuild) {
	was, is := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.BuildRevoked), meta.FindStatusCondition(after.Status.Conditions, v1alpha1.BuildRevoked)
	switch {
	case is == nil || was != nil && was.Status == is.Status:
	case is.Status == metav1.ConditionTrue:
		r.Events.Event(after, corev1.EventTypeWarning, v1alpha1.EventRevoked, is.Message)
	case is.Reason == v1alpha1.ReasonRestored:
		r.Events.Event(after, corev1.EventTypeNormal, v1alpha1.EventRestored, is.Message)
	}
}

// failedAttempt returns the attempt that has just ended with a failure, or nil.
func failedAttempt(before, after *v1alpha1.ImageBuild) *v1alpha1.BuildAttempt {
	last := len(after.Status.Attempts) - 1
	if last < 0 || last >= len(before.Status.Attempts) || before.Status.Attempts[last].Outcome != "" || after.Status.Attempts[last].Failure == nil {
		return nil
	}
	return &after.Status.Attempts[last]
}

func succeededMessage(build *v1alpha1.ImageBuild) string {
	took, _ := build.Status.Duration()
	return fmt.Sprintf("built %s in %s", madeBy(build), took)
}

func madeBy(build *v1alpha1.ImageBuild) string {
	made := make([]string, 0, len(build.Status.Artifacts))
	for _, artifact := range build.Status.Artifacts {
		made = append(made, artifact.Target+" "+artifact.Digest)
	}
	return strings.Join(made, ", ")
}
