// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
)

const (
	benchNamespaces = 50
	benchSlots      = 100
)

var sizes = []int{100, 1000, 10_000}

// skewed are builds of which the first namespaces have most: the n-th has a share of 1/n.
func skewed(count int) []queue.Build {
	sum := 0.0
	for n := range benchNamespaces {
		sum += 1 / float64(n+1)
	}
	builds := make([]queue.Build, 0, count)
	for n := range benchNamespaces {
		own := max(1, int(float64(count)/float64(n+1)/sum))
		for i := range own {
			builds = append(builds, queue.Build{
				Key:   queue.Key{Namespace: fmt.Sprintf("team-%02d", n), Name: fmt.Sprintf("image-%d-%d", i/3, i%3)},
				Image: types.UID(fmt.Sprintf("%02d-%d", n, i/3)), Number: int64(i%3 + 1), Serial: true,
				Since: epoch.Add(time.Duration(i) * time.Second), Priority: int32(i % 4),
			})
		}
	}
	return builds
}

func filled(builds []queue.Build) *queue.Queue {
	q := queue.New(queue.Limits{Builds: benchSlots})
	for _, build := range builds {
		q.Set(build)
	}
	return q
}

// BenchmarkAdmission ends a build, admits the next build, and enqueues a new build.
func BenchmarkAdmission(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("queued=%d", size), func(b *testing.B) {
			q := filled(skewed(size + benchSlots))
			var active []queue.Build
			admit := func() {
				key, ok := q.Next(epoch)
				if !ok {
					return
				}
				build, _ := q.Find(key)
				build.State = queue.Active
				q.Set(build)
				active = append(active, build)
			}
			for range benchSlots {
				admit()
			}
			took := make([]time.Duration, 0, b.N)
			for b.Loop() {
				ended := active[0]
				active = active[1:]
				start := time.Now()
				q.Remove(ended.Key)
				admit()
				took = append(took, time.Since(start))
				ended.State, ended.Number = queue.Waiting, ended.Number+3
				q.Set(ended)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
		})
	}
}

// BenchmarkFairness measures Jain's index of the namespaces' shares of the slots, while all namespaces have waiting builds.
func BenchmarkFairness(b *testing.B) {
	for b.Loop() {
		q := filled(skewed(10_000))
		left, slots := map[string]int{}, map[string]float64{}
		for _, build := range skewed(10_000) {
			left[build.Namespace]++
		}
		var active []queue.Key
		for {
			key, ok := q.Next(epoch)
			if !ok {
				ended := active[0]
				active = active[1:]
				q.Remove(ended)
				continue
			}
			build, _ := q.Find(key)
			build.State = queue.Active
			q.Set(build)
			active = append(active, key)
			slots[key.Namespace]++
			if left[key.Namespace]--; left[key.Namespace] == 0 {
				break
			}
		}
		b.ReportMetric(jain(slots), "jain")
	}
}

func jain(shares map[string]float64) float64 {
	sum, squares := 0.0, 0.0
	for _, share := range shares {
		sum += share
		squares += share * share
	}
	return sum * sum / (benchNamespaces * squares)
}

// BenchmarkMemory measures the memory of a waiting build besides its object, in the queue and in its ledger.
func BenchmarkMemory(b *testing.B) {
	builds := skewed(10_000)
	objects := make([]*v1alpha1.ImageBuild, len(builds))
	for i, build := range builds {
		objects[i] = stored(build.Name, i+1, v1alpha1.BuildQueued)
		objects[i].Namespace = build.Namespace
		objects[i].Spec.ImageRef, objects[i].Spec.Number = &v1alpha1.ImageReference{UID: build.Image}, &builds[i].Number
	}
	measure := func(b *testing.B, fill func() any) {
		for b.Loop() {
			before := heap()
			filled := fill()
			b.ReportMetric(float64(heap()-before)/float64(len(builds)), "bytes/build")
			runtime.KeepAlive(filled)
		}
	}
	b.Run("queue", func(b *testing.B) {
		measure(b, func() any { return filled(builds) })
	})
	b.Run("ledger", func(b *testing.B) {
		measure(b, func() any {
			l := queue.NewLedger(queue.Limits{Builds: benchSlots})
			for _, object := range objects {
				l.Observe(object)
			}
			return l
		})
	})
	runtime.KeepAlive(objects)
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkForecast plays 10,000 builds through, as one request for the order does.
func BenchmarkForecast(b *testing.B) {
	builds := skewed(10_000)
	for b.Loop() {
		filled(builds).Forecast(epoch, queue.Expectation{
			Started: func(queue.Key) time.Time { return epoch },
			Lasts:   func(key queue.Key) (time.Duration, bool) { return time.Duration(len(key.Name)) * time.Second, true },
		})
	}
}
