// SPDX-License-Identifier: Apache-2.0

package state

import (
	"flag"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/internal/states"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestStatesAreWhatClientsTakeThemFor shows the state of a build after each step to kstatus, which Flux, Helm and kpt wait with.
func TestStatesAreWhatClientsTakeThemFor(t *testing.T) {
	inProgress := states.Clients{Kstatus: "InProgress", ArgoCD: "Progressing"}
	current := states.Clients{Kstatus: "Current", ArgoCD: "Healthy"}
	failed := states.Clients{Kstatus: "Failed", ArgoCD: "Degraded"}
	for name, tt := range map[string]struct {
		before *scenario // nil: a build that was just created
		want   states.Clients
		phase  v1alpha1.BuildPhase
	}{
		"created":   {nil, inProgress, v1alpha1.BuildPending},
		"queued":    {given(v1alpha1.BuildPending).with(func(w *scenario) { w.Resolved, w.Admission.Message = resolved, "limit reached" }), inProgress, v1alpha1.BuildQueued},
		"starting":  {given(v1alpha1.BuildPending).with(func(w *scenario) { w.Resolved, w.Admission.Admitted = resolved, true }), inProgress, v1alpha1.BuildStarting},
		"running":   {given(v1alpha1.BuildStarting).job().pod(corev1.PodRunning, running()), inProgress, v1alpha1.BuildRunning},
		"retrying":  {given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodFailed, exited(75, "")), inProgress, v1alpha1.BuildRetrying},
		"succeeded": {given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodSucceeded, exited(0, goodResult)), current, v1alpha1.BuildSucceeded},
		"failed":    {given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodFailed, exited(1, "")), failed, v1alpha1.BuildFailed},
		"cancelled": {given(v1alpha1.BuildQueued).cancelRequested(), failed, v1alpha1.BuildCancelled},
		"deleted": {given(v1alpha1.BuildQueued).with(func(w *scenario) {
			w.Build.DeletionTimestamp = new(metav1.NewTime(t0.Add(time.Second)))
		}), states.Clients{Kstatus: "Terminating", ArgoCD: "Progressing"}, v1alpha1.BuildCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			before := tt.before
			if before == nil {
				before = given(v1alpha1.BuildPending)
			}
			build := before.Build.DeepCopy()
			build.Status.Conditions = FirstConditions(build.CreationTimestamp)
			if tt.before != nil {
				for i := range build.Status.Conditions {
					build.Status.Conditions[i].ObservedGeneration = build.Generation
				}
				before.Build = build
				build.Status = Next(before.Observed).Status
			}
			if build.Status.Phase != tt.phase {
				t.Fatalf("phase %s, want %s: %+v", build.Status.Phase, tt.phase, build.Status)
			}
			build.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ImageBuild"}
			states.Check(t, name, build, tt.want, *update)
		})
	}
}
