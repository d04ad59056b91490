// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// waits returns a build that waits for admission since t0, for at most a minute.
func waits(phase v1alpha1.BuildPhase) *scenario {
	w := given(phase)
	w.Build.Status.Resolved = resolved
	w.Build.Spec.Timeouts.Queue = &v1alpha1.Duration{Duration: time.Minute}
	w.Admission.Message = "the namespace runs 4 builds, as many as it may"
	if phase == v1alpha1.BuildQueued {
		w.Build.Status.QueuedTime = &metav1.Time{Time: t0}
	}
	return w
}

func TestABuildWaitsAsLongAsItsQueueTimeout(t *testing.T) {
	for _, phase := range []v1alpha1.BuildPhase{v1alpha1.BuildPending, v1alpha1.BuildQueued} {
		w := waits(phase)
		w.Now = t0.Add(time.Minute + rounding - time.Nanosecond)
		if got := Next(w.Observed).Status.Phase; got != v1alpha1.BuildQueued {
			t.Errorf("%s, a moment before: phase %s", phase, got)
		}
		w.Now = t0.Add(time.Minute + rounding)
		status := Next(w.Observed).Status
		if status.Phase != v1alpha1.BuildFailed || status.Failure.Class != v1alpha1.FailureTimeout || status.Failure.Reason != v1alpha1.ReasonQueueTimeout {
			t.Fatalf("%s: phase %s, failure %+v", phase, status.Phase, status.Failure)
		}
		if want := "build was not admitted within 1m: raise timeouts.queue, or remove the cause: " + w.Admission.Message; status.Failure.Message != want {
			t.Errorf("message %q, want %q", status.Failure.Message, want)
		}
		consistent(t, w.Observed, status)
		w.Admission.Admitted = true
		if got := Next(w.Observed).Status.Phase; got != v1alpha1.BuildStarting {
			t.Errorf("%s, admitted at last: phase %s", phase, got)
		}
	}
}

func TestAWaitingBuildIsLookedAtAgainForItsTimeout(t *testing.T) {
	w := waits(v1alpha1.BuildQueued)
	if got, want := Next(w.Observed).After, 51*time.Second; got != want {
		t.Errorf("after %s, want %s", got, want)
	}
	w.Build.Status.QueuedTime = &metav1.Time{Time: t0.Add(5 * time.Second)}
	if got, want := Next(w.Observed).After, 56*time.Second; got != want {
		t.Errorf("queued later: after %s, want %s", got, want)
	}
}

func TestWhatABuildWaitsForIsWrittenOnce(t *testing.T) {
	w := waits(v1alpha1.BuildPending)
	w.Build.Status = Next(w.Observed).Status
	told := meta.FindStatusCondition(w.Build.Status.Conditions, v1alpha1.BuildAdmitted)
	if told.Status != metav1.ConditionFalse || told.Reason != v1alpha1.ReasonWaitingForSlot || told.Message != w.Admission.Message {
		t.Errorf("said %+v", told)
	}
	if got := w.Build.Status.QueuedTime; got == nil || !got.Time.Equal(w.Now) {
		t.Errorf("queued since %v, want %s", got, w.Now)
	}
	w.Now = w.Now.Add(20 * time.Second)
	if diff := cmp.Diff(w.Build.Status, Next(w.Observed).Status); diff != "" {
		t.Errorf("written again though nothing has changed:\n%s", diff)
	}
	w.Admission.Message = "the cluster runs 100 builds, as many as it may"
	told = meta.FindStatusCondition(Next(w.Observed).Status.Conditions, v1alpha1.BuildAdmitted)
	if told.Message != w.Admission.Message {
		t.Errorf("said %q", told.Message)
	}
}

func TestASupersededBuildSaysByWhich(t *testing.T) {
	for _, phase := range []v1alpha1.BuildPhase{v1alpha1.BuildPending, v1alpha1.BuildQueued} {
		w := given(phase).cancelRequested()
		w.Build.Spec.CancelRequested.SupersededBy = "debian-8"
		status := Next(w.Observed).Status
		if status.Phase != v1alpha1.BuildCancelled || status.Failure.Class != v1alpha1.FailureCancelled || status.Failure.Reason != v1alpha1.ReasonSuperseded {
			t.Fatalf("phase %s, failure %+v", status.Phase, status.Failure)
		}
		if !strings.Contains(status.Failure.Message, "superseded by debian-8") {
			t.Errorf("message %q", status.Failure.Message)
		}
		consistent(t, w.Observed, status)
	}
}

func TestWaits(t *testing.T) {
	for phase, want := range map[v1alpha1.BuildPhase]bool{
		"": true, v1alpha1.BuildPending: true, v1alpha1.BuildQueued: true,
		v1alpha1.BuildStarting: false, v1alpha1.BuildRunning: false, v1alpha1.BuildRetrying: false, v1alpha1.BuildCancelling: false,
		v1alpha1.BuildSucceeded: false, v1alpha1.BuildFailed: false, v1alpha1.BuildCancelled: false,
	} {
		if got := Waits(&v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Phase: phase}}); got != want {
			t.Errorf("%q: %v", phase, got)
		}
	}
	if Waits(held(1).Build) {
		t.Error("a build that waits for Kueue is admitted already, and has an attempt")
	}
}

// The server takes a build that is Queued with an attempt that has ended, though nothing here makes one.
func TestAQueuedBuildBetweenAttemptsStartsTheNext(t *testing.T) {
	w := held(1).ended(v1alpha1.AttemptDisrupted, &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure})
	w.Admission.Admitted = true
	status := Next(w.Observed).Status
	if status.Phase != v1alpha1.BuildStarting || status.CurrentAttempt != 2 || len(status.Attempts) != 2 {
		t.Errorf("phase %s, attempt %d of %d", status.Phase, status.CurrentAttempt, len(status.Attempts))
	}
	consistent(t, w.Observed, status)
}

func TestABuildThatHasEndedWaitsForNothing(t *testing.T) {
	waiting := func(phase v1alpha1.BuildPhase, kind, reason string) *scenario {
		w := given(phase)
		meta.SetStatusCondition(&w.Build.Status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: "it waits"})
		return w
	}
	for name, test := range map[string]struct {
		given *scenario
		kind  string
		want  v1alpha1.FailureReason
	}{
		"in the queue":  {waiting(v1alpha1.BuildQueued, v1alpha1.BuildAdmitted, v1alpha1.ReasonWaitingForSlot).cancelRequested(), v1alpha1.BuildAdmitted, v1alpha1.ReasonCancelRequested},
		"for a new try": {waiting(v1alpha1.BuildRetrying, v1alpha1.BuildPodReady, v1alpha1.ReasonBackingOff).cancelRequested(), v1alpha1.BuildPodReady, v1alpha1.ReasonCancelRequested},
		"for its node":  {waiting(v1alpha1.BuildCancelling, v1alpha1.BuildPodReady, v1alpha1.ReasonUnschedulable).cancelRequested(), v1alpha1.BuildPodReady, v1alpha1.ReasonCancelRequested},
	} {
		status := Next(test.given.Observed).Status
		condition := meta.FindStatusCondition(status.Conditions, test.kind)
		if !status.Finished || condition.Status != metav1.ConditionFalse || condition.Reason != string(test.want) || condition.Message != seeFailure {
			t.Errorf("%s: %s, %+v", name, status.Phase, condition)
		}
	}
}
