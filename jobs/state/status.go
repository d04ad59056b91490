// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
)

// seeFailure is the message of the conditions of a build that failed or was cancelled: only status.failure has the message of the
// failure, so that kubectl describe shows it once.
const seeFailure = "see status.failure"

// exactTime is RFC 3339 with the milliseconds that a backoff may have.
const exactTime = "2006-01-02T15:04:05.999Z07:00"

// queue lets the build wait for its admission.
func (t *transition) queue() { t.enqueue(v1alpha1.ReasonWaitingForSlot, t.Admission.Message) }

// enqueue lets the build wait, and tells why.
func (t *transition) enqueue(reason, message string) {
	t.status.Phase = v1alpha1.BuildQueued
	if t.status.QueuedTime == nil {
		t.status.QueuedTime = t.now()
	}
	t.condition(v1alpha1.BuildAdmitted, metav1.ConditionFalse, reason, message)
	t.unfinished()
	t.after = t.queueTimeLeft()
}

// start records the intent of an attempt, whose Job may exist from now on. Without tests, it makes artifacts.
func (t *transition) start(number int32, tests []string) {
	t.enterUnlessTesting(v1alpha1.BuildStarting)
	t.status.CurrentAttempt = number
	t.status.Attempts = append(t.status.Attempts, v1alpha1.BuildAttempt{
		Number:    number,
		JobName:   render.JobName(t.Build, number),
		StartTime: *t.now(),
		Tests:     tests,
	})
	if t.status.StartTime == nil {
		t.status.StartTime = t.now()
	}
	t.status.Progress, t.status.Stages = nil, nil
	t.condition(v1alpha1.BuildAdmitted, metav1.ConditionTrue, v1alpha1.ReasonAdmitted, "")
	t.wait(podNotStarted)
	if len(tests) == 0 {
		ForgetAttestation(t.status)
		t.unfinished()
	}
}

// wait reports in the condition PodReady why the container has not started yet.
func (t *transition) wait(delay startDelay) {
	t.condition(v1alpha1.BuildPodReady, metav1.ConditionFalse, delay.reason, v1alpha1.CutMessage(delay.message))
}

// run records that the container has started.
func (t *transition) run() {
	t.record()
	t.enterUnlessTesting(v1alpha1.BuildRunning)
	t.condition(v1alpha1.BuildPodReady, metav1.ConditionTrue, v1alpha1.ReasonContainerStarted, "")
	t.after = t.runTimeLeft()
}

// runTimeout returns the failure of an attempt whose container should have ended, but whose node does not report the end.
func (t *transition) runTimeout() *v1alpha1.BuildFailure {
	if t.runsTests() {
		return v1alpha1.ReasonTestMachineFailed.Failure("the tests ran longer than %s, and node %s did not confirm the end of pod %s: check the node",
			t.runLimit(), t.Pod.Spec.NodeName, t.Pod.Name)
	}
	return v1alpha1.ReasonRunTimeout.Failure("the build ran longer than %s, and node %s did not confirm the end of pod %s: check the node",
		t.runLimit(), t.Pod.Spec.NodeName, t.Pod.Name)
}

// record binds the attempt to the observed Job, and to its pod once a container has started. A pod that has not started has no
// log to lose. The attempt ignores any other Job or pod from now on.
func (t *transition) record() {
	attempt := t.attempt()
	if t.Job != nil && attempt.JobUID == "" && t.isOurJob(t.Job) {
		attempt.JobUID = t.Job.UID
	}
	if t.Pod == nil || attempt.PodUID != "" && attempt.PodUID != t.Pod.UID {
		return
	}
	if hasLog(t.Pod) {
		attempt.PodName, attempt.PodUID = t.Pod.Name, t.Pod.UID
	}
	if attempt.BuilderImage == "" && attempt.PodUID != "" && hasStarted(t.Pod) {
		attempt.BuilderImage = render.BuilderStatus(t.Pod).ImageID
	}
	if attempt.NodeName == "" || attempt.PodUID != "" { // before, the recorded node may be that of another pod of the Job
		attempt.NodeName = t.Pod.Spec.NodeName
	}
}

