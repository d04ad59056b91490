// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// A suspended Job has no pod. Kueue has the Jobs of its queues created suspended, resumes one when it admits it, and
// suspends it again to make room for another; then the Job's pod is deleted, and the Job makes another one once it is
// resumed. All of that is one attempt: its build is Queued in between.

// await watches over an attempt whose Job was suspended. What has ended passes by Starting, as the phase table has it.
func (t *transition) await() {
	evidence := t.gatherEvidence()
	switch {
	case t.mustEnd() && !evidence.started && t.lives():
		t.discard()
	case t.mustEnd() && !evidence.started:
		t.endAttempt(v1alpha1.AttemptCancelled, nil)
		t.finishCancelled()
	case evidence.suspended && t.queueTimeLeft() <= 0:
		late := t.queueTimeout(t.suspendedBy())
		t.endAttempt(v1alpha1.AttemptFailed, late)
		t.finish(v1alpha1.BuildFailed, late)
	case evidence.suspended:
		t.hold()
	case evidence.failure != nil:
		t.enter(v1alpha1.BuildStarting)
	default:
		t.enter(v1alpha1.BuildStarting)
		t.condition(v1alpha1.BuildAdmitted, metav1.ConditionTrue, v1alpha1.ReasonAdmitted, "")
		t.wait(podNotStarted)
	}
}

// hold lets the attempt wait until its Job is resumed. Its pod is forgotten, with what that reported: another one takes
// its place and begins anew.
func (t *transition) hold() {
	t.record()
	attempt := t.attempt()
	if attempt.PodUID != "" {
		t.wait(startDelay{v1alpha1.ReasonWaitingForKueue, "the container ended when the Job was suspended: a new pod starts once the Job is resumed"})
		t.status.Progress, t.status.Stages = nil, nil
	}
	attempt.PodName, attempt.PodUID, attempt.NodeName = "", "", ""
	t.status.Phase = v1alpha1.BuildQueued
	if t.status.QueuedTime == nil {
		t.status.QueuedTime = t.now()
	}
	t.condition(v1alpha1.BuildAdmitted, metav1.ConditionFalse, v1alpha1.ReasonWaitingForKueue, t.suspendedBy())
	t.after = t.queueTimeLeft()
}

// suspendedBy says what a build with a suspended Job waits for.
func (t *transition) suspendedBy() string {
	if template := t.Build.Spec.Inputs.Template; template != nil && template.QueueName != "" {
		return fmt.Sprintf("Kueue has not admitted Job %s to queue %s", t.attempt().JobName, template.QueueName)
	}
	return fmt.Sprintf("Job %s is suspended: resume it", t.attempt().JobName)
}

// heldAgain reports whether Kueue holds a build that was admitted before: its container has started, or an attempt has ended. Once
// the container was seen to start, the condition PodReady has changed since the attempt began.
func (t *transition) heldAgain() bool {
	attempt := t.attempt()
	if attempt == nil {
		return false
	}
	ready := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildPodReady)
	return attempt.Number > 1 || ready != nil &&
		(ready.Reason == v1alpha1.ReasonWaitingForKueue || ready.LastTransitionTime.After(attempt.StartTime.Time))
}

func (t *transition) queueTimeout(why string) *v1alpha1.BuildFailure {
	return v1alpha1.ReasonQueueTimeout.Failure("the build was not admitted within %s: %s", t.Build.Spec.Timeouts.Queue.Duration, why)
}

// suspended says whether the attempt's Job is suspended. One that has failed will not be resumed.
func (t *transition) suspended() bool {
	return t.Job != nil && t.Job.Spec.Suspend != nil && *t.Job.Spec.Suspend && t.Job.DeletionTimestamp == nil &&
		!finished(t.Job) && !Failing(t.Job) && t.ours(t.Job)
}

// resumed says whether the attempt's Job was suspended and resumed since the container was seen to start: nobody looked
// meanwhile. Job and condition have whole seconds; in the same one it counts, and if it was not so, the Job's failure is
// seen next.
func (t *transition) resumed() bool {
	ready := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildPodReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && t.Job != nil && t.Job.DeletionTimestamp == nil &&
		!finished(t.Job) && !Failing(t.Job) && t.ours(t.Job) &&
		slices.ContainsFunc(t.Job.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == batchv1.JobSuspended && c.Status == corev1.ConditionFalse && !c.LastTransitionTime.Before(&ready.LastTransitionTime)
		})
}

// deletedBySuspension says whether the pod is being deleted because its Job is, or was, suspended, and not because somebody
// wants the attempt to end: that fails the Job.
func (t *transition) deletedBySuspension() bool {
	return t.Pod != nil && t.Pod.DeletionTimestamp != nil && t.Job != nil && !Failing(t.Job) &&
		(t.suspended() || t.wasSuspended())
}

// wasSuspended says whether the Job is, or ever was, suspended.
func (t *transition) wasSuspended() bool {
	return t.Job != nil && slices.ContainsFunc(t.Job.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == batchv1.JobSuspended })
}

// replaced says whether the pod is one that its Job replaces by another after it was suspended. It may have succeeded
// before it was told to end; nothing else that it says counts.
func (t *transition) replaced() bool {
	return t.attempt().PodUID == "" && t.deletedBySuspension() && !t.suspended() && t.podEvidence(t.Pod).succeeded == nil
}
