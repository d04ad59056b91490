// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) metav1.Time {
	return metav1.NewTime(noon.Add(time.Duration(seconds) * time.Second))
}

func controlledBy(uid types.UID) []metav1.OwnerReference {
	return []metav1.OwnerReference{{UID: uid, Controller: new(true)}}
}

func newJob(uid types.UID, attempt string, created int) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Name: "web-1-" + attempt, UID: uid, ResourceVersion: "1", OwnerReferences: controlledBy("build"), CreationTimestamp: at(created),
		Labels: map[string]string{v1alpha1.LabelAttempt: attempt},
	}}
}

func newPod(uid, job types.UID, digest string) *corev1.Pod {
	message := `{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","file":"disk","digest":"` + digest + `","sizeBytes":1}]}`
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: string(uid), UID: uid, ResourceVersion: "1", OwnerReferences: controlledBy(job)},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: message}},
		}}},
	}
}

// newHistory is that of an image whose build was disrupted once and then succeeded.
func newHistory() *History {
	h := &History{
		start:  noon,
		images: map[types.UID][]*v1alpha1.Image{}, builds: map[types.UID][]*v1alpha1.ImageBuild{},
		jobs: map[types.UID][]*batchv1.Job{}, pods: map[types.UID][]*corev1.Pod{}, gone: map[types.UID]time.Time{},
	}
	first := v1alpha1.BuildAttempt{Number: 1, JobName: "web-1-1", JobUID: "job-1", PodUID: "pod-1", StartTime: at(0)}
	running := &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", UID: "build", ResourceVersion: "1"},
		Spec:       v1alpha1.ImageBuildSpec{ImageRef: &v1alpha1.ImageReference{Name: "web", UID: "image"}, Number: new(int64(1))},
		Status: v1alpha1.ImageBuildStatus{
			Phase: v1alpha1.BuildRunning, CurrentAttempt: 1, Attempts: []v1alpha1.BuildAttempt{first}, Resolved: &v1alpha1.ResolvedInputs{InputsDigest: "inputs"},
		},
	}
	first.Outcome, first.CompletionTime = v1alpha1.AttemptDisrupted, new(at(5))
	disrupted := running.DeepCopy()
	disrupted.ResourceVersion, disrupted.Status.Attempts[0] = "2", first
	succeeded := disrupted.DeepCopy()
	succeeded.ResourceVersion, succeeded.Status.Phase, succeeded.Status.Finished = "3", v1alpha1.BuildSucceeded, true
	succeeded.Status.CurrentAttempt, succeeded.Status.Attempts = 2, append(succeeded.Status.Attempts, v1alpha1.BuildAttempt{
		Number: 2, JobName: "web-1-2", JobUID: "job-2", PodUID: "pod-2", StartTime: at(5), CompletionTime: new(at(9)), Outcome: v1alpha1.AttemptSucceeded,
	})
	succeeded.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildConditionFinished, Status: metav1.ConditionTrue}}
	succeeded.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: "sha256:good"}}
	for _, version := range []*v1alpha1.ImageBuild{running, disrupted, succeeded} {
		add(h, h.builds, version)
	}
	add(h, h.images, &v1alpha1.Image{
		ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "image", ResourceVersion: "1"}, Status: v1alpha1.ImageStatus{BuildCounter: 1},
	})
	add(h, h.jobs, newJob("job-1", "1", 0))
	add(h, h.jobs, newJob("job-2", "2", 5))
	add(h, h.pods, newPod("pod-1", "job-1", "sha256:early"))
	add(h, h.pods, newPod("pod-2", "job-2", "sha256:good"))
	return h
}

func TestAHistoryAsItShouldBeHasNoViolations(t *testing.T) {
	if violations := newHistory().Violations(); len(violations) > 0 {
		t.Error(violations)
	}
}

