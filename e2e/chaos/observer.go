// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// observer compares the objects of an API with their earlier versions:
//
//   - Attempts are numbered from 1, and each attempt begins after the outcome of the previous attempt.
//   - The end of a build or of an attempt is written once.
//   - At most one container of a build runs, apart from containers on a node that is recorded as lost.
//
// After a restoration from a backup the observer starts anew.
type observer struct {
	api *api

	mutex    sync.Mutex
	epoch    int64 // how often the server was restored
	seen     map[types.UID]v1alpha1.ImageBuildStatus
	jobs     map[types.UID]types.UID // the build of each Job
	known    map[types.UID]bool      // all builds and pods ever
	podCount int
	problems []string
}

func newObserver(reached *api) *observer {
	return &observer{api: reached, seen: map[types.UID]v1alpha1.ImageBuildStatus{}, jobs: map[types.UID]types.UID{}, known: map[types.UID]bool{}}
}

func (o *observer) violate(format string, arguments ...any) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.add(format, arguments...)
}

func (o *observer) add(format string, arguments ...any) {
	if text := fmt.Sprintf(format, arguments...); !slices.Contains(o.problems, text) {
		o.problems = append(o.problems, text)
	}
}

func (o *observer) violations() []string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return slices.Clone(o.problems)
}

func (o *observer) builds() int {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return len(o.known) - o.podCount
}

func (o *observer) pods() int {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.podCount
}

func (o *observer) restorations() int64 { return o.api.restored.Load() }

// run observes until ctx is done. An API that does not answer is observed again later.
func (o *observer) run(ctx context.Context) {
	for ctx.Err() == nil {
		o.observe(ctx)
		select {
		case <-time.After(o.api.observeEvery):
		case <-ctx.Done():
		}
	}
}

func (o *observer) observe(ctx context.Context) {
	epoch := o.api.restored.Load()
	// Pods first: a pod that follows a lost one is there only after the loss was recorded.
	pods, err := o.api.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	jobs, err := o.api.kube.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	builds, err := o.api.images.ImagesV1alpha1().ImageBuilds(namespace).List(ctx, metav1.ListOptions{})
	if err != nil || o.api.restored.Load() != epoch {
		return // some of it may be of before the restoration, some of after it
	}
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if epoch != o.epoch {
		clear(o.seen)
		o.epoch = epoch
	}
	lost := map[types.UID]bool{}
	for i := range builds.Items {
		o.observeBuild(&builds.Items[i])
		for _, attempt := range builds.Items[i].Status.Attempts {
			if attempt.Failure != nil && attempt.Failure.Reason == v1alpha1.ReasonNodeLost {
				lost[attempt.PodUID] = true
			}
		}
	}
	for i := range jobs.Items {
		if owner := metav1.GetControllerOf(&jobs.Items[i]); owner != nil {
			o.jobs[jobs.Items[i].UID] = owner.UID
		}
	}
	o.observePods(pods.Items, lost)
}

func (o *observer) observeBuild(build *v1alpha1.ImageBuild) {
	o.known[build.UID] = true
	before, was := o.seen[build.UID]
	o.seen[build.UID] = build.Status
	for i, attempt := range build.Status.Attempts {
		if int(attempt.Number) != i+1 {
			o.add("build %s: attempt %d is in place %d", build.Name, attempt.Number, i+1)
		}
		if i+1 < len(build.Status.Attempts) && attempt.Outcome == "" {
			o.add("build %s: attempt %d began before the outcome of attempt %d", build.Name, i+2, i+1)
		}
	}
	if !was {
		return
	}
	if at, now := ending(before), ending(build.Status); before.Finished && !cmp.Equal(at, now) {
		o.add("build %s changed after its end: %s", build.Name, cmp.Diff(at, now))
	}
	for i, attempt := range before.Attempts {
		switch {
		case i >= len(build.Status.Attempts):
			o.add("build %s: attempt %d was forgotten", build.Name, i+1)
		case attempt.Outcome != "" && !cmp.Equal(attempt, build.Status.Attempts[i]):
			o.add("build %s: attempt %d changed after its end: %s", build.Name, i+1, cmp.Diff(attempt, build.Status.Attempts[i]))
		}
	}
}

// ending is a status without the conditions that change after the build has finished.
func ending(status v1alpha1.ImageBuildStatus) v1alpha1.ImageBuildStatus {
	status.Conditions = slices.DeleteFunc(slices.Clone(status.Conditions), func(condition metav1.Condition) bool {
		return condition.Type == v1alpha1.BuildLogArchived || condition.Type == v1alpha1.BuildRecorded
	})
	return status
}

func (o *observer) observePods(pods []corev1.Pod, lost map[types.UID]bool) {
	running := map[types.UID]string{}
	for i := range pods {
		pod := &pods[i]
		if !o.known[pod.UID] {
			o.known[pod.UID] = true
			o.podCount++
		}
		build := o.jobs[types.UID(pod.Labels["batch.kubernetes.io/controller-uid"])]
		if build == "" || lost[pod.UID] || !podRuns(pod) {
			continue
		}
		if other, found := running[build]; found {
			o.add("two pods of a build run: %s and %s", other, pod.Name)
		}
		running[build] = pod.Name
	}
}

func podRuns(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.State.Running != nil })
}

func podEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func recorded(build *v1alpha1.ImageBuild) bool {
	return meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildRecorded)
}
