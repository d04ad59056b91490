// SPDX-License-Identifier: Apache-2.0

// Package state is the state machine of a build. From the stored status and an observation it decides which status to store next
// or, if the status is up to date, which action to take. It is pure: it reads no clock, calls no API and keeps no state.
//
// Intent comes before effect: Next returns an action only if the stored status already calls for it. A caller stores Status and
// calls Next again, until Status is unchanged. Then it performs Action. A crash between two steps loses nothing.
package state

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// startDelayGrace is how long an attempt waits before its status reports the delay. Most pods start sooner, and their builds are
// spared a write.
const startDelayGrace = 2 * time.Second

// sourceLook is when a build that waits for a check of its source is looked at again.
const sourceLook = time.Second

// rounding is by how much a stored time may be too early.
const rounding = time.Second

// Observed is what is known about a build at a point in time.
type Observed struct {
	// Build as it is stored, with its defaults.
	Build *v1alpha1.ImageBuild
	// Resolved is what the inputs resolve to, or what a rerun pins them to. Unresolved is why they do not resolve. One of the two
	// is required while status.resolved is empty. Later, Unresolved only reports that the builder is no longer registered.
	Resolved   *v1alpha1.ResolvedInputs
	Unresolved *v1alpha1.BuildFailure
	// Waits is why the inputs cannot be resolved yet, for users. Then neither of the two is set.
	Waits string
	// Admission is whether the build may start. It is read only if func Waits returns true.
	Admission Admission
	// Job is the Job with the name that the current attempt recorded. It is nil if there is none.
	Job *batchv1.Job
	// Origin is whose Job it is. It is read only if the attempt has not recorded the UID of Job.
	Origin Origin
	// Pod is the current attempt's pod, from FindPod. Its status decides the attempt. It is nil if there is none.
	Pod *corev1.Pod
	// Living is a pod of the current attempt that has not ended, from FindLiving. It is nil if there is none.
	Living *corev1.Pod
	// Rejected is why the API refused the attempt's Job, if it did. It is read only if Job is nil.
	Rejected string
	// Uncompared is why nobody knows whose Job it is: the API refused a dry run of its creation. It is read only if Origin is Unknown.
	Uncompared string
	// Refused is why the Job has no pod, from Refusal. It is read only if NeedsRefusal returns true, and may be empty. Users can forge it.
	Refused string
	// Forbidden is why the API refused a dry run of the pod's creation, if it did. It is needed if Refused is final.
	Forbidden string
	// Results is what a result must have.
	Results result.Policy
	// Revoked are the builds of the same Image that are revoked, or will be. The build does not succeed with an artifact of a revoked one.
	Revoked []v1alpha1.ImageBuild
	// Now is the present time.
	Now time.Time
}

// Origin tells whose a Job is that has the name of an attempt's Job. Everybody can compute that name.
type Origin string

const (
	// Unknown means that the Job could not be compared with what the controller renders. It is not the attempt's Job, but may be deleted.
	Unknown Origin = ""
	// Rendered means that the controller created the Job, or renders an equal Job.
	Rendered Origin = "Rendered"
	// Foreign means that the controller renders another Job. The Job is neither the attempt's Job, nor deleted.
	Foreign Origin = "Foreign"
)

// Admission is the queue's decision whether a build may start.
type Admission struct {
	// Admitted is true if the build may start.
	Admitted bool
	// Message is what a build that may not start waits for. Each new message costs a write.
	Message string
}

// Waits reports whether a build waits for its admission and has no attempt yet. A build that waits for Kueue or a worker has an
// attempt.
func Waits(build *v1alpha1.ImageBuild) bool {
	switch build.Status.Phase {
	case v1alpha1.BuildPending, "":
		return true
	case v1alpha1.BuildQueued:
		return !goesOn(&build.Status)
	}
	return false
}

// goesOn reports whether the newest attempt has no outcome yet.
func goesOn(status *v1alpha1.ImageBuildStatus) bool {
	last := len(status.Attempts) - 1
	return last >= 0 && status.Attempts[last].Outcome == ""
}

// Held reports whether the current attempt waits for Kueue or a worker.
func Held(status *v1alpha1.ImageBuildStatus) bool {
	return status.Phase == v1alpha1.BuildQueued || status.Phase == v1alpha1.BuildTesting && goesOn(status) && meta.IsStatusConditionFalse(status.Conditions, v1alpha1.BuildAdmitted)
}

// Action is an effect that the stored status calls for. Each is idempotent.
type Action string

const (
	// NoAction means that there is nothing to do.
	NoAction Action = ""
	// CreateJob creates the current attempt's Job.
	CreateJob Action = "CreateJob"
	// DeleteJob deletes the current attempt's Job, with its pod.
	DeleteJob Action = "DeleteJob"
	// DeletePod deletes a pod of the current attempt that is not deleted with its Job, for example because the Job was deleted with
	// propagationPolicy Orphan.
	DeletePod Action = "DeletePod"
	// PassResult annotates the pod with the result of its builder, for which the pod's publisher waits.
	PassResult Action = "PassResult"
	// StopPod lowers the pod's deadline, so that it ends and its log stays.
	StopPod Action = "StopPod"
)