// Kubernetes may create a surplus pod of a Job if kube-apiserver is killed.
func TestASurplusPodThatEndsIsNoViolation(t *testing.T) {
	for name, end := range map[string]func(h *History, pod *corev1.Pod){
		"it has succeeded":    func(_ *History, pod *corev1.Pod) { pod.Status.Phase = corev1.PodSucceeded },
		"it has failed":       func(_ *History, pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed },
		"it is being deleted": func(_ *History, pod *corev1.Pod) { pod.DeletionTimestamp = new(at(9)) },
		"it is deleted":       func(h *History, pod *corev1.Pod) { h.gone[pod.UID] = noon },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory()
			surplus := newPod("pod-3", "job-2", "sha256:other")
			add(h, h.pods, surplus)
			end(h, surplus)
			if violations := h.Violations(); len(violations) > 0 {
				t.Error(violations)
			}
		})
	}
}

func TestAnUnfinishedBuildIsDescribedInALine(t *testing.T) {
	h := newHistory()
	if text := h.Unfinished(); text != "" {
		t.Errorf("without an unfinished build: %s", text)
	}
	h.builds["build"] = h.builds["build"][:1]
	build := last(h.builds["build"])
	build.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildPodReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonContainerStarted}}
	last(h.jobs["job-1"]).Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	pod := last(h.pods["pod-1"])
	pod.Labels, pod.Status.Phase = map[string]string{batchv1.JobNameLabel: "web-1-1"}, corev1.PodSucceeded
	h.gone["pod-1"] = noon.Add(time.Second)
	want := "build web-1 is Running: PodReady=True/ContainerStarted; attempt 1, Job web-1-1: Complete=True; pod pod-1: Succeeded (gone 1s after the start)"
	if text := h.Unfinished(); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestWhatMustNotBeIsAViolation(t *testing.T) {
	// second adds another build of the image.
	second := func(h *History, number int64) {
		build := last(h.builds["build"]).DeepCopy()
		build.Name, build.UID, build.Spec.Number, build.Status.Attempts = "web-2", "other", &number, nil
		build.Status.Phase, build.Status.Artifacts = v1alpha1.BuildFailed, nil
		add(h, h.builds, build)
		last(h.images["image"]).Status.BuildCounter = 2
	}
	for want, spoil := range map[string]func(h *History){
		"was lost":                                        func(h *History) { h.gone["build"] = noon },
		"was never built":                                 func(h *History) { delete(h.builds, "build") },
		"counts 2 builds":                                 func(h *History) { last(h.images["image"]).Status.BuildCounter = 2 },
		"second from the same inputs":                     func(h *History) { second(h, 2) },
		"two builds of number 1":                          func(h *History) { second(h, 1) },
		"has not finished":                                func(h *History) { h.builds["build"] = h.builds["build"][:2] },
		"attempt 1 changed after its end":                 func(h *History) { last(h.builds["build"]).Status.Attempts[0].NodeName = "other" },
		"was seen to end":                                 func(h *History) { delete(h.pods, "pod-2") },
		"Job web-1-3 is of no attempt":                    func(h *History) { add(h, h.jobs, newJob("job-3", "3", 9)) },
		"two Jobs for attempt 2":                          func(h *History) { add(h, h.jobs, newJob("job-3", "2", 9)) },
		"and attempt 2 of build web-1 has recorded other": func(h *History) { last(h.builds["build"]).Status.Attempts[1].JobUID = "other" },
		"before the outcome of the attempt":               func(h *History) { last(h.jobs["job-2"]).CreationTimestamp = at(4) },
		"Job web-1-2 was deleted":                         func(h *History) { h.gone["job-2"] = noon },
		"Job web-1-1 belongs to no build":                 func(h *History) { last(h.jobs["job-1"]).OwnerReferences = nil },
		"pod stray without its Job":                       func(h *History) { add(h, h.pods, newPod("stray", "none", "")) },
		"has two pods":                                    func(h *History) { add(h, h.pods, newPod("pod-3", "job-2", "sha256:good")) }, // pod-3 may run
	} {
		t.Run(want, func(t *testing.T) {
			h := newHistory()
			spoil(h)
			if violations := strings.Join(h.Violations(), "\n"); !strings.Contains(violations, want) {
				t.Errorf("violations: %s", violations)
			}
			if h.String() == "" {
				t.Error("the history has no text")
			}
		})
	}
}
