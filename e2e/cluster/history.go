// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// listAgain is the wait before objects are listed again where a watch has ended or an API does not answer.
	listAgain = 250 * time.Millisecond
	// watchAtMost is how long a watch is trusted, because a watch of a frozen server stays open without events. listAtMost is
	// how long a list may take, because a list of a frozen server never ends. Neither value depends on the machine: the timers
	// of deadline.HistoryCatchesUp are their sum.
	watchAtMost, listAtMost = 20 * time.Second, 10 * time.Second
)

// History are the observed versions of the objects of a namespace since Record was called. While an API does
// not answer nothing is seen of its objects; what has become of them is seen afterwards.
type History struct {
	namespace string
	start     time.Time
	mutex     sync.Mutex
	images    map[types.UID][]*v1alpha1.Image
	builds    map[types.UID][]*v1alpha1.ImageBuild
	jobs      map[types.UID][]*batchv1.Job
	pods      map[types.UID][]*corev1.Pod
	gone      map[types.UID]time.Time
}

// Record watches images, builds, Jobs and pods of the workspace's namespace until the present spec ends, over every
// outage. Call it before anything is created there. The report of a spec that fails has the whole history.
func (w *Workspace) Record() *History {
	h := &History{
		namespace: w.Namespace, start: time.Now(),
		images: map[types.UID][]*v1alpha1.Image{}, builds: map[types.UID][]*v1alpha1.ImageBuild{},
		jobs: map[types.UID][]*batchv1.Job{}, pods: map[types.UID][]*corev1.Pod{}, gone: map[types.UID]time.Time{},
	}
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { follow(ctx, h, h.images, w.Images()) })
	watching.Go(func() { follow(ctx, h, h.builds, w.Builds()) })
	watching.Go(func() { follow(ctx, h, h.jobs, w.Kube.BatchV1().Jobs(w.Namespace)) })
	watching.Go(func() { follow(ctx, h, h.pods, w.Kube.CoreV1().Pods(w.Namespace)) })
	DeferCleanup(func() {
		stop()
		watching.Wait()
		if CurrentSpecReport().Failed() {
			AddReportEntry("history", h.String(), ReportEntryVisibilityFailureOrVerbose)
		}
	})
	return h
}

// object is a pointer to an API type.
type object interface {
	metav1.Object
	runtime.Object
	comparable
}

// lister is the part of a typed client that a history needs. L is the list.
type lister[L runtime.Object] interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

// follow lists and watches until ctx is done, and lists again whenever a watch ends.
func follow[T object, L runtime.Object](ctx context.Context, h *History, versions map[types.UID][]T, client lister[L]) {
	for ctx.Err() == nil {
		if resourceVersion, err := list(ctx, h, versions, client); err == nil {
			observe(ctx, h, versions, client, resourceVersion)
		}
		select {
		case <-ctx.Done():
		case <-time.After(listAgain):
		}
	}
}

