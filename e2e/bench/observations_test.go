// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package bench

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	toolswatch "k8s.io/client-go/tools/watch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// benchLabel is the name of the bare Job, on its pod.
const benchLabel = "bench"

// observations are the times at which a client saw builds, Jobs and their pods change, by the name of the build or bare Job. API
// objects know times only to the second.
type observations struct {
	mutex   sync.Mutex
	changed sync.Cond
	created map[string]time.Time // seen for the first time
	pod     map[string]time.Time // its pod was seen
	ended   map[string]time.Time // its pod's container has ended
	done    map[string]time.Time // its status, or that of a bare Job, reports success
	jobDone map[string]time.Time // by the status of its Job
	pods    map[string]struct{}  // that exist
}

// watch watches builds, Jobs and pods of the namespace as long as the benchmark runs.
func (c *measured) watch(b *testing.B) *observations {
	b.Helper()
	s := &observations{created: map[string]time.Time{}, pod: map[string]time.Time{}, ended: map[string]time.Time{},
		done: map[string]time.Time{}, jobDone: map[string]time.Time{}, pods: map[string]struct{}{}}
	s.changed.L = &s.mutex
	ctx := b.Context()
	builds, err := c.goldsmith.ImagesV1alpha1().ImageBuilds(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		b.Fatalf("list builds: %v", err)
	}
	pods, err := c.kube.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		b.Fatalf("list pods: %v", err)
	}
	for _, source := range []struct {
		version string
		open    opener
	}{
		{builds.ResourceVersion, c.goldsmith.ImagesV1alpha1().ImageBuilds(c.namespace).Watch},
		{pods.ResourceVersion, c.kube.CoreV1().Pods(c.namespace).Watch},
		{pods.ResourceVersion, c.kube.BatchV1().Jobs(c.namespace).Watch},
	} {
		watcher, err := toolswatch.NewRetryWatcherWithContext(ctx, source.version, source.open)
		if err != nil {
			b.Fatalf("watch: %v", err)
		}
		go func() {
			for event := range watcher.ResultChan() {
				s.observe(event, time.Now())
			}
		}()
	}
	return s
}

// opener opens a watch that continues where the last watch ended.
type opener func(context.Context, metav1.ListOptions) (watch.Interface, error)

// WatchWithContext opens the watch.
func (open opener) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return open(ctx, options)
}

func (s *observations) observe(event watch.Event, at time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	defer s.changed.Broadcast()
	first := func(times map[string]time.Time, name string, happened bool) {
		if _, known := times[name]; !known && happened {
			times[name] = at
		}
	}
	switch object := event.Object.(type) {
	case *v1alpha1.ImageBuild:
		first(s.created, object.Name, true)
		first(s.done, object.Name, object.Status.Phase == v1alpha1.BuildSucceeded)
	case *batchv1.Job:
		name, complete := nameOf(object, object.Name), isComplete(object)
		first(s.created, name, true)
		first(s.jobDone, name, complete)
		first(s.done, name, complete && object.Labels[v1alpha1.LabelBuild] == "")
	case *corev1.Pod:
		name := nameOf(object, object.Labels[benchLabel])
		if event.Type == watch.Deleted {
			delete(s.pods, object.Name)
			return
		}
		s.pods[object.Name] = struct{}{}
		first(s.pod, name, true)
		first(s.ended, name, slices.ContainsFunc(object.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.State.Terminated != nil }))
	}
}

// nameOf returns the name of the build that an object was made for. It defaults to other.
func nameOf(object metav1.Object, other string) string {
	if build := object.GetLabels()[v1alpha1.LabelBuild]; build != "" {
		return build
	}
	return other
}

func isComplete(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue
	})
}

// await returns when all of these have succeeded.
func (s *observations) await(b *testing.B, names []string) {
	b.Helper()
	s.until(b, func() bool { return all(s.done, names) })
}

// settle returns when the Jobs of all these builds are complete, too.
func (s *observations) settle(b *testing.B, names []string) {
	b.Helper()
	s.until(b, func() bool { return all(s.jobDone, names) })
}

func (s *observations) awaitNoPods(b *testing.B) {
	b.Helper()
	s.until(b, func() bool { return len(s.pods) == 0 })
}

func all(times map[string]time.Time, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return times[name].IsZero() })
}

// patience is how long the cluster may take for one thing.
const patience = 5 * time.Minute

func (s *observations) until(b *testing.B, happened func() bool) {
	b.Helper()
	deadline := time.Now().Add(patience)
	wake := time.AfterFunc(patience, s.changed.Broadcast)
	defer wake.Stop()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for !happened() {
		if time.Now().After(deadline) {
			b.Fatalf("the cluster did not reach the expected state within %s", patience)
		}
		s.changed.Wait()
	}
}

// spans are durations from creation to the pod, and from the end of the container to success.
type spans struct{ pod, done []time.Duration }

// times are the spans of everything whose name begins so.
func (s *observations) times(prefix string) (t spans) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for name, created := range s.created {
		if strings.HasPrefix(name, prefix) {
			t.pod = append(t.pod, s.pod[name].Sub(created))
			t.done = append(t.done, s.done[name].Sub(s.ended[name]))
		}
	}
	return t
}
