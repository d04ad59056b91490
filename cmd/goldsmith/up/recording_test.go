// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// recording holds every stored version of the objects in a namespace.
type recording struct {
	mutex   sync.Mutex
	image   *v1alpha1.Image
	builds  map[types.UID][]*v1alpha1.ImageBuild
	jobs    map[types.UID][]*batchv1.Job
	pods    map[types.UID][]*corev1.Pod
	settled chan struct{}
	once    sync.Once
}

// record watches a namespace until ctx is done. If cancel is set, it also cancels each build once the build runs.
func (l *laboratory) record(ctx context.Context, t *testing.T, namespace string, cancel bool) *recording {
	t.Helper()
	h := &recording{
		builds: map[types.UID][]*v1alpha1.ImageBuild{}, jobs: map[types.UID][]*batchv1.Job{}, pods: map[types.UID][]*corev1.Pod{},
		settled: make(chan struct{}),
	}
	all := metav1.ListOptions{}
	for _, start := range []func() (watch.Interface, error){
		func() (watch.Interface, error) { return l.images.ImagesV1alpha1().Images(namespace).Watch(ctx, all) },
		func() (watch.Interface, error) {
			return l.images.ImagesV1alpha1().ImageBuilds(namespace).Watch(ctx, all)
		},
		func() (watch.Interface, error) { return l.kube.BatchV1().Jobs(namespace).Watch(ctx, all) },
		func() (watch.Interface, error) { return l.kube.CoreV1().Pods(namespace).Watch(ctx, all) },
	} {
		watcher, err := start()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer watcher.Stop()
			for event := range watcher.ResultChan() {
				h.add(event)
				build, ok := event.Object.(*v1alpha1.ImageBuild)
				if !ok || !cancel || build.Status.Phase != v1alpha1.BuildRunning {
					continue
				}
				if _, err := l.images.ImagesV1alpha1().ImageBuilds(namespace).Cancel(ctx, build.Name, &v1alpha1.CancelRequest{}, metav1.CreateOptions{}); err != nil && ctx.Err() == nil {
					t.Errorf("cancelling %s: %v", build.Name, err)
				}
			}
		}()
	}
	return h
}

func (h *recording) add(event watch.Event) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	switch object := event.Object.(type) {
	case *v1alpha1.Image:
		h.image = object
	case *v1alpha1.ImageBuild:
		h.builds[object.UID] = append(h.builds[object.UID], object)
	case *batchv1.Job:
		h.jobs[object.UID] = append(h.jobs[object.UID], object)
	case *corev1.Pod:
		h.pods[object.UID] = append(h.pods[object.UID], object)
	}
	if h.isSettled() {
		h.once.Do(func() { close(h.settled) })
	}
}

// isSettled reports whether nothing remains to be written.
func (h *recording) isSettled() bool {
	if h.image == nil || !meta.IsStatusConditionFalse(h.image.Status.Conditions, v1alpha1.ImageBuilding) {
		return false
	}
	for _, versions := range h.builds {
		build := last(versions)
		if !build.Status.Finished || h.image.Status.CountedBuild < *build.Spec.Number {
			return false
		}
	}
	for _, versions := range h.jobs {
		job := last(versions)
		if job.DeletionTimestamp == nil && !slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed
		}) {
			return false
		}
	}
	return len(h.builds) > 0
}

// check checks the rules for every life, with and without a crash.
func (h *recording) check(t *testing.T, want v1alpha1.BuildPhase) {
	t.Helper()
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if len(h.builds) != 1 {
		t.Errorf("%d builds of the same inputs", len(h.builds))
	}
	for _, versions := range h.builds {
		h.checkBuild(t, versions)
		if got := last(versions).Status.Phase; got != want {
			t.Errorf("phase %s, want %s", got, want)
		}
	}
	for _, versions := range h.jobs {
		h.checkJob(t, last(versions))
	}
	for _, versions := range h.pods {
		owner := metav1.GetControllerOf(last(versions))
		if owner == nil || h.jobs[owner.UID] == nil {
			t.Errorf("pod %s without its Job", last(versions).Name)
		}
	}
	if t.Failed() {
		t.Log(h.text())
	}
}

