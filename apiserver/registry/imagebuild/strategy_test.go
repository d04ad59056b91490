// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/state"
)

// attest gives a status what the attest subresource stores.
func attest(status *v1alpha1.ImageBuildStatus, reason string) {
	status.Attestation = &v1alpha1.Attestation{Attempt: 1}
	status.Conditions = append(status.Conditions, metav1.Condition{Type: v1alpha1.BuildAttested, Reason: reason})
}

// TestAStatusKeepsWhatWasReported writes the status of a build whose builder has reported two stages.
func TestAStatusKeepsWhatWasReported(t *testing.T) {
	start, end := metav1.Unix(1, 0), metav1.Unix(2, 0)
	stored := func() v1alpha1.ImageBuildStatus {
		return v1alpha1.ImageBuildStatus{
			Phase:    v1alpha1.BuildRunning,
			Attempts: []v1alpha1.BuildAttempt{{Number: 1, PodUID: "pod"}},
			Progress: &v1alpha1.BuildProgress{Stage: "packages", Percent: new(int32(40)), Attempt: 1},
			Stages:   []v1alpha1.BuildStage{{Name: "fetch", StartTime: start, CompletionTime: &start}, {Name: "packages", StartTime: start}},
		}
	}
	ended := stored()
	ended.Stages[1].CompletionTime = &end
	for name, test := range map[string]struct {
		before func(*v1alpha1.ImageBuildStatus)
		change func(*v1alpha1.ImageBuildStatus)
		want   func(*v1alpha1.ImageBuildStatus)
	}{
		"another progress": {
			change: func(s *v1alpha1.ImageBuildStatus) { s.Progress.Percent = new(int32(100)) },
		},
		"no progress": {
			change: func(s *v1alpha1.ImageBuildStatus) { s.Progress, s.Stages = nil, nil },
		},
		"the end of the last stage": {
			change: func(s *v1alpha1.ImageBuildStatus) { s.Stages = ended.Stages },
			want:   func(s *v1alpha1.ImageBuildStatus) { s.Stages = ended.Stages },
		},
		"another end of the last stage": {
			before: func(s *v1alpha1.ImageBuildStatus) { s.Stages[1].CompletionTime = &start },
			change: func(s *v1alpha1.ImageBuildStatus) { s.Stages[1].CompletionTime = &end },
			want:   func(s *v1alpha1.ImageBuildStatus) { s.Stages[1].CompletionTime = &start },
		},
		"another end of an earlier stage": {
			change: func(s *v1alpha1.ImageBuildStatus) { s.Stages[0].CompletionTime = &end },
		},
		"another name of the last stage": {
			change: func(s *v1alpha1.ImageBuildStatus) { s.Stages[1].Name, s.Stages[1].CompletionTime = "other", &end },
		},
		"a stage more": {
			change: func(s *v1alpha1.ImageBuildStatus) { s.Stages = append(s.Stages, v1alpha1.BuildStage{Name: "upload"}) },
		},
		"a stage where there was none": {
			before: func(s *v1alpha1.ImageBuildStatus) { s.Progress, s.Stages = nil, nil },
			want:   func(s *v1alpha1.ImageBuildStatus) { s.Progress, s.Stages = nil, nil },
		},
		"another attempt": {
			change: func(s *v1alpha1.ImageBuildStatus) { s.Attempts = append(s.Attempts, v1alpha1.BuildAttempt{Number: 2}) },
			want: func(s *v1alpha1.ImageBuildStatus) {
				s.Attempts = append(s.Attempts, v1alpha1.BuildAttempt{Number: 2})
				s.Progress, s.Stages = nil, nil
			},
		},
		"the first pod of an attempt": {
			before: func(s *v1alpha1.ImageBuildStatus) { s.Attempts[0].PodUID = "" },
			want:   func(*v1alpha1.ImageBuildStatus) {},
		},
		"no pod any more": {
			change: func(s *v1alpha1.ImageBuildStatus) { s.Attempts[0].PodUID = "" },
			want: func(s *v1alpha1.ImageBuildStatus) {
				s.Attempts[0].PodUID, s.Progress, s.Stages = "", nil, nil
			},
		},
		"a success": {
			change: func(s *v1alpha1.ImageBuildStatus) { s.Phase = v1alpha1.BuildSucceeded },
			want: func(s *v1alpha1.ImageBuildStatus) {
				s.Phase, s.Finished, s.Progress.Percent = v1alpha1.BuildSucceeded, true, new(int32(100))
			},
		},
		"no statements any more": {
			before: func(s *v1alpha1.ImageBuildStatus) { attest(s, v1alpha1.ReasonSigned) },
			want:   func(s *v1alpha1.ImageBuildStatus) { attest(s, v1alpha1.ReasonSigned) },
		},
		"statements where there were none": {
			change: func(s *v1alpha1.ImageBuildStatus) { attest(s, v1alpha1.ReasonSigned) },
			want:   func(s *v1alpha1.ImageBuildStatus) { s.Conditions = []metav1.Condition{} },
		},
		"the end of a build that waits for the signer": {
			before: func(s *v1alpha1.ImageBuildStatus) { attest(s, v1alpha1.ReasonWaitingForSigner) },
			change: func(s *v1alpha1.ImageBuildStatus) { s.Phase = v1alpha1.BuildFailed },
			want: func(s *v1alpha1.ImageBuildStatus) {
				attest(s, v1alpha1.ReasonWaitingForSigner)
				s.Phase, s.Finished, s.Conditions = v1alpha1.BuildFailed, true, []metav1.Condition{}
			},
		},
		"another attempt after statements": {
			before: func(s *v1alpha1.ImageBuildStatus) { attest(s, v1alpha1.ReasonSigned) },
			change: func(s *v1alpha1.ImageBuildStatus) {
				attest(s, v1alpha1.ReasonSigned)
				s.Attempts = append(s.Attempts, v1alpha1.BuildAttempt{Number: 2})
			},
			want: func(s *v1alpha1.ImageBuildStatus) {
				s.Attempts = append(s.Attempts, v1alpha1.BuildAttempt{Number: 2})
				s.Progress, s.Stages, s.Conditions = nil, nil, []metav1.Condition{}
			},
		},
		"an attempt that tests, after statements": {
			before: func(s *v1alpha1.ImageBuildStatus) { attest(s, v1alpha1.ReasonSigned) },
			change: func(s *v1alpha1.ImageBuildStatus) {
				s.Attempts = append(s.Attempts, v1alpha1.BuildAttempt{Number: 2, Tests: []string{"boots"}})
			},
			want: func(s *v1alpha1.ImageBuildStatus) {
				attest(s, v1alpha1.ReasonSigned)
				s.Attempts = append(s.Attempts, v1alpha1.BuildAttempt{Number: 2, Tests: []string{"boots"}})
				s.Progress, s.Stages = nil, nil
			},
		},
		"a failure": {
			change: func(s *v1alpha1.ImageBuildStatus) { s.Phase = v1alpha1.BuildFailed },
			want:   func(s *v1alpha1.ImageBuildStatus) { s.Phase, s.Finished = v1alpha1.BuildFailed, true },
		},
		"no attempt any more": { // which validation refuses
			change: func(s *v1alpha1.ImageBuildStatus) { s.Attempts = nil },
			want:   func(s *v1alpha1.ImageBuildStatus) { s.Attempts = nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			old, build, want := stored(), stored(), stored()
			for status, change := range map[*v1alpha1.ImageBuildStatus]func(*v1alpha1.ImageBuildStatus){&old: test.before, &build: test.change, &want: test.want} {
				if change != nil {
					change(status)
				}
			}
			object := &v1alpha1.ImageBuild{Status: build}
			newStatusStrategy(runtime.NewScheme()).PrepareForUpdate(t.Context(), object, &v1alpha1.ImageBuild{Status: old})
			if diff := cmp.Diff(want, object.Status); diff != "" {
				t.Errorf("the status is not what it should be (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheStatusOfASuspendedBuildIsStoredAsItIs writes the state machine's status of a running build whose Job was
// suspended.
func TestTheStatusOfASuspendedBuildIsStoredAsItIs(t *testing.T) {
	start := metav1.Unix(1, 0)
	running := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "debian-1", Namespace: "default", UID: "uid"}}
	running.Spec.Inputs.Builder.Name = "mock"
	v1alpha1.SetObjectDefaults_ImageBuild(running)
	running.Status = v1alpha1.ImageBuildStatus{
		Phase: v1alpha1.BuildRunning, StartTime: &start, CurrentAttempt: 1,
		Resolved: &v1alpha1.ResolvedInputs{InputsDigest: "sha256:" + strings.Repeat("a", 64)},
		Attempts: []v1alpha1.BuildAttempt{{
			Number: 1, JobName: render.JobName(running, 1), JobUID: "job", PodName: "pod", PodUID: "pod", NodeName: "node", StartTime: start,
		}},
		Progress: &v1alpha1.BuildProgress{Stage: "packages", Attempt: 1},
		Stages:   []v1alpha1.BuildStage{{Name: "packages", StartTime: start}},
	}
	job, err := render.Job(running, 1, inputs.Builder{Image: "mock-builder:v1"})
	require.NoError(t, err)
	job.UID, job.Spec.Suspend = "job", new(true)

	held := running.DeepCopy()
	held.Status = state.Next(state.Observed{Build: running, Job: job, Now: time.Unix(60, 0)}).Status
	if held.Status.Phase != v1alpha1.BuildQueued || held.Status.Progress != nil {
		t.Fatalf("the build is %s, with progress %v", held.Status.Phase, held.Status.Progress)
	}
	stored, written := running.DeepCopy(), held.DeepCopy()
	want := written.Status.DeepCopy()
	strategy := newStatusStrategy(runtime.NewScheme())
	strategy.PrepareForUpdate(t.Context(), written, stored)
	if diff := cmp.Diff(*want, written.Status); diff != "" {
		t.Errorf("it is not stored as it was written (-want +got):\n%s", diff)
	}
	if errs := strategy.ValidateUpdate(t.Context(), written, stored); len(errs) > 0 {
		t.Errorf("it is refused: %v", errs)
	}
}

// TestAStatusKeepsTheDigestOfTheBase writes what the inputs resolved to, as clients do that know no digest of a base.