// Decision is the status to store or, if that status is stored already, the action to take.
type Decision struct {
	// Status to be stored.
	Status v1alpha1.ImageBuildStatus
	// Action to take once Status is stored.
	Action Action
	// After is when to reconcile again without an observed change. 0 means never.
	After time.Duration
}

// NeedsConfirmation reports whether the decision requires that Job and pods were read from the API. Caches may be outdated and may
// differ in age. They suffice to report that a build runs, or that it succeeded, because a success of the recorded pod is final.
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
	return len(after) > len(before) || Held(&build.Status) != Held(&d.Status) ||
		before[last].Outcome == "" && after[last].Outcome != "" && after[last].Outcome != v1alpha1.AttemptSucceeded
}

// Next decides the next step of a build.
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
	case v1alpha1.BuildTesting:
		next.test()
	case v1alpha1.BuildCancelling:
		next.cancel()
	case v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildCancelled:
		next.discard() // what could still run
	}
	next.reportRevocation()
	return Decision{Status: *next.status, Action: next.action, After: next.after}
}

// transition is a decision in the making.
type transition struct {
	Observed
	deviant *v1alpha1.BuildFailure // why the attempt's pod is not the Job's pod, if it is not
	status  *v1alpha1.ImageBuildStatus
	action  Action
	after   time.Duration
}

// forgetStrangers ignores a pod whose Job is not the attempt's Job, a pod that its Job has replaced, and a pod that does not run what its
// Job describes. A recorded pod was compared with its Job before it was recorded.
func (t *transition) forgetStrangers() {
	attempt := t.attempt()
	known := t.Job != nil && t.isOurJob(t.Job)
	if attempt == nil || attempt.PodUID == "" && !known || t.isPodReplaced() {
		t.Pod = nil
	}
	if t.Pod == nil || !known {
		return
	}
	deviation := render.Deviation(t.Job, t.Pod)
	// A Job can be suspended, changed and resumed before the Job controller looks at it. Every such change has a generation.
	if deviation == "" && (t.wasSuspended() || t.Job.Generation > 1) && !render.HasInput(t.Job, t.Build, attempt.Number, t.Results.Checked) {
		deviation = "the input in its Job was changed"
	}
	if deviation != "" {
		t.deviant = v1alpha1.ReasonJobConflict.Failure(
			"pod %s is not what the build describes: %s. Let webhooks change Jobs instead of pods, or find the user who changed it", t.Pod.Name, deviation)
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
	case t.Unresolved != nil && t.Unresolved.Class == v1alpha1.FailureCancelled:
		t.finish(v1alpha1.BuildCancelled, t.Unresolved)
	case t.Unresolved != nil:
		t.finish(v1alpha1.BuildFailed, t.Unresolved)
	case t.Waits != "" && t.queueTimeLeft() <= 0:
		t.finish(v1alpha1.BuildFailed, t.queueTimeout(t.Waits))
	case t.Waits != "":
		t.enqueue(string(v1alpha1.ReasonSourceUnresolved), t.Waits)
		t.after = min(t.after, sourceLook)
	case t.status.Resolved == nil:
		t.finish(v1alpha1.BuildFailed, v1alpha1.ReasonSourceNotFound.Failure("the build has no resolved inputs: build again"))
	case t.Admission.Admitted && t.Build.Spec.Retests != nil:
		t.retest()
	case t.Admission.Admitted:
		t.start(t.status.CurrentAttempt+1, nil)
	case t.queueTimeLeft() <= 0:
		t.finish(v1alpha1.BuildFailed, t.queueTimeout(t.Admission.Message))
	default:
		t.queue()
	}
}