func (t *transition) succeed(seen *evidence) {
	t.condition(v1alpha1.BuildPodReady, metav1.ConditionTrue, v1alpha1.ReasonContainerStarted, "")
	t.endAttempt(v1alpha1.AttemptSucceeded, nil)
	if t.endRemade(seen.succeeded) {
		return
	}
	artifacts, ignored := located(seen.succeeded, t.Build), ""
	if seen.ignored != "" {
		ignored = v1alpha1.CutMessage("the builder's result has fields that are ignored, because they are misspelt or of a newer version: " + seen.ignored)
	}
	if len(t.Build.Spec.Tests) > 0 {
		t.condition(v1alpha1.BuildConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonInProgress, ignored)
		t.beginTests(artifacts)
		return
	}
	t.status.Artifacts = artifacts
	t.inheritRevocation()
	t.finish(v1alpha1.BuildSucceeded, nil)
	if ignored != "" {
		t.condition(v1alpha1.BuildConditionSucceeded, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, ignored)
	}
}

// located returns artifacts in which every content that Goldsmith keeps has a location: a content that was verified is kept.
func located(artifacts []v1alpha1.Artifact, build *v1alpha1.ImageBuild) []v1alpha1.Artifact {
	for i := range artifacts {
		artifact := &artifacts[i]
		locate(&artifact.Location, artifact.Verified, artifact.Digest, build)
		for i := range artifact.Documents {
			document := &artifact.Documents[i]
			locate(&document.Location, document.Verified, document.Digest, build)
		}
	}
	return artifacts
}

// locate sets the location of a content of a build that has none, if Goldsmith keeps the content.
func locate(location *string, verified v1alpha1.ArtifactVerification, digest string, build *v1alpha1.ImageBuild) {
	if *location == "" && verified == v1alpha1.ArtifactVerifiedContent {
		*location = v1alpha1.ArtifactPath(build.Namespace, build.Name, digest)
	}
}

// fail ends the attempt. It also ends the build, unless the build gets another attempt.
func (t *transition) fail(f *v1alpha1.BuildFailure) {
	outcome := v1alpha1.AttemptFailed
	if f.Reason.Disruption() {
		outcome = v1alpha1.AttemptDisrupted
	}
	if t.runsTests() {
		t.failTests(outcome, f)
		return
	}
	t.endAttempt(outcome, f)
	if !retryAllowed(t.Build.Spec.Retry, t.status.Attempts) {
		if attempt := t.attempt(); attempt.Failure == f { // the build has the message of its last failure
			attempt.Failure = &v1alpha1.BuildFailure{Class: f.Class, Reason: f.Reason, ExitCode: f.ExitCode}
		}
		if outcome == v1alpha1.AttemptDisrupted {
			f = f.Reason.Failure("%d attempts were disrupted, see status.attempts. Build again. The last disruption: %s", maxDisruptions, f.Message)
		}
		t.finish(v1alpha1.BuildFailed, f)
		return
	}
	t.status.Phase = v1alpha1.BuildRetrying
	t.backOff(f)
}

// backOff tells when the next attempt starts after one that failed.
func (t *transition) backOff(f *v1alpha1.BuildFailure) {
	next := nextAttemptTime(t.Build, t.status.Attempts)
	t.condition(v1alpha1.BuildPodReady, metav1.ConditionFalse, v1alpha1.ReasonBackingOff, v1alpha1.CutMessage(fmt.Sprintf(
		"next attempt starts at %s: attempt %d ended with %s: %s",
		next.UTC().Format(exactTime), t.attempt().Number, f.Reason, f.Message)))
}

func (t *transition) endAttempt(outcome v1alpha1.AttemptOutcome, f *v1alpha1.BuildFailure) {
	attempt := t.attempt()
	if attempt == nil || attempt.Outcome != "" {
		return
	}
	t.record()
	t.endWait(t.now())
	if meta.IsStatusConditionTrue(t.status.Conditions, v1alpha1.BuildPodReady) {
		t.condition(v1alpha1.BuildPodReady, metav1.ConditionTrue, v1alpha1.ReasonContainerStarted, "") // it publishes no longer
	}
	attempt.CompletionTime = t.now()
	attempt.Outcome = outcome
	attempt.Failure = f
	if last := len(t.status.Stages) - 1; last >= 0 && t.status.Stages[last].CompletionTime == nil {
		t.status.Stages[last].CompletionTime = t.now()
	}
}

