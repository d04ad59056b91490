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

// An attempt that was decided may have to wait once more, and its build is Queued meanwhile:
//   - Its Job is suspended. Jobs of Kueue's queues are created suspended, and Kueue resumes a Job when it admits the Job. Kueue, or
//     a user, may suspend the Job again: the pod is then deleted, and the Job creates a new pod once it is resumed.
//   - Its pod waits for a worker of the machine that runs it.
//
// All of this is one attempt.

// await watches an attempt that is held. If the attempt has ended, the phase is Starting in between, because the phase table
// requires it.
func (t *transition) await() {
	evidence := t.gatherEvidence()
	held := evidence.held != startDelay{}
	switch {
	case t.mustEnd() && !evidence.started && t.lives():
		t.discard()
	case t.mustEnd() && !evidence.started:
		t.endAttempt(v1alpha1.AttemptCancelled, nil)
		t.finishCancelled()
	case held && t.queueTimeLeft() <= 0:
		t.fail(t.queueTimeout(evidence.held.message))
	case held:
		t.holdAttempt(evidence.held)
	case evidence.failure != nil && !evidence.started && t.testing():
		t.fail(evidence.failure)
	case evidence.failure != nil && !evidence.started:
		t.enter(v1alpha1.BuildStarting)
	default:
		t.release()
	}
}

// holdAttempt lets the attempt wait until it may run. It drops the recorded pod and its reports, because a new pod replaces it. The
// wait does not count as duration of the build: until a container of the first attempt has run, the build has not started, and later
// endWait adds the wait to requeuedDuration.
func (t *transition) holdAttempt(cause startDelay) {
	t.record()
	attempt := t.attempt()
	switch {
	case attempt.PodUID != "":
		t.wait(startDelay{cause.reason, "the container ended when the Job was suspended: a new pod starts once the Job is resumed"})
		t.status.Progress, t.status.Stages = nil, nil
		if !t.testing() {
			ForgetAttestation(t.status)
		}
	case !t.heldAgain():
		t.status.StartTime = nil
	}
	attempt.PodName, attempt.PodUID, attempt.NodeName, attempt.BuilderImage = "", "", "", ""
	t.enterUnlessTesting(v1alpha1.BuildQueued)
	if t.status.QueuedTime == nil && t.status.StartTime == nil {
		t.status.QueuedTime = attempt.StartTime.DeepCopy()
	}
	t.condition(v1alpha1.BuildAdmitted, metav1.ConditionFalse, cause.reason, v1alpha1.CutMessage(cause.message))
	t.after = t.queueTimeLeft()
}

// release lets an attempt go on that was held. The time of an attempt whose container has not run yet begins here.
func (t *transition) release() {
	t.record()
	released := t.releaseTime()
	t.endWait(released)
	if !t.hasRun() {
		t.attempt().StartTime = *released
	}
	if t.status.StartTime == nil {
		t.status.StartTime = released
	}
	t.enterUnlessTesting(v1alpha1.BuildStarting)
	t.condition(v1alpha1.BuildAdmitted, metav1.ConditionTrue, v1alpha1.ReasonAdmitted, "")
	t.wait(podNotStarted)
}

// recordStart sets the start of a build that was held, and whose container has started since the last observation.
func (t *transition) recordStart(e *evidence) {
	if t.status.StartTime == nil && e.started {
		t.status.StartTime = t.releaseTime()
	}
}

// endWait adds a wait after the start of the build to its requeuedDuration. It runs once for each wait, because the caller also ends
// the attempt or sets the condition Admitted.
func (t *transition) endWait(at *metav1.Time) {
	since := t.status.RequeuedSince()
	if since == nil || !since.Before(at) {
		return
	}
	waited := metav1.Duration{Duration: at.Sub(since.Time)}
	if before := t.status.RequeuedDuration; before != nil {
		waited.Duration += before.Duration
	}
	t.status.RequeuedDuration = &waited
}

