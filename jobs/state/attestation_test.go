// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// attested gives a build statements about its artifact, and the condition Attested.
func attested(status metav1.ConditionStatus, reason string) func(*scenario) {
	return func(w *scenario) {
		w.Build.Status.Attestation = &v1alpha1.Attestation{Attempt: w.Build.Status.CurrentAttempt, Artifacts: []v1alpha1.AttestedArtifact{{Target: "linux/amd64/raw"}}}
		meta.SetStatusCondition(&w.Build.Status.Conditions, metav1.Condition{Type: v1alpha1.BuildAttested, Status: status, Reason: reason, Message: "SigningKey k has not signed"})
	}
}

// TestStatementsAreAboutTheArtifactsOfOnePod tells what is left of statements and of the condition Attested after the next decision.
func TestStatementsAreAboutTheArtifactsOfOnePod(t *testing.T) {
	suspend := func(job *batchv1.Job) { job.Spec.Suspend = new(true) }
	failed := func() *scenario {
		return given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodFailed, exited(1, ""))
	}
	waiting, signed := attested(metav1.ConditionFalse, v1alpha1.ReasonWaitingForSigner), attested(metav1.ConditionTrue, v1alpha1.ReasonSigned)
	for name, test := range map[string]struct {
		given     *scenario
		phase     v1alpha1.BuildPhase
		kept      bool
		condition string
	}{
		"the pod runs": {given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodRunning, running()).with(waiting), v1alpha1.BuildRunning, true, v1alpha1.ReasonWaitingForSigner},
		"the next attempt": {
			given(v1alpha1.BuildRetrying).ended(v1alpha1.AttemptDisrupted, &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure}).with(signed), v1alpha1.BuildStarting, false, "",
		},
		"the Job is suspended":     {given(v1alpha1.BuildRunning).recorded().job(suspend).pod(corev1.PodRunning, running()).with(signed), v1alpha1.BuildQueued, false, ""},
		"a failure while it waits": {failed().with(waiting), v1alpha1.BuildFailed, true, ""},
		"a failure after that":     {failed().with(signed), v1alpha1.BuildFailed, true, v1alpha1.ReasonSigned},
		"a failure without a key": {
			failed().with(attested(metav1.ConditionFalse, string(v1alpha1.ReasonNoSigningKey))), v1alpha1.BuildFailed, true, string(v1alpha1.ReasonNoSigningKey),
		},
		"a success": {
			given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodSucceeded, exited(0, goodResult)).with(signed), v1alpha1.BuildSucceeded, true, v1alpha1.ReasonSigned,
		},
	} {
		t.Run(name, func(t *testing.T) {
			status := Next(test.given.Observed).Status
			var reason string
			if condition := meta.FindStatusCondition(status.Conditions, v1alpha1.BuildAttested); condition != nil {
				reason = condition.Reason
			}
			if status.Phase != test.phase || (status.Attestation != nil) != test.kept || reason != test.condition {
				t.Errorf("%s with %+v and the reason %q", status.Phase, status.Attestation, reason)
			}
		})
	}
}

func TestTheImageOfTheBuilderIsStoredBeforeThePublisherGoesOn(t *testing.T) {
	w := publishes(corev1.PodRunning, terminatedWith(0, fileResult), &corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	w.Pod.Status.InitContainerStatuses[0].ImageID = "registry.example.com/builder@sha256:0"
	decision := Next(w.Observed)
	if got := decision.Status.Attempts[0].BuilderImage; got != "registry.example.com/builder@sha256:0" {
		t.Errorf("the image is %q with the action %q", got, decision.Action)
	}
	w.Build.Status = decision.Status
	w.Pod.Status.InitContainerStatuses[0].ImageID = "another"
	if got := Next(w.Observed).Status.Attempts[0].BuilderImage; got != "registry.example.com/builder@sha256:0" {
		t.Errorf("the image is %q later", got)
	}
}

func TestAPodThatIsEndedWhileItWaitsForTheSigner(t *testing.T) {
	late := publishes(corev1.PodFailed, terminatedWith(0, fileResult), new(terminatedWith(137, ""))).with(attested(metav1.ConditionFalse, v1alpha1.ReasonWaitingForSigner))
	late.Pod.Status.Reason = "DeadlineExceeded"
	status := Next(late.Observed).Status
	if failure := status.Attempts[0].Failure; failure.Reason != v1alpha1.ReasonRunTimeout || !strings.Contains(status.Failure.Message, "were not signed within") ||
		!strings.Contains(status.Failure.Message, "SigningKey k has not signed") {
		t.Errorf("the failure is %+v", status.Failure)
	}
}
