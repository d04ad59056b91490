// SPDX-License-Identifier: Apache-2.0

// Package state is the state machine of a build: from what is stored and what is seen it says what to store next,
// or, once there is nothing to store, what to do next. It is pure: it reads no clock, calls no API and keeps nothing.
//
// Intent comes before effect: an action is returned only for a build whose stored status already calls for it. So a
// caller stores Status, asks again, and acts when Status has nothing new; a crash between any two steps loses nothing.
package state

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
)

// startDelayGrace is how long an attempt waits before its status says what for: most pods start sooner, and a write for
// each of them would tell nobody anything.
const startDelayGrace = 2 * time.Second

// rounding is how much earlier than it was a stored time may say that something happened.
const rounding = time.Second

// Observed is what is known about a build at a point in time.
type Observed struct {
	// Build as it is stored, with its defaults.
	Build *v1alpha1.ImageBuild
	// Resolved is what the inputs resolve to, for a rerun what they are pinned to, and Unresolved why they do not. One of
	// them is needed as long as nothing is stored in status.resolved; later Unresolved only says that the builder is gone.
	Resolved   *v1alpha1.ResolvedInputs
	Unresolved *v1alpha1.BuildFailure
	// Admission says whether the build may start. It is read only where Waits.
	Admission Admission
	// Job has the name of the current attempt's Job. Nil means that there is none.
	Job *batchv1.Job
	// Pod is the current attempt's pod as FindPod says: what it reports decides the attempt. Nil means that there is none.
	Pod *corev1.Pod
	// Living is a pod of the current attempt that has not ended, as FindLiving says. Nil means that there is none.
	Living *corev1.Pod
	// Rejected is why the API refused the attempt's Job, if it did.
	Rejected string
	// Refused is why the Job has no pod, as Refusal says; it is looked at only where NeedsRefusal. Empty if nobody says so.
	Refused string
	// Now is the present time.
	Now time.Time
}

// Admission says whether a build may start.
type Admission struct {
	// Admitted is true if the build may start.
	Admitted bool
	// Message tells people what a build that may not start waits for. A new message costs a write.
	Message string
}

// Waits says whether a build waits for its admission: no attempt was decided on. One that Kueue lets wait has an attempt.
func Waits(build *v1alpha1.ImageBuild) bool {
	switch build.Status.Phase {
	case v1alpha1.BuildPending, "":
		return true
	case v1alpha1.BuildQueued:
		return !goesOn(&build.Status)
	}
	return false
}

// goesOn says whether the newest attempt has no outcome yet.
func goesOn(status *v1alpha1.ImageBuildStatus) bool {
	last := len(status.Attempts) - 1
	return last >= 0 && status.Attempts[last].Outcome == ""
}

// Action is an effect that the stored status calls for. Each is idempotent.
type Action string

const (
	// NoAction : there is nothing to do.
	NoAction Action = ""
	// CreateJob creates the current attempt's Job.
	CreateJob Action = "CreateJob"
	// DeleteJob deletes the current attempt's Job, with its pod.
	DeleteJob Action = "DeleteJob"
	// DeletePod deletes a pod of the current attempt that its Job will not take along, as when its Job was deleted with
	// propagationPolicy Orphan.
	DeletePod Action = "DeletePod"
	// StopPod lowers the pod's deadline, so that it ends and its log stays.
	StopPod Action = "StopPod"
)

// Decision is what to store next or, if Status is what is stored already, what to do.
type Decision struct {
	// Status to be stored.
	Status v1alpha1.ImageBuildStatus
	// Action to take once Status is stored.
	Action Action
	// After is when to look again though nothing was seen to change. 0 means not before something is.
	After time.Duration
}

// NeedsConfirmation reports whether the decision counts only if Job and pods were read from the API. Caches may be behind, and may
// differ in age. From them a build may run, or succeed by what its recorded pod reports, which is final.
func (d *Decision) NeedsConfirmation(build *v1alpha1.ImageBuild) bool {
	switch d.Action {
	case CreateJob, DeleteJob, DeletePod:
		return true
	}
	before, after := build.Status.Attempts, d.Status.Attempts
	if len(before) == 0 {
		return false // there can be neither Job nor pod
	}
	last := len(before) - 1
	suspended := build.Status.Phase == v1alpha1.BuildQueued
	return len(after) > len(before) || suspended != (d.Status.Phase == v1alpha1.BuildQueued) ||
		before[last].Outcome == "" && after[last].Outcome != "" && after[last].Outcome != v1alpha1.AttemptSucceeded
}

