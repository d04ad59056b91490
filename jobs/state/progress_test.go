// SPDX-License-Identifier: Apache-2.0

package state

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// reported lets the builder have said that it is in its second stage.
func (w *scenario) reported() *scenario {
	first, second := metav1.NewTime(t0.Add(time.Second)), metav1.NewTime(t0.Add(2*time.Second))
	w.Build.Status.Progress = &v1alpha1.BuildProgress{Stage: "install", Percent: new(int32(40)), Attempt: w.Build.Status.CurrentAttempt}
	w.Build.Status.Stages = []v1alpha1.BuildStage{{Name: "fetch", StartTime: first, CompletionTime: &second}, {Name: "install", StartTime: second}}
	return w
}

func TestTheLastStageEndsWithItsAttempt(t *testing.T) {
	for name, w := range map[string]*scenario{
		"succeeded": given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodSucceeded, exited(0, goodResult)),
		"failed":    given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodFailed, exited(1, "")),
		"retried":   given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodFailed, exited(75, "")),
		"disrupted": given(v1alpha1.BuildRunning).recorded().job(),
		"cancelled": given(v1alpha1.BuildCancelling).recorded().job().pod(corev1.PodFailed, exited(143, "")).cancelRequested(),
	} {
		t.Run(name, func(t *testing.T) {
			before := w.reported().Build.Status.DeepCopy()
			status := Next(w.Observed).Status
			if status.Attempts[0].Outcome == "" {
				t.Fatalf("the attempt does not end: %s", status.Phase)
			}
			last := status.Stages[1]
			if last.CompletionTime == nil || !last.CompletionTime.Equal(status.Attempts[0].CompletionTime) {
				t.Errorf("the last stage ended at %v, its attempt at %v", last.CompletionTime, status.Attempts[0].CompletionTime)
			}
			if diff := cmp.Diff(before.Stages[0], status.Stages[0]); diff != "" {
				t.Errorf("a stage that had ended was changed:\n%s", diff)
			}
			if diff := cmp.Diff(before.Progress, status.Progress); diff != "" {
				t.Errorf("what was said last was changed:\n%s", diff)
			}
		})
	}
}

func TestAnAttemptThatEndsInNoStage(t *testing.T) {
	status := Next(given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodFailed, exited(1, "")).Observed).Status
	if len(status.Stages) != 0 {
		t.Errorf("stages %v", status.Stages)
	}
}

func TestTheNextAttemptBeginsWithoutProgress(t *testing.T) {
	w := given(v1alpha1.BuildRetrying).reported().ended(v1alpha1.AttemptDisrupted, &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure})
	status := Next(w.Observed).Status
	if status.CurrentAttempt != 2 || status.Progress != nil || status.Stages != nil {
		t.Errorf("attempt %d begins with %+v and %v", status.CurrentAttempt, status.Progress, status.Stages)
	}
}

// The pod that takes the place of a suspended one begins anew, and a stage that was left is not entered again.
func TestAPodThatWasSuspendedTakesItsProgressWithIt(t *testing.T) {
	suspend := func(job *batchv1.Job) { job.Spec.Suspend = new(true) }
	status := Next(given(v1alpha1.BuildRunning).recorded().reported().job(suspend).pod(corev1.PodRunning, running()).Observed).Status
	if status.Phase != v1alpha1.BuildQueued || status.Progress != nil || status.Stages != nil {
		t.Errorf("%s with %+v and %v", status.Phase, status.Progress, status.Stages)
	}
}
