// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestBackoffDoublesUpToItsLimit(t *testing.T) {
	policy := func(initial, longest int) *v1alpha1.Backoff {
		return &v1alpha1.Backoff{
			Initial: &v1alpha1.Duration{Duration: time.Duration(initial) * time.Second},
			Max:     &v1alpha1.Duration{Duration: time.Duration(longest) * time.Second},
		}
	}
	for failures, want := range map[int]int{1: 10, 2: 20, 3: 40, 4: 60, 5: 60, 10: 60} {
		if got := backoff(policy(10, 60), failures); got != time.Duration(want)*time.Second {
			t.Errorf("after %d failures %s, want %d s", failures, got, want)
		}
	}
	if got := backoff(policy(0, 0), 3); got != 0 {
		t.Errorf("without a wait %s", got)
	}
}

func TestJitterIsWithinItsLimitAndAlwaysTheSame(t *testing.T) {
	const limit = 2 * time.Second
	seen := map[time.Duration]bool{}
	for i := range 1000 {
		build, attempt := types.UID(fmt.Sprint("build-", i/4)), int32(i%4+1)
		got := jitter(build, attempt, limit)
		if got < 0 || got > limit || got != got.Truncate(time.Millisecond) {
			t.Fatalf("jitter of %s", got)
		}
		if again := jitter(build, attempt, limit); again != got {
			t.Errorf("%s, and then %s for the same attempt", got, again)
		}
		seen[got.Truncate(limit/20)] = true
	}
	if len(seen) < 20 {
		t.Errorf("of 20 parts of its limit it uses %d: builds that failed together are tried again together", len(seen))
	}
	if jitter("build", 1, limit) == jitter("build", 2, limit) {
		t.Error("two attempts have the same jitter")
	}
	if got := jitter("build", 1, 0); got != 0 {
		t.Errorf("without a limit %s", got)
	}
}

// The message, the time of the next reconcile and the start of the attempt agree.
func TestRetryingSaysExactlyWhenTheNextAttemptStarts(t *testing.T) {
	fractions := false
	for i := range 20 {
		w := given(v1alpha1.BuildRunning)
		w.Build.UID = types.UID(fmt.Sprint("build-", i))
		w.recorded().job().pod(corev1.PodFailed, exited(75, ""))
		status := Next(w.Observed).Status
		message := meta.FindStatusCondition(status.Conditions, v1alpha1.BuildPodReady).Message
		told, _, _ := strings.Cut(strings.TrimPrefix(message, "next attempt starts at "), ": ")
		at, err := time.Parse(time.RFC3339, told)
		if err != nil || status.Phase != v1alpha1.BuildRetrying {
			t.Fatalf("phase %s, message %q: %v", status.Phase, message, err)
		}
		fractions = fractions || at.Nanosecond() > 0
		if wait := at.Sub(w.Now); wait < v1alpha1.DefaultBackoffInitial || wait > v1alpha1.DefaultBackoffInitial*6/5+rounding {
			t.Errorf("the next attempt starts after %s", wait)
		}

		w.Build.Status, w.Job, w.Pod = status, nil, nil
		w.Now = at.Add(-time.Millisecond)
		if early := Next(w.Observed); early.Status.Phase != v1alpha1.BuildRetrying || early.After != time.Millisecond {
			t.Errorf("a millisecond before: phase %s, next reconcile after %s", early.Status.Phase, early.After)
		}
		w.Now = at
		if phase := Next(w.Observed).Status.Phase; phase != v1alpha1.BuildStarting {
			t.Errorf("at %s: phase %s", told, phase)
		}
	}
	if !fractions {
		t.Error("every attempt starts at a whole second: those that failed together start together")
	}
}

// kubectl describe prints the whole status.
func TestAFailedBuildTellsItsFailureOnce(t *testing.T) {
	again := given(v1alpha1.BuildRunning).ended(v1alpha1.AttemptFailed, v1alpha1.ReasonBuilderTempFail.Failure("try again"))
	again.attempt(2)
	for name, given := range map[string]*scenario{
		"by its builder":       given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodFailed, exited(1, "the disk is full")),
		"before it started":    given(v1alpha1.BuildStarting).job().pod(corev1.PodFailed, neverStarted("StartError")),
		"after another failed": again.recorded().job().pod(corev1.PodFailed, exited(1, "the disk is full")),
		"by its cancellation":  given(v1alpha1.BuildQueued).cancelRequested(),
	} {
		status := Next(given.Observed).Status
		text, err := json.Marshal(status)
		if err != nil {
			t.Fatal(err)
		}
		message, err := json.Marshal(status.Failure.Message)
		if err != nil {
			t.Fatal(err)
		}
		if times := strings.Count(string(text), strings.Trim(string(message), `"`)); times != 1 {
			t.Errorf("%s: the message is there %d times: %s", name, times, text)
		}
		for i := range status.Attempts {
			if told := status.AttemptFailure(&status.Attempts[i]); told == nil || told.Message == "" || told.Reason != status.Attempts[i].Failure.Reason {
				t.Errorf("%s: the failure of attempt %d is %+v", name, i+1, told)
			}
		}
	}
}

func TestTheLastOfTooManyDisruptionsNamesTheNextStep(t *testing.T) {
	w := given(v1alpha1.BuildRunning)
	for i := range int32(maxDisruptions - 1) {
		w.ended(v1alpha1.AttemptDisrupted, v1alpha1.ReasonEvicted.Failure("evicted")).attempt(i + 2)
	}
	status := Next(w.recorded().job().pod(corev1.PodFailed, podReason("Evicted")).Observed).Status
	want := "10 attempts were disrupted, see status.attempts. Build again. The last disruption: pod pod: the kubelet says so"
	if status.Phase != v1alpha1.BuildFailed || status.Failure.Message != want {
		t.Errorf("phase %s, failure %+v", status.Phase, status.Failure)
	}
}

func TestALongFailureDoesNotCutTheTimeOfTheNextAttempt(t *testing.T) {
	w := given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodFailed, exited(75, `{"version":1,"outcome":"Failed","failure":{"message":"`+strings.Repeat("x", 2000)+`"}}`))
	message := meta.FindStatusCondition(Next(w.Observed).Status.Conditions, v1alpha1.BuildPodReady).Message
	if !strings.HasPrefix(message, "next attempt starts at 20") || len(message) > v1alpha1.MaxMessageBytes {
		t.Errorf("%d bytes: %s", len(message), message)
	}
}

func TestWithoutABackoffTheNextAttemptStartsAtOnce(t *testing.T) {
	w := given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodFailed, exited(75, ""))
	w.Build.Spec.Retry.Backoff.Initial = &v1alpha1.Duration{Duration: 0}
	w.Build.Spec.Retry.Backoff.Max = &v1alpha1.Duration{Duration: 0}
	w.Build.Status = Next(w.Observed).Status
	w.Job, w.Pod = nil, nil
	if decision := Next(w.Observed); decision.Status.Phase != v1alpha1.BuildStarting {
		t.Errorf("phase %s, next reconcile after %s", decision.Status.Phase, decision.After)
	}
}
