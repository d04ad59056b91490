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

// A suspended Job has no pod. Jobs of Kueue's queues are created suspended, and Kueue resumes a Job when it admits the Job. Kueue
// may suspend the Job again to make room for another Job: the pod is then deleted, and the Job creates a new pod once it is
// resumed. All of this is one attempt, and its build is Queued while the Job is suspended.

// await watches an attempt whose Job was suspended. If the attempt has ended, the phase is Starting in between, because the phase
// table requires it.
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

// hold lets the attempt wait until its Job is resumed. It drops the recorded pod and its reports, because a new pod replaces it.
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

// suspendedBy returns what a build with a suspended Job waits for.
func (t *transition) suspendedBy() string {
	if template := t.Build.Spec.Inputs.Template; template != nil && template.QueueName != "" {
		return fmt.Sprintf("Kueue has not admitted Job %s to queue %s", t.attempt().JobName, template.QueueName)
	}
	return fmt.Sprintf("Job %s is suspended: resume it", t.attempt().JobName)
}

// heldAgain reports whether Kueue holds a build that was admitted before: its container has started, or an attempt has ended.
// If the container has started, the condition PodReady has changed since the attempt began.
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
	return v1alpha1.ReasonQueueTimeout.Failure("build was not admitted within %s: raise timeouts.queue, or remove the cause: %s", t.Build.Spec.Timeouts.Queue, why)
}

// suspended reports whether the attempt's Job is suspended. A failed Job does not count, because it is never resumed.
func (t *transition) suspended() bool {
	return t.Job != nil && t.Job.Spec.Suspend != nil && *t.Job.Spec.Suspend && t.Job.DeletionTimestamp == nil &&
		!finished(t.Job) && !Failing(t.Job) && t.ours(t.Job)
}

// resumed reports whether the attempt's Job was suspended and resumed, unobserved, since the container was seen to start. The times
// of the Job and of the condition are whole seconds, so equal times count as resumed. If the Job was not resumed, a later
// observation has the Job's failure.
func (t *transition) resumed() bool {
	ready := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildPodReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && t.Job != nil && t.Job.DeletionTimestamp == nil &&
		!finished(t.Job) && !Failing(t.Job) && t.ours(t.Job) &&
		slices.ContainsFunc(t.Job.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == batchv1.JobSuspended && c.Status == corev1.ConditionFalse && !c.LastTransitionTime.Before(&ready.LastTransitionTime)
		})
}

// deletedBySuspension reports whether the pod is being deleted because its Job is, or was, suspended. Any other deletion of the pod
// fails the Job.
func (t *transition) deletedBySuspension() bool {
	return t.Pod != nil && t.Pod.DeletionTimestamp != nil && t.Job != nil && !Failing(t.Job) &&
		(t.suspended() || t.wasSuspended())
}

// wasSuspended reports whether the Job is, or ever was, suspended.
func (t *transition) wasSuspended() bool {
	return t.Job != nil && slices.ContainsFunc(t.Job.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == batchv1.JobSuspended })
}

// replaced reports whether the Job replaces the pod, because the Job was suspended and resumed. Of a replaced pod, only a success
// from before its deletion counts.
func (t *transition) replaced() bool {
	return t.attempt().PodUID == "" && t.deletedBySuspension() && !t.suspended() && t.podEvidence(t.Pod).succeeded == nil
}
