// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
)

const (
	benchNamespaces = 50
	benchSlots      = 100
	benchSamples    = 200
)

// fill creates builds that wait; the n-th namespace has 1/n as many as the first.
func (w *fixture) fill(count int) {
	sum := 0.0
	for n := range benchNamespaces {
		sum += 1 / float64(n+1)
	}
	for n := range benchNamespaces {
		for i := range max(1, int(float64(count)/float64(n+1)/sum)) {
			number := int64(i%3 + 1)
			build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{
				Name: fmt.Sprintf("image-%d-%d", i/3, number), CreationTimestamp: metav1.NewTime(epoch.Add(time.Duration(i) * time.Second)),
			}}
			build.Spec.ImageRef = &v1alpha1.ImageReference{Name: fmt.Sprintf("image-%d", i/3), UID: types.UID(fmt.Sprintf("%d-%d", n, i/3))}
			build.Spec.Number, build.Spec.RunPolicy, build.Spec.Priority = &number, v1alpha1.RunPolicySerial, new(int32)
			build.Status.Phase = v1alpha1.BuildQueued
			_, err := w.images.ImagesV1alpha1().ImageBuilds(fmt.Sprintf("team-%02d", n)).Create(w.t.Context(), build, metav1.CreateOptions{})
			w.must(err)
		}
	}
}

// BenchmarkRestart measures how long a process takes from its start, with an empty cache, to the first admission. It also
// measures the time from the end of each build to the start of the next build.
func BenchmarkRestart(b *testing.B) {
	for _, size := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprintf("queued=%d", size), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				w := newFixture(b)
				w.fill(size)
				b.StartTimer()
				start := time.Now()
				w.start(queue.Limits{Builds: min(benchSlots, size/4)}, nil)
				w.synced()
				first := w.nextBuild()
				b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-to-first")
				b.StopTimer()
				w.report(b, w.turnover(first))
				b.StartTimer()
			}
		})
	}
}

// nextBuild returns the next build that is due to be reconciled.
func (w *fixture) nextBuild() *v1alpha1.ImageBuild {
	request, _ := w.due.Get()
	w.due.Done(request)
	build, err := w.images.ImagesV1alpha1().ImageBuilds(request.Namespace).Get(w.t.Context(), request.Name, metav1.GetOptions{})
	w.must(err)
	return build
}

// turnover ends builds, and measures how long it takes until the next build is due to be reconciled.
func (w *fixture) turnover(first *v1alpha1.ImageBuild) (took []time.Duration) {
	running := []*v1alpha1.ImageBuild{first}
	for w.due.Len() > 0 {
		running = append(running, w.nextBuild())
	}
	for i := range running {
		running[i] = w.enter(running[i], v1alpha1.BuildStarting)
		w.queue.ObserveWrite(running[i])
	}
	for range benchSamples {
		ended := w.enter(running[0], v1alpha1.BuildSucceeded)
		start := time.Now()
		w.queue.ObserveWrite(ended)
		if w.due.Len() == 0 {
			return took // there are no more
		}
		request, _ := w.due.Get()
		took = append(took, time.Since(start))
		w.due.Done(request)
		next, err := w.images.ImagesV1alpha1().ImageBuilds(request.Namespace).Get(w.t.Context(), request.Name, metav1.GetOptions{})
		w.must(err)
		next = w.enter(next, v1alpha1.BuildStarting)
		w.queue.ObserveWrite(next)
		running = append(running[1:], next)
	}
	return took
}

func (w *fixture) report(b *testing.B, took []time.Duration) {
	if len(took) == 0 {
		b.Fatal("no build was admitted")
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us-to-next")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us-to-next")
}