// list adds the existing objects, and notes the deleted objects. It returns the resource version to watch from.
func list[T object, L runtime.Object](ctx context.Context, h *History, versions map[types.UID][]T, client lister[L]) (string, error) {
	ctx, stop := context.WithTimeout(ctx, listAtMost)
	defer stop()
	listed, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	there := map[types.UID]bool{}
	err = meta.EachListItem(listed, func(item runtime.Object) error {
		if o, ok := item.(T); ok {
			there[o.GetUID()] = true
			add(h, versions, o)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for uid := range versions {
		if _, known := h.gone[uid]; !known && !there[uid] {
			h.gone[uid] = time.Now()
		}
	}
	accessor, err := meta.ListAccessor(listed)
	if err != nil {
		return "", err
	}
	return accessor.GetResourceVersion(), nil
}

func observe[T object, L runtime.Object](ctx context.Context, h *History, versions map[types.UID][]T, client lister[L], resourceVersion string) {
	ctx, stop := context.WithTimeout(ctx, watchAtMost)
	defer stop()
	watcher, err := client.Watch(ctx, metav1.ListOptions{ResourceVersion: resourceVersion})
	if err != nil {
		return
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		o, ok := event.Object.(T)
		if !ok {
			return // an error, such as 410
		}
		add(h, versions, o)
		if event.Type == watch.Deleted {
			h.mutex.Lock()
			h.gone[o.GetUID()] = time.Now()
			h.mutex.Unlock()
		}
	}
}

// add keeps a version of an object, unless it is the last observed version.
func add[T object](h *History, versions map[types.UID][]T, o T) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	seen := versions[o.GetUID()]
	if len(seen) > 0 && seen[len(seen)-1].GetResourceVersion() == o.GetResourceVersion() {
		return
	}
	versions[o.GetUID()] = append(seen, o)
}

func last[T any](versions []T) T { return versions[len(versions)-1] }

// Unfinished has a line for each build that has not finished: its phase, the reasons of its conditions, and the Job and the pods of
// its attempt.
func (h *History) Unfinished() string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var lines []string
	for _, versions := range h.builds {
		build := last(versions)
		if _, gone := h.gone[build.UID]; gone || build.Status.Finished {
			continue
		}
		var line strings.Builder
		fmt.Fprintf(&line, "build %s is %s:", build.Name, cmp.Or(build.Status.Phase, v1alpha1.BuildPending))
		for _, condition := range build.Status.Conditions {
			fmt.Fprintf(&line, " %s=%s/%s", condition.Type, condition.Status, condition.Reason)
		}
		if attempts := build.Status.Attempts; len(attempts) > 0 {
			h.describeAttempt(&line, last(attempts))
		}
		lines = append(lines, line.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// describeAttempt writes the conditions of an attempt's Job and the phases of its pods.
func (h *History) describeAttempt(line *strings.Builder, attempt v1alpha1.BuildAttempt) {
	fmt.Fprintf(line, "; attempt %d, Job %s:", attempt.Number, attempt.JobName)
	for uid, versions := range h.jobs {
		if job := last(versions); job.Name == attempt.JobName {
			for _, condition := range job.Status.Conditions {
				fmt.Fprintf(line, " %s=%s", condition.Type, condition.Status)
			}
			line.WriteString(h.deletion(uid))
		}
	}
	for uid, versions := range h.pods {
		if pod := last(versions); pod.Labels[batchv1.JobNameLabel] == attempt.JobName {
			fmt.Fprintf(line, "; pod %s: %s%s", pod.Name, pod.Status.Phase, h.deletion(uid))
		}
	}
}

// deletion tells when an object was found to be deleted, if it was.
func (h *History) deletion(uid types.UID) string {
	at, gone := h.gone[uid]
	if !gone {
		return ""
	}
	return fmt.Sprintf(" (gone %s after the start)", at.Sub(h.start).Round(1e6))
}

// String has a line for each version of an object.
func (h *History) String() string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var lines []string
	line := func(uid types.UID, format string, arguments ...any) {
		lines = append(lines, fmt.Sprintf(format, arguments...)+h.deletion(uid))
	}
	for uid, versions := range h.images {
		line(uid, "image %s %+v", last(versions).Name, last(versions).Status)
	}
	for uid, versions := range h.builds {
		for _, build := range versions {
			var attempts strings.Builder
			for _, attempt := range build.Status.Attempts {
				fmt.Fprintf(&attempts, " [%d job %s pod %s on %q %s %v]", attempt.Number, attempt.JobUID, attempt.PodUID, attempt.NodeName, attempt.Outcome, attempt.Failure)
			}
			line(uid, "build %s version %10s %s%s", build.Name, build.ResourceVersion, build.Status.Phase, attempts.String())
		}
	}
	for uid, versions := range h.jobs {
		for _, job := range versions {
			line(uid, "job %s version %10s %s created %s %+v", job.Name, job.ResourceVersion, job.UID, job.CreationTimestamp, job.Status)
		}
	}
	for uid, versions := range h.pods {
		for _, pod := range versions {
			line(uid, "pod %s version %10s %s on %q %s %s %+v", pod.Name, pod.ResourceVersion, pod.UID, pod.Spec.NodeName, pod.Status.Phase, pod.Status.Reason, pod.Status.ContainerStatuses)
		}
	}
	slices.SortFunc(lines, cmp.Compare[string])
	return strings.Join(lines, "\n")
}
