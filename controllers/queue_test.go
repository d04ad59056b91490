// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers"
	"goldsmith.dev/goldsmith/controllers/internal/apitest"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/queue"
	"goldsmith.dev/goldsmith/jobs/render"
)

// fromTheStart begins a watch with the existing objects.
func fromTheStart() metav1.ListOptions {
	return metav1.ListOptions{SendInitialEvents: new(true), AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan}
}

// runJobs has the pods of Jobs succeed, one each time that it is let, as long as the test runs.
func runJobs(t *testing.T, server *apitest.Server, let <-chan struct{}) {
	t.Helper()
	g := NewWithT(t)
	kube := kubernetes.NewForConfigOrDie(server.Config("kubelet"))
	jobs, err := kube.BatchV1().Jobs(metav1.NamespaceAll).Watch(t.Context(), fromTheStart())
	g.Expect(err).NotTo(HaveOccurred())
	ended := make(chan struct{})
	t.Cleanup(func() {
		jobs.Stop()
		<-ended
	})
	ctx := context.WithoutCancel(t.Context())
	go func() {
		defer close(ended)
		for event := range jobs.ResultChan() {
			if job, ok := event.Object.(*batchv1.Job); ok && event.Type == watch.Added {
				select {
				case <-let:
				case <-t.Context().Done():
					return
				}
				_, _ = kube.CoreV1().Pods(job.Namespace).Create(ctx, succeededPod(job), metav1.CreateOptions{}) // or the test waits in vain
			}
		}
	}()
}

func succeededPod(job *batchv1.Job) *corev1.Pod {
	message := fmt.Sprintf(`{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","file":"disk","digest":"sha256:%064d","sizeBytes":0}]}`, 0)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: job.Name, Labels: maps.Clone(job.Spec.Template.Labels), Annotations: job.Spec.Template.Annotations}}
	pod.Labels[batchv1.JobNameLabel], pod.Labels[batchv1.ControllerUidLabel] = job.Name, string(job.UID) // as the Job controller does
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))}
	pod.Spec = job.Spec.Template.Spec
	pod.Status.Phase = corev1.PodSucceeded
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name:  render.ContainerName,
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{StartedAt: metav1.Now(), Message: message}},
	}}
	return pod
}

// numbered is a build of an Image, whose builds come one after the other.
func numbered(image string, number int64) *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", image, number), CreationTimestamp: metav1.Now()}}
	build.Spec.ImageRef = &v1alpha1.ImageReference{Name: image, UID: types.UID(image)}
	build.Spec.Number, build.Spec.RunPolicy = &number, v1alpha1.RunPolicySerial
	build.Spec.Inputs = v1alpha1.BuildInputs{
		Builder: v1alpha1.BuilderReference{Name: "mock"},
		Base:    v1alpha1.Base{Reference: "debian:bookworm"},
		Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
	}
	build.Status.Phase = v1alpha1.BuildPending
	return build
}

// history follows the builds as they are stored, version by version.
type history struct {
	t        *testing.T
	active   map[string]int64 // numbers by Image
	finished map[string]int64
	count    int
}

// add reports whether a build has become active.
func (h *history) add(build *v1alpha1.ImageBuild, limit int) (started bool) {
	image, number := build.Spec.ImageRef.Name, *build.Spec.Number
	switch phase := build.Status.Phase; {
	case phase.Active():
		if other := h.active[image]; other != 0 && other != number {
			h.t.Errorf("%s is active beside number %d", build.Name, other)
		}
		started = h.active[image] == 0
		if started && h.finished[image] != number-1 {
			h.t.Errorf("%s starts, and number %d was the last to finish", build.Name, h.finished[image])
		}
		if h.active[image] = number; len(h.active) > limit {
			h.t.Errorf("%v are active at the same time", h.active)
		}
	case phase == v1alpha1.BuildSucceeded && h.finished[image] < number:
		delete(h.active, image)
		h.finished[image] = number
		h.count++
	case phase.Finished() && phase != v1alpha1.BuildSucceeded:
		h.t.Errorf("%s is %s: %+v", build.Name, phase, build.Status.Failure)
		h.count++
	}
	return started
}

// TestLimitsHoldWhileControllersComeAndGo has processes that are stopped one after the other build several Images.
func TestLimitsHoldWhileControllersComeAndGo(t *testing.T) {
	const perImage, limit, perProcess = 6, 2, 3
	g := NewWithT(t)
	server := cluster(t)
	let := make(chan struct{}, perImage*3)
	runJobs(t, server, let)
	builds := versioned.NewForConfigOrDie(server.Config("test")).ImagesV1alpha1().ImageBuilds("default")
	stored, err := builds.Watch(t.Context(), fromTheStart())
	g.Expect(err).NotTo(HaveOccurred())
	defer stored.Stop()
	names := strings.Fields("web db cache")
	for number := int64(perImage); number > 0; number-- { // the later ones are known first
		for _, image := range names {
			_, err := builds.Create(t.Context(), numbered(image, number), metav1.CreateOptions{})
			g.Expect(err).NotTo(HaveOccurred())
		}
	}
	limited := func(options *controllers.Options) {
		options.Builders = inputs.Builders{Registered: map[string]inputs.Builder{"mock": {Image: "mock"}}}
		options.Queue = queue.Limits{Builds: limit}
	}
	running, next := start(t, server, "process-0", limited), 1
	past := &history{t: t, active: map[string]int64{}, finished: map[string]int64{}}
	for past.count < perImage*len(names) {
		before := past.count
		var event watch.Event
		g.Eventually(stored.ResultChan(), patience).Should(Receive(&event), "%d builds have finished", past.count)
		if build, ok := event.Object.(*v1alpha1.ImageBuild); ok && event.Type != watch.Bookmark {
			if past.add(build, limit) {
				let <- struct{}{}
			}
		}
		if past.count > before && past.count%perProcess == 0 {
			// The new process waits for its election and fills its cache. Active builds stay active, because no Job can end meanwhile.
			after := start(t, server, fmt.Sprintf("process-%d", next), limited)
			running.stop()
			running, next = after, next+1
		}
	}
}