func (t *transition) enter(phase v1alpha1.BuildPhase) {
	t.record()
	t.status.Phase = phase
}

// stop begins to end the attempt.
func (t *transition) stop() {
	t.enter(v1alpha1.BuildCancelling)
	t.recordStop()
}

// recordStop records when the stop of the attempt began. From then on the node has a limited time to confirm the end.
func (t *transition) recordStop() {
	if attempt := t.attempt(); attempt.StopTime == nil {
		attempt.StopTime = t.now()
	}
}

func (t *transition) finishCancelled() {
	reason, message := v1alpha1.ReasonCancelRequested, "cancelled"
	switch request := t.Build.Spec.CancelRequested; {
	case t.revoked():
		reason, message = v1alpha1.ReasonRevoked, "cancelled: "+t.Build.Status.Revoked.Explain()
	case request == nil && t.Build.DeletionTimestamp == nil && t.wasRevoked():
		reason, message = v1alpha1.ReasonRevoked, "cancelled: revoked, and restored since"
	case request == nil:
		message = "cancelled: the build is being deleted"
	default:
		if request.SupersededBy != "" {
			reason, message = v1alpha1.ReasonSuperseded, fmt.Sprintf("cancelled: superseded by %s", request.SupersededBy)
		}
		if request.By != "" {
			message += " by " + request.By
		}
		if request.Reason != "" {
			message += ": " + request.Reason
		}
	}
	if t.Living != nil {
		message += fmt.Sprintf("; node %s did not confirm the end of pod %s", t.Living.Spec.NodeName, t.Living.Name)
	}
	t.finish(v1alpha1.BuildCancelled, reason.Failure("%s", message))
}

// finish writes the end of the build, once.
func (t *transition) finish(phase v1alpha1.BuildPhase, f *v1alpha1.BuildFailure) {
	t.status.Phase = phase
	t.status.Finished = true
	t.status.CompletionTime = t.now()
	t.status.Failure = f
	reason, message, succeeded := v1alpha1.ReasonSucceeded, "", metav1.ConditionTrue
	if f != nil {
		reason, message, succeeded = string(f.Reason), seeFailure, metav1.ConditionFalse
		// A finished build does not wait: its conditions report the failure instead of the former delay.
		for _, kind := range []string{v1alpha1.BuildAdmitted, v1alpha1.BuildPodReady} {
			if meta.IsStatusConditionFalse(t.status.Conditions, kind) {
				t.condition(kind, metav1.ConditionFalse, reason, message)
			}
		}
	}
	t.condition(v1alpha1.BuildConditionSucceeded, succeeded, reason, message)
	t.condition(v1alpha1.BuildConditionFinished, metav1.ConditionTrue, reason, message)
	t.condition(v1alpha1.BuildReconciling, metav1.ConditionFalse, reason, message)
	stalled := metav1.ConditionTrue
	if phase == v1alpha1.BuildSucceeded {
		stalled = metav1.ConditionFalse
	}
	t.condition(v1alpha1.BuildStalled, stalled, reason, message)
	EndAttestation(t.status)
	if tested := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildTested); tested != nil && tested.Reason == v1alpha1.ReasonTesting {
		t.condition(v1alpha1.BuildTested, metav1.ConditionUnknown, v1alpha1.ReasonTestsNotRun, message)
	}
}

// FirstConditions are the conditions of a build that was created at this time, until it is finished.
func FirstConditions(created metav1.Time) []metav1.Condition {
	return []metav1.Condition{
		{Type: v1alpha1.BuildConditionSucceeded, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonInProgress, LastTransitionTime: created},
		{Type: v1alpha1.BuildConditionFinished, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInProgress, LastTransitionTime: created},
		{Type: v1alpha1.BuildReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonInProgress, Message: "the build has not finished", LastTransitionTime: created},
	}
}

func (t *transition) unfinished() {
	for _, first := range FirstConditions(*t.now()) {
		t.condition(first.Type, first.Status, first.Reason, first.Message)
	}
}

func (t *transition) condition(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&t.status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: t.Build.Generation, LastTransitionTime: *t.now(),
	})
}

// now is the current time in whole seconds, as the API stores it.
func (t *transition) now() *metav1.Time {
	now := metav1.NewTime(t.Now.Truncate(time.Second))
	return &now
}