// follow handles an attempt that is starting or running.
func (t *transition) follow() {
	evidence := t.gatherEvidence()
	t.recordStart(&evidence)
	switch {
	case t.revoked():
		t.stop()
	case evidence.succeeded != nil:
		t.succeed(&evidence)
	case evidence.tested != nil:
		t.recordTests(evidence.tested)
	case t.mustEnd():
		t.stop()
	case evidence.failure != nil:
		t.fail(evidence.failure)
	case evidence.held != startDelay{}:
		t.holdAttempt(evidence.held)
	case evidence.started && t.runTimeLeft() <= 0:
		t.fail(t.runTimeout())
	case evidence.started:
		t.run()
		t.publish()
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

// retry starts the next attempt when its backoff is over and the previous attempt can start no more pods.
func (t *transition) retry() {
	t.discard()
	switch {
	case t.action != NoAction || t.lives():
	case t.mustEnd():
		t.finishCancelled()
	default:
		t.after = max(0, nextAttemptTime(t.Build, t.status.Attempts).Sub(t.Now))
		if t.after == 0 {
			t.start(t.status.CurrentAttempt+1, nil)
		}
	}
}

// mustEnd reports whether the build was cancelled, revoked or deleted. A finalizer can keep a deleted build for any time, and the build
// holds its queue slot until it ends.
func (t *transition) mustEnd() bool {
	return t.revoked() || t.Build.Spec.CancelRequested != nil || t.Build.DeletionTimestamp != nil
}

// cancel ends the current attempt of a cancelled build, and then the build.
func (t *transition) cancel() {
	evidence := t.gatherEvidence()
	t.recordStart(&evidence)
	switch {
	case t.wasRevoked(): // its artifacts must not be used, or were to be thrown away
	case evidence.tested != nil:
		before := t.status.DeepCopy()
		if t.recordTests(evidence.tested); t.status.Phase == v1alpha1.BuildSucceeded { // tags may have been moved
			return
		}
		t.status = before
	case evidence.succeeded != nil && len(t.Build.Spec.Tests) == 0:
		t.succeed(&evidence)
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

// mayBeStopped reports whether the attempt's pod has a log and has not ended, and can end without its log being deleted.
func (t *transition) mayBeStopped() bool {
	return t.Pod != nil && !Ended(t.Pod) && hasLog(t.Pod) && t.Pod.DeletionTimestamp == nil &&
		t.Job != nil && t.isOurJob(t.Job) && t.Job.DeletionTimestamp == nil && !t.suspended()
}

// discard deletes the Job of the current attempt if it could still run a pod, or else a pod without a Job. While such a pod is
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

// jobMayRun reports whether the attempt's Job could still run a pod. A Job whose container has ended is kept: its pod has the log,
// and only the Job's status is outdated.
func (t *transition) jobMayRun() bool {
	attempt := t.attempt()
	if t.Job == nil || attempt == nil || !t.madeFor(attempt, t.Job) || t.Job.DeletionTimestamp != nil || Finished(t.Job) {
		return false
	}
	if attempt.JobUID != t.Job.UID && t.Origin == Foreign {
		return false
	}
	if !t.isOurJob(t.Job) {
		return true
	}
	if t.Pod == nil && hasCondition(t.Job, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet) {
		return false // the Job creates no other pod
	}
	return t.Pod == nil || !Ended(t.Pod) || t.deletedBySuspension()
}

// confirmationTime is how much longer than its grace period a pod may take to end before its node counts as unable to confirm
// the end. The loss of a node is reported earlier: the node is not ready after 50 seconds, and the pod tolerates this for 60
// seconds.
const confirmationTime = 2 * time.Minute

// lives reports whether a pod of the attempt may run, and its node may still confirm its end.
func (t *transition) lives() bool { return t.Living != nil && t.livingTimeLeft() > 0 }

// livingTimeLeft is how long to wait for the end of the living pod. It is counted from the deletion that the API server recorded.
func (t *transition) livingTimeLeft() time.Duration {
	switch {
	case t.Living.DeletionTimestamp == nil:
		return confirmationTime
	case onLostNode(t.Living):
		return 0
	}
	return t.Living.DeletionTimestamp.Add(confirmationTime).Sub(t.Now)
}

// runTimeLeft is how long to wait for the end of the running container. If the node works, the pod's deadline ends it earlier.
func (t *transition) runTimeLeft() time.Duration {
	since := t.Now
	if ready := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildPodReady); ready != nil && ready.Status == metav1.ConditionTrue {
		since = ready.LastTransitionTime.Time
	}
	return since.Add(t.runLimit() + render.GracePeriod + confirmationTime).Sub(t.Now)
}

// runLimit is how long the pod of the current attempt may run.
func (t *transition) runLimit() time.Duration {
	return render.RunLimit(t.withStatus(), t.status.CurrentAttempt)
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

// startTimeLeft is how long the attempt may still take to start its builder, without the time of its fetcher.
func (t *transition) startTimeLeft() time.Duration {
	limit := t.Build.Spec.Timeouts.Start.Duration + rounding
	if t.Pod != nil {
		limit += t.fetchTime()
	}
	return t.earliestStart().Add(limit).Sub(t.Now)
}

// earliestStart is when the attempt could start its container: when the attempt was recorded or, if that was later, when it was last
// admitted.
func (t *transition) earliestStart() time.Time {
	decided := t.attempt().StartTime.Time
	admitted := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildAdmitted)
	begun := decided
	if admitted != nil && admitted.Status == metav1.ConditionTrue && admitted.LastTransitionTime.After(begun) {
		begun = admitted.LastTransitionTime.Time
	}
	// status.startTime of a Job is when it was resumed, even if this controller did not see that it was suspended.
	if t.wasSuspended() && t.isOurJob(t.Job) && t.Job.Status.StartTime != nil && t.Job.Status.StartTime.After(begun) {
		begun = t.Job.Status.StartTime.Time
	}
	return begun
}

// queueTimeLeft is how long the build may still wait. The time until the first attempt may run counts as a whole, and each later
// wait for Kueue or a worker counts by itself.
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
