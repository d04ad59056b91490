// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/invariants"
)

// observer compares the objects of an API with their earlier versions, and finds violations of invariants.Transition and
// invariants.OneContainerRuns. After a restoration from a backup the observer starts anew.
type observer struct {
	api *api

	mutex    sync.Mutex
	epoch    int64 // how often the server was restored
	seen     map[types.UID]*v1alpha1.ImageBuild
	jobs     map[types.UID]types.UID // the build of each Job
	known    map[types.UID]bool      // all builds and pods ever
	podCount int
	problems []string
}

func newObserver(reached *api) *observer {
	return &observer{api: reached, seen: map[types.UID]*v1alpha1.ImageBuild{}, jobs: map[types.UID]types.UID{}, known: map[types.UID]bool{}}
}

func (o *observer) violate(format string, arguments ...any) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.add(fmt.Sprintf(format, arguments...))
}

func (o *observer) add(violations ...string) {
	for _, violation := range violations {
		if !slices.Contains(o.problems, violation) {
			o.problems = append(o.problems, violation)
		}
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
	for i := range builds.Items {
		build := &builds.Items[i]
		o.known[build.UID] = true
		o.add(invariants.Transition(o.seen[build.UID], build)...)
		o.seen[build.UID] = build
	}
	for i := range jobs.Items {
		if owner := metav1.GetControllerOf(&jobs.Items[i]); owner != nil {
			o.jobs[jobs.Items[i].UID] = owner.UID
		}
	}
	existing := make([]*corev1.Pod, len(pods.Items))
	for i := range pods.Items {
		existing[i] = &pods.Items[i]
		if uid := pods.Items[i].UID; !o.known[uid] {
			o.known[uid] = true
			o.podCount++
		}
	}
	o.add(invariants.OneContainerRuns(existing, o.jobs, time.Now())...)
}

func podEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func recorded(build *v1alpha1.ImageBuild) bool {
	return meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildRecorded)
}