// Next says what comes next for a build.
func Next(o Observed) Decision {
	next := transition{Observed: o, status: o.Build.Status.DeepCopy()}
	next.forgetStrangers()
	switch o.Build.Status.Phase {
	case v1alpha1.BuildPending, v1alpha1.BuildQueued, "":
		if Waits(o.Build) {
			next.admit()
		} else {
			next.await()
		}
	case v1alpha1.BuildStarting, v1alpha1.BuildRunning:
		next.follow()
	case v1alpha1.BuildRetrying:
		next.retry()
	case v1alpha1.BuildCancelling:
		next.cancel()
	case v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildCancelled:
		next.tidy()
	}
	return Decision{Status: *next.status, Action: next.action, After: next.after}
}

// transition is a decision in the making.
type transition struct {
	Observed
	status *v1alpha1.ImageBuildStatus
	action Action
	after  time.Duration
}

// forgetStrangers makes nothing of a pod whose Job is not the attempt's, nor of one that its Job has replaced.
func (t *transition) forgetStrangers() {
	attempt := t.attempt()
	if attempt == nil || attempt.JobUID == "" && (t.Job == nil || !t.ours(t.Job)) || t.replaced() {
		t.Pod = nil
	}
}

// admit resolves the inputs, once, and starts the first attempt when the build is admitted.
func (t *transition) admit() {
	if t.status.Resolved == nil {
		t.status.Resolved = t.Resolved
	}
	switch {
	case t.mustEnd():
		t.finishCancelled()
	case t.Unresolved != nil:
		t.finish(v1alpha1.BuildFailed, t.Unresolved)
	case t.status.Resolved == nil:
		t.finish(v1alpha1.BuildFailed, v1alpha1.ReasonSourceNotFound.Failure("the inputs were not resolved"))
	case t.Admission.Admitted:
		t.start(t.status.CurrentAttempt + 1)
	case t.queueTimeLeft() <= 0:
		t.finish(v1alpha1.BuildFailed, t.queueTimeout(t.Admission.Message))
	default:
		t.queue()
	}
}

// follow watches over an attempt that is starting or running.
func (t *transition) follow() {
	evidence := t.gatherEvidence()
	switch {
	case evidence.succeeded != nil:
		t.succeed(evidence.succeeded)
	case t.mustEnd():
		t.stop()
	case evidence.failure != nil:
		t.fail(evidence.failure)
	case evidence.suspended:
		t.hold()
	case evidence.started && t.runTimeLeft() <= 0:
		t.fail(t.runTimeout())
	case evidence.started:
		t.run()
	case evidence.orphaned:
		t.discard()
	case t.startTimeLeft() <= 0:
		t.fail(t.startTimeout(evidence.delay))
	case t.Job == nil && t.Rejected == "" && t.lives():
		t.discard()
	case t.Job == nil && t.Rejected == "":
		t.action = CreateJob
		t.after = min(t.startTimeLeft(), startDelayGrace)
	default:
		t.awaitStart(evidence)
	}
}

// retry starts the next attempt when its backoff is over and nothing can start any more of the one before.
func (t *transition) retry() {
	t.discard()
	switch {
	case t.action != NoAction || t.lives():
	case t.mustEnd():
		t.finishCancelled()
	default:
		t.after = max(0, nextAttemptTime(t.Build, t.status.Attempts).Sub(t.Now))
		if t.after == 0 {
			t.start(t.status.CurrentAttempt + 1)
		}
	}
}

// mustEnd reports whether somebody has cancelled or deleted the build. A finalizer can keep a deleted build for any time: until
// it ends it holds its queue slot.
func (t *transition) mustEnd() bool {
	return t.Build.Spec.CancelRequested != nil || t.Build.DeletionTimestamp != nil
}

// cancel sees a build that was told to end to its end.
func (t *transition) cancel() {
	evidence := t.gatherEvidence()
	if evidence.succeeded != nil {
		t.succeed(evidence.succeeded)
		return
	}
	t.recordStop()
	if left := t.stopTimeLeft(); t.mayBeStopped() && left > 0 {
		t.action = StopPod
		t.after = left
	} else {
		t.discard()
	}
	if t.action == NoAction && !t.lives() {
		t.endAttempt(v1alpha1.AttemptCancelled, nil)
		t.finishCancelled()
	}
}

// mayBeStopped reports whether the attempt's container runs, and can end without its log being deleted.
func (t *transition) mayBeStopped() bool {
	return t.Pod != nil && !Ended(t.Pod) && hasStarted(t.Pod) && t.Pod.DeletionTimestamp == nil &&
		t.Job != nil && t.ours(t.Job) && t.Job.DeletionTimestamp == nil && !t.suspended()
}