// checkBuild checks that attempts follow each other and recognize their Jobs, that the end is written once, and that the digest is the builder's.
func (h *recording) checkBuild(t *testing.T, versions []*v1alpha1.ImageBuild) {
	t.Helper()
	for i, version := range versions {
		attempts := version.Status.Attempts
		for n, attempt := range attempts {
			if n+1 < len(attempts) && attempt.Outcome == "" {
				t.Errorf("attempt %d was started before the outcome of attempt %d was stored", n+2, n+1)
			}
			if attempt.Failure != nil && attempt.Failure.Reason == v1alpha1.ReasonJobConflict {
				t.Errorf("attempt %d does not recognize its own Job: %s", n+1, attempt.Failure.Message)
			}
		}
		if i > 0 && versions[i-1].Status.Finished && !cmp.Equal(versions[i-1].Status, version.Status) {
			t.Errorf("changed after its end: %s", cmp.Diff(versions[i-1].Status, version.Status))
		}
	}
	end := last(versions)
	if end.Status.Phase != v1alpha1.BuildSucceeded {
		return
	}
	attempt := last(end.Status.Attempts)
	pod := h.pods[attempt.PodUID]
	if pod == nil {
		t.Fatalf("no pod of the attempt that succeeded: %+v", attempt)
	}
	var result struct {
		Artifacts []struct{ Digest string }
	}
	for _, version := range pod {
		for _, container := range version.Status.ContainerStatuses {
			if ended := container.State.Terminated; ended != nil {
				if err := json.Unmarshal([]byte(ended.Message), &result); err != nil {
					t.Errorf("result of pod %s: %v", version.Name, err)
				}
			}
		}
	}
	if len(result.Artifacts) != 1 || result.Artifacts[0].Digest != end.Status.Artifacts[0].Digest {
		t.Errorf("status says %v, the builder said %v", end.Status.Artifacts, result.Artifacts)
	}
}

// checkJob checks that a Job was created after its attempt was stored, and after the outcome of the previous attempt.
func (h *recording) checkJob(t *testing.T, job *batchv1.Job) {
	t.Helper()
	owner := metav1.GetControllerOf(job)
	if owner == nil || h.builds[owner.UID] == nil {
		t.Errorf("Job %s without its build", job.Name)
		return
	}
	created := version(h.jobs[job.UID][0])
	number, err := strconv.Atoi(job.Labels[v1alpha1.LabelAttempt])
	if err != nil {
		t.Errorf("Job %s: %v", job.Name, err)
		return
	}
	intended, over := false, number == 1
	for _, build := range h.builds[owner.UID] {
		if version(build) > created {
			break
		}
		for _, attempt := range build.Status.Attempts {
			intended = intended || int(attempt.Number) == number && attempt.JobName == job.Name
			over = over || int(attempt.Number) == number-1 && attempt.Outcome != ""
		}
	}
	if !intended {
		t.Errorf("Job %s was created before its attempt was stored", job.Name)
	}
	if !over {
		t.Errorf("Job %s was created before the outcome of the attempt before it was stored", job.Name)
	}
}

func (h *recording) text() string {
	text := ""
	for _, versions := range h.builds {
		for _, build := range versions {
			text += fmt.Sprintf("\n%s %s %s", build.ResourceVersion, build.Name, build.Status.Phase)
			for _, attempt := range build.Status.Attempts {
				text += fmt.Sprintf(" [%d %s", attempt.Number, attempt.Outcome)
				if attempt.Failure != nil {
					text += fmt.Sprintf(" %s: %s", attempt.Failure.Reason, attempt.Failure.Message)
				}
				text += "]"
			}
		}
	}
	for _, versions := range h.jobs {
		for _, job := range versions {
			text += fmt.Sprintf("\n%s Job %s attempt %s %+v", job.ResourceVersion, job.Name, job.Labels[v1alpha1.LabelAttempt], job.Status.Conditions)
		}
	}
	for _, versions := range h.pods {
		for _, pod := range versions {
			text += fmt.Sprintf("\n%s pod %s %s %s %+v", pod.ResourceVersion, pod.Name, pod.Status.Phase, pod.Status.Reason, pod.Status.ContainerStatuses)
		}
	}
	if h.image != nil {
		text += fmt.Sprintf("\n%s image %+v", h.image.ResourceVersion, h.image.Status)
	}
	return text
}

// version orders stored objects: all kinds share the revisions of etcd.
func version(object metav1.Object) int64 {
	n, err := strconv.ParseInt(object.GetResourceVersion(), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func last[T any](versions []T) T { return versions[len(versions)-1] }
