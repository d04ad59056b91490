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

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/invariants"
	"goldsmith.dev/goldsmith/e2e/require"
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
		require.NoError(t, err)
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
	var violations []string
	for _, versions := range h.builds {
		violations = append(violations, h.ofBuild(versions)...)
		if got := last(versions).Status.Phase; got != want {
			t.Errorf("phase %s, want %s", got, want)
		}
	}
	for _, versions := range h.jobs {
		violations = append(violations, h.ofJob(versions[0])...)
	}
	for _, versions := range h.pods {
		owner := metav1.GetControllerOf(last(versions))
		if owner == nil || h.jobs[owner.UID] == nil {
			t.Errorf("pod %s without its Job", last(versions).Name)
		}
	}
	for _, violation := range violations {
		t.Error(violation)
	}
	if t.Failed() {
		t.Log(h.text())
	}
}

// ofBuild returns the violations by the versions of a build.
func (h *recording) ofBuild(versions []*v1alpha1.ImageBuild) (violations []string) {
	var before *v1alpha1.ImageBuild
	for _, version := range versions {
		violations = append(violations, invariants.Transition(before, version)...)
		for _, attempt := range version.Status.Attempts {
			if attempt.Failure != nil && attempt.Failure.Reason == v1alpha1.ReasonJobConflict {
				violations = append(violations, fmt.Sprintf("attempt %d does not recognize its own Job: %s", attempt.Number, attempt.Failure.Message))
			}
		}
		before = version
	}
	atEnd := invariants.End(last(versions), func(uid types.UID) *corev1.Pod {
		if h.pods[uid] == nil {
			violations = append(violations, fmt.Sprintf("no pod %s of the attempt that succeeded", uid))
			return nil
		}
		return last(h.pods[uid])
	})
	return append(violations, atEnd...)
}

// ofJob returns the violations by a created Job: its attempt was stored before, and so was the outcome of the previous attempt.
func (h *recording) ofJob(job *batchv1.Job) []string {
	before := map[types.UID]*v1alpha1.ImageBuild{}
	for uid, versions := range h.builds {
		for _, build := range versions {
			if version(build) < version(job) {
				before[uid] = build
			}
		}
	}
	build, violations := invariants.Owner(job, before)
	if build == nil {
		return violations
	}
	_, violations = invariants.Attempt(job, build)
	return violations
}

// text returns a line for each version of each object.
func (h *recording) text() string {
	text := ""
	add := func(object metav1.Object, status any) {
		content, err := json.Marshal(status)
		text += fmt.Sprintf("\n%s %T %s %s %v", object.GetResourceVersion(), object, object.GetName(), content, err)
	}
	for _, builds := range h.builds {
		for _, build := range builds {
			add(build, build.Status)
		}
	}
	for _, jobs := range h.jobs {
		for _, job := range jobs {
			add(job, job.Status)
		}
	}
	for _, pods := range h.pods {
		for _, pod := range pods {
			add(pod, pod.Status)
		}
	}
	if h.image != nil {
		add(h.image, h.image.Status)
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