// releaseTime is when an attempt that was held could go on, in whole seconds: when its Job was resumed, or when its pod had a worker.
// The Job or the pod recorded the time, even if this controller did not run. Clocks differ, so the time is neither before the
// attempt nor in the future.
func (t *transition) releaseTime() *metav1.Time {
	now, begun := t.now(), t.attempt().StartTime
	at := now
	admitted := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildAdmitted)
	switch {
	case (admitted == nil || admitted.Reason != v1alpha1.ReasonWaitingForWorker) && t.jobResumed() && t.isOurJob(t.Job) && t.Job.Status.StartTime != nil:
		at = t.Job.Status.StartTime
	case t.Pod != nil && t.Pod.Status.StartTime != nil:
		at = t.Pod.Status.StartTime
	}
	if at.After(now.Time) {
		at = now
	}
	if at.Before(&begun) {
		at = &begun
	}
	return at.DeepCopy()
}

// suspendedBy returns what a build with a suspended Job waits for.
func (t *transition) suspendedBy() startDelay {
	if template := t.Build.Spec.Inputs.Template; template != nil && template.QueueName != "" {
		return startDelay{v1alpha1.ReasonWaitingForKueue, fmt.Sprintf("Kueue has not admitted Job %s to queue %s", t.attempt().JobName, template.QueueName)}
	}
	return startDelay{v1alpha1.ReasonJobSuspended, fmt.Sprintf("Job %s is suspended: resume it", t.attempt().JobName)}
}

// heldAgain reports whether a build is held that was admitted before: its container has started, or an attempt has ended.
func (t *transition) heldAgain() bool {
	attempt := t.attempt()
	return attempt != nil && (attempt.Number > 1 || t.hasRun())
}

// hasRun reports whether a container of the attempt has started: the condition PodReady has changed since the attempt began.
func (t *transition) hasRun() bool {
	ready := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildPodReady)
	return ready != nil && (slices.Contains([]string{v1alpha1.ReasonWaitingForKueue, v1alpha1.ReasonJobSuspended}, ready.Reason) ||
		ready.LastTransitionTime.After(t.attempt().StartTime.Time))
}

func (t *transition) queueTimeout(why string) *v1alpha1.BuildFailure {
	return v1alpha1.ReasonQueueTimeout.Failure("build was not admitted within %s: raise timeouts.queue, or remove the cause: %s", t.Build.Spec.Timeouts.Queue, why)
}

// suspended reports whether the attempt's Job is suspended. A failed Job does not count, because it is never resumed.
func (t *transition) suspended() bool {
	return t.Job != nil && t.Job.Spec.Suspend != nil && *t.Job.Spec.Suspend && t.Job.DeletionTimestamp == nil &&
		!Finished(t.Job) && !Failing(t.Job) && t.isOurJob(t.Job)
}

// resumed reports whether the attempt's Job was suspended and resumed, unobserved, since the container was seen to start. The times
// of the Job and of the condition are whole seconds, so equal times count as resumed. The start of a fetcher is not recorded, so before
// that of the builder every resumption counts. If the Job was not resumed, a later observation has the Job's failure.
func (t *transition) resumed() bool {
	ready := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildPodReady)
	return ready != nil && t.Job != nil && t.Job.DeletionTimestamp == nil &&
		!Finished(t.Job) && !Failing(t.Job) && t.isOurJob(t.Job) &&
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

// jobResumed reports whether the Job controller has resumed a Job that was suspended. Until then, status.startTime of the Job is from
// before the suspension.
func (t *transition) jobResumed() bool {
	return t.Job != nil && slices.ContainsFunc(t.Job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Type == batchv1.JobSuspended && c.Status == corev1.ConditionFalse
	})
}

// isPodReplaced reports whether the Job replaces the pod, because the Job was suspended and resumed. Of a replaced pod, only a success
// from before its deletion counts.
func (t *transition) isPodReplaced() bool {
	return t.attempt().PodUID == "" && t.deletedBySuspension() && !t.suspended() && t.podEvidence(t.Pod).succeeded == nil
}