// tidy removes what could still run for a build that has finished.
func (t *transition) tidy() {
	t.discard()
}

// discard deletes what could still run of the current attempt: its Job, or a pod that no Job will take along. While such a pod is
// being deleted, discard waits for its end.
func (t *transition) discard() {
	switch {
	case t.jobMayRun():
		t.action = DeleteJob
	case t.Living != nil && t.Living.DeletionTimestamp == nil:
		t.action = DeletePod
	case t.lives():
		t.after = t.livingTimeLeft()
	}
}

// jobMayRun reports whether the attempt's Job could still run something. A Job whose container has ended is kept: its pod
// holds the log, and the Job's own status only lags behind.
func (t *transition) jobMayRun() bool {
	attempt := t.attempt()
	if t.Job == nil || attempt == nil || !t.madeFor(attempt, t.Job) || t.Job.DeletionTimestamp != nil || finished(t.Job) {
		return false
	}
	if !t.ours(t.Job) {
		return true
	}
	if t.Pod == nil && hasCondition(t.Job, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet) {
		return false // it makes no other
	}
	return t.Pod == nil || !Ended(t.Pod) || t.deletedBySuspension()
}

// confirmationTime is how much longer than its grace period a pod may take to end before its node counts as unable to confirm that.
// A node that is lost is reported earlier: it is not ready after 50 seconds, and the pod tolerates that for 60.
const confirmationTime = 2 * time.Minute

// lives reports whether a pod of the attempt may run, and its node may still confirm its end.
func (t *transition) lives() bool { return t.Living != nil && t.livingTimeLeft() > 0 }

// livingTimeLeft is how long to wait for the end of the pod that lives. It is counted from what the API server has recorded.
func (t *transition) livingTimeLeft() time.Duration {
	switch {
	case t.Living.DeletionTimestamp == nil:
		return confirmationTime
	case onLostNode(t.Living):
		return 0
	}
	return t.Living.DeletionTimestamp.Add(confirmationTime).Sub(t.Now)
}

// runTimeLeft is how long to wait for the end of the container that runs. Its pod's deadline ends it earlier, if its node works.
func (t *transition) runTimeLeft() time.Duration {
	since := t.Now
	if ready := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildPodReady); ready != nil && ready.Status == metav1.ConditionTrue {
		since = ready.LastTransitionTime.Time
	}
	return since.Add(t.Build.Spec.Timeouts.Run.Duration + render.GracePeriod + confirmationTime).Sub(t.Now)
}

// stopTimeLeft is how long to wait for the end of a container whose pod was told to end.
func (t *transition) stopTimeLeft() time.Duration {
	return t.attempt().StopTime.Add(render.GracePeriod + confirmationTime).Sub(t.Now)
}

func (t *transition) attempt() *v1alpha1.BuildAttempt {
	if len(t.status.Attempts) == 0 {
		return nil
	}
	return &t.status.Attempts[len(t.status.Attempts)-1]
}

// startTimeLeft is how long the attempt may still take to start its container.
func (t *transition) startTimeLeft() time.Duration {
	return t.begun().Add(t.Build.Spec.Timeouts.Start.Duration + rounding).Sub(t.Now)
}

// begun is since when the attempt could start its container: since it was decided on or, if that was later, since Kueue
// admitted its Job.
func (t *transition) begun() time.Time {
	decided := t.attempt().StartTime.Time
	admitted := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildAdmitted)
	begun := decided
	if admitted != nil && admitted.Status == metav1.ConditionTrue && admitted.LastTransitionTime.After(begun) {
		begun = admitted.LastTransitionTime.Time
	}
	// Its controller says when a Job was resumed, also where nobody saw that it was suspended.
	if t.wasSuspended() && t.ours(t.Job) && t.Job.Status.StartTime != nil && t.Job.Status.StartTime.After(begun) {
		begun = t.Job.Status.StartTime.Time
	}
	return begun
}

// queueTimeLeft is how long the build may still wait: in all until its first attempt starts, and anew each time that Kueue holds it
// later.
func (t *transition) queueTimeLeft() time.Duration {
	since := t.Build.CreationTimestamp.Time
	if t.status.QueuedTime != nil {
		since = t.status.QueuedTime.Time
	}
	if admitted := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildAdmitted); t.heldAgain() && admitted != nil {
		since = admitted.LastTransitionTime.Time
	}
	return since.Add(t.Build.Spec.Timeouts.Queue.Duration + rounding).Sub(t.Now)
}
