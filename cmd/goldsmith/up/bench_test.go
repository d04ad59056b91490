// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/local"
	"goldsmith.dev/goldsmith/jobs/render"
)

const (
	// benchmarked is how many builds, and as many bare Jobs, are measured. Rounds of builds and of Jobs alternate.
	benchmarked = 2000
	rounds      = 8
	// creators is how many clients create at the same time.
	creators = 8
)

// idleBuilder only writes a valid result. The time of its last log line is the time of its end.
const idleBuilder = `#!/bin/sh
printf '{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","location":"https://images.example/disk","digest":"sha256:%064d","sizeBytes":0}]}' 0 >"$GOLDSMITH_RESULT"
echo end
`

const idleName = "idle"

// bench is a server in a process of its own, as a user runs it, with observations from its watches.
type bench struct {
	*program
	ctx    context.Context
	inputs v1alpha1.BuildInputs // of the objects that it creates
	seen   *observations
}

func newBench(b *testing.B, watched ...string) *bench {
	b.Helper()
	directory := b.TempDir()
	flags := []string{"--memory", "--builder", idleName + "=" + writeIdleBuilder(b, directory)}
	server := startBench(b, executable(b), filepath.Join(directory, "data"), flags, watched...)
	b.Cleanup(func() { server.terminate(b) })
	return server
}

func writeIdleBuilder(b *testing.B, directory string) string {
	b.Helper()
	path := filepath.Join(directory, idleName)
	require.NoError(b, os.WriteFile(path, []byte(idleBuilder), 0o700))
	return path
}

func startBench(b *testing.B, program, data string, flags []string, watched ...string) *bench {
	b.Helper()
	server := &bench{ctx: b.Context(), inputs: inputsFor(idleName), seen: &observations{versions: map[string]int{}, first: map[string]time.Time{}, ended: map[string]time.Time{}}}
	server.program = startProgram(b, program, data, flags...)
	server.watch(b, watched)
	return server
}

// observations are from watches: how often each object was written, when it was first seen, and when it had ended.
type observations struct {
	mutex    sync.Mutex
	changed  sync.Cond
	versions map[string]int
	first    map[string]time.Time
	ended    map[string]time.Time
}

func (s *observations) add(event watch.Event, at time.Time) {
	object, ok := event.Object.(metav1.Object)
	if !ok || event.Type != watch.Added && event.Type != watch.Modified {
		return
	}
	key := fmt.Sprintf("%T/%s", event.Object, object.GetName())
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.versions[key]++
	if _, known := s.first[key]; !known {
		s.first[key] = at
	}
	if _, known := s.ended[key]; !known && hasEnded(event.Object) {
		s.ended[key] = at
		s.changed.Broadcast()
	}
}

func hasEnded(object runtime.Object) bool {
	switch object := object.(type) {
	case *v1alpha1.ImageBuild:
		return object.Status.Phase == v1alpha1.BuildSucceeded
	case *v1alpha1.Image:
		return meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ImageReady)
	case *corev1.Event:
		return true
	case *batchv1.Job:
		return slices.ContainsFunc(object.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == batchv1.JobComplete })
	}
	return false
}

// await returns when all of these have ended.
func (s *observations) await(keys []string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, key := range keys {
		for s.ended[key].IsZero() {
			s.changed.Wait()
		}
	}
}

// watch watches only the given kinds, because each watch slows the measured server down.
func (s *bench) watch(b *testing.B, kinds []string) {
	b.Helper()
	s.seen.changed.L = &s.seen.mutex
	all := metav1.ListOptions{}
	watches := map[string]func() (watch.Interface, error){
		imageKind: func() (watch.Interface, error) { return s.images.ImagesV1alpha1().Images("default").Watch(s.ctx, all) },
		buildKind: func() (watch.Interface, error) {
			return s.images.ImagesV1alpha1().ImageBuilds("default").Watch(s.ctx, all)
		},
		jobKind:   func() (watch.Interface, error) { return s.kube.BatchV1().Jobs("default").Watch(s.ctx, all) },
		eventKind: func() (watch.Interface, error) { return s.kube.CoreV1().Events("default").Watch(s.ctx, all) },
	}
	for _, kind := range kinds {
		watcher, err := watches[kind]()
		require.NoError(b, err)
		go func() {
			for event := range watcher.ResultChan() {
				s.seen.add(event, time.Now())
			}
		}()
	}
}

func (s *bench) createBuild(name string) error {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ImageBuildSpec{Inputs: s.inputs}}
	_, err := s.images.ImagesV1alpha1().ImageBuilds("default").Create(s.ctx, build, metav1.CreateOptions{})
	return err
}

// createJob creates the Job that a build would have, without one.
func (s *bench) createJob(name string) error {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}, Spec: v1alpha1.ImageBuildSpec{Inputs: s.inputs}}
	job, err := render.Job(build, 1, inputs.Builder{Image: local.Image(s.inputs.Builder.Name)})
	if err != nil {
		return err
	}
	job.Name, job.OwnerReferences, job.Labels, job.Spec.Template.Labels = name, nil, nil, nil
	_, err = s.kube.BatchV1().Jobs("default").Create(s.ctx, job, metav1.CreateOptions{})
	return err
}

// run creates many objects of a kind at the same time, and returns how long it took until all had ended.
func (s *bench) run(b *testing.B, kind, prefix string, count int, create func(name string) error) time.Duration {
	b.Helper()
	names, keys := make(chan string, count), make([]string, count)
	for i := range count {
		name := fmt.Sprintf("%s-%d", prefix, i)
		names <- name
		keys[i] = kind + "/" + name
	}
	close(names)
	start := time.Now()
	var group sync.WaitGroup
	for range creators {
		group.Go(func() {
			for name := range names {
				if err := create(name); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	if b.Failed() {
		b.FailNow()
	}
	s.seen.await(keys)
	return time.Since(start)
}

const (
	imageKind = "*v1alpha1.Image"
	buildKind = "*v1alpha1.ImageBuild"
	eventKind = "*v1.Event"
	jobKind   = "*v1.Job"
)

// BenchmarkBuildsAgainstBareJobs compares builds with as many Jobs through the same server and agent: with a builder
// that costs next to nothing, and with an idle mock builder.
func BenchmarkBuildsAgainstBareJobs(b *testing.B) {
	for name, given := range map[string]v1alpha1.BuildInputs{"builder=idle": inputsFor(idleName), "builder=mock": inputsFor(mockName, parameter("duration", "0s"), parameter("steps", "1"))} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				compareWithBareJobs(b, given)
			}
		})
	}
}

func compareWithBareJobs(b *testing.B, given v1alpha1.BuildInputs) {
	server := newBench(b, buildKind, jobKind)
	server.inputs = given
	server.run(b, jobKind, "warm-job", 20, server.createJob)
	server.run(b, buildKind, "warm-build", 20, server.createBuild)
	var jobs, builds time.Duration
	for round := range rounds {
		jobs += server.run(b, jobKind, fmt.Sprintf("job-%d", round), benchmarked/rounds, server.createJob)
		builds += server.run(b, buildKind, fmt.Sprintf("build-%d", round), benchmarked/rounds, server.createBuild)
	}
	b.ReportMetric(benchmarked/jobs.Seconds(), "jobs/s")
	b.ReportMetric(benchmarked/builds.Seconds(), "builds/s")
	b.ReportMetric(jobs.Seconds()/builds.Seconds(), "builds/jobs")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMemory measures the memory of finished builds: right after they have run, when the server still holds the history
// of the last minutes for watches, and after a restart, when the server holds only the stored objects.
func BenchmarkMemory(b *testing.B) {
	const count = 1000
	for b.Loop() {
		directory := b.TempDir()
		flags := []string{"--builder", idleName + "=" + writeIdleBuilder(b, directory)}
		program, data := executable(b), filepath.Join(directory, "data")
		server := startBench(b, program, data, flags, buildKind)
		empty := server.liveHeap(b)
		server.run(b, buildKind, "build", count, server.createBuild)
		b.ReportMetric((server.liveHeap(b)-empty)/count/1024, "burst-heap-KiB/build")
		server.terminate(b)

		server = startBench(b, program, data, flags)
		server.awaitSettled(b)
		b.ReportMetric((server.liveHeap(b)-empty)/count/1024, "stored-heap-KiB/build")
		server.terminate(b)
		b.ReportMetric(0, "ns/op")
	}
}

// awaitSettled waits until the size of the server's heap is stable, which means that its start is complete.
func (s *bench) awaitSettled(b *testing.B) {
	b.Helper()
	before := 0.0
	err := wait.PollUntilContextTimeout(s.ctx, time.Second, patience, true, func(context.Context) (bool, error) {
		now := s.liveHeap(b)
		settled := math.Abs(now-before) < 1<<20
		before = now
		return settled, nil
	})
	if err != nil {
		b.Fatalf("waiting for the heap to stand still: %v", err)
	}
}

// BenchmarkLatency runs one build after the other.
func BenchmarkLatency(b *testing.B) {
	const count = 300
	for b.Loop() {
		server := newBench(b, buildKind, jobKind)
		server.run(b, buildKind, "warm", 20, server.createBuild)
		created := make([]time.Time, count)
		for i := range count {
			name := fmt.Sprintf("build-%d", i)
			created[i] = time.Now()
			require.NoError(b, server.createBuild(name))
			server.seen.await([]string{buildKind + "/" + name})
		}
		var toJob, toSucceeded []float64
		for i := range count {
			build, err := server.images.ImagesV1alpha1().ImageBuilds("default").Get(b.Context(), fmt.Sprintf("build-%d", i), metav1.GetOptions{})
			require.NoError(b, err)
			attempt := build.Status.Attempts[0]
			toJob = append(toJob, milliseconds(server.seen.first[jobKind+"/"+attempt.JobName].Sub(created[i])))
			toSucceeded = append(toSucceeded, milliseconds(server.seen.ended[buildKind+"/"+build.Name].Sub(server.processEnd(b, attempt.PodName))))
		}
		report(b, toJob, "create-to-job")
		report(b, toSucceeded, "end-to-succeeded")
		b.ReportMetric(0, "ns/op")
	}
}

// processEnd is when the builder wrote its last line, right before it ended.
func (s *bench) processEnd(b *testing.B, pod string) time.Time {
	b.Helper()
	log, err := s.kube.CoreV1().Pods("default").GetLogs(pod, &corev1.PodLogOptions{Timestamps: true}).DoRaw(s.ctx)
	require.NoError(b, err)
	at, err := time.Parse(time.RFC3339Nano, strings.Fields(string(log))[0])
	require.NoError(b, err)
	return at
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func report(b *testing.B, values []float64, what string) {
	slices.Sort(values)
	b.ReportMetric(values[len(values)/2], what+"-p50-ms")
	b.ReportMetric(values[len(values)*99/100], what+"-p99-ms")
}

// BenchmarkWrites counts the stored writes and the lists of Images with one build each.
func BenchmarkWrites(b *testing.B) {
	const count = 100
	for b.Loop() {
		server := newBench(b, imageKind, buildKind, eventKind)
		server.run(b, buildKind, "warm", 5, server.createBuild)
		lists := server.lists(b)
		server.run(b, imageKind, "image", count, func(name string) error {
			image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ImageSpec{BuildInputs: inputsFor(idleName)}}
			_, err := server.images.ImagesV1alpha1().Images("default").Create(server.ctx, image, metav1.CreateOptions{})
			return err
		})
		lists = server.lists(b) - lists
		server.awaitEvents(b, "image-", count)
		b.ReportMetric(server.seen.count(buildKind, "image-")/count, "imagebuild-writes/build")
		b.ReportMetric(server.seen.count(imageKind, "image-")/count-1, "image-writes/build") // without its creation
		b.ReportMetric(server.seen.count(eventKind, "image-")/count, "event-writes/build")
		b.ReportMetric(lists, "lists")
		b.ReportMetric(0, "ns/op")
	}
}

// count returns how many versions of objects were observed.
func (s *observations) count(kind, prefix string) (versions float64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for key, n := range s.versions {
		if strings.HasPrefix(key, kind+"/"+prefix) {
			versions += float64(n)
		}
	}
	return versions
}

// awaitEvents waits for the last event of each build, because events are written asynchronously.
func (s *bench) awaitEvents(b *testing.B, prefix string, builds int) {
	b.Helper()
	err := wait.PollUntilContextTimeout(s.ctx, 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		events, err := s.kube.CoreV1().Events("default").List(ctx, metav1.ListOptions{FieldSelector: "reason=" + v1alpha1.EventSucceeded})
		if err != nil {
			return false, err
		}
		ended := 0
		for _, event := range events.Items {
			if strings.HasPrefix(event.InvolvedObject.Name, prefix) {
				ended++
			}
		}
		return ended == builds, nil
	})
	if err != nil {
		b.Fatalf("waiting for events: %v", err)
	}
}

var listRequests = regexp.MustCompile(`(?m)^apiserver_request_total\{[^}]*verb="LIST"[^}]*\} (\S+)$`)

// lists returns how many lists the server has answered.
func (s *bench) lists(b *testing.B) float64 {
	return s.sum(b, "/metrics", listRequests)
}

var heapAlloc = regexp.MustCompile(`(?m)^# HeapAlloc = (\S+)$`)

// liveHeap returns the size of the server's objects after a garbage collection, in bytes.
func (s *bench) liveHeap(b *testing.B) float64 {
	return s.sum(b, "/debug/pprof/heap?gc=1&debug=1", heapAlloc)
}

// sum adds up the numbers that a pattern finds in the server's answer.
func (s *bench) sum(b *testing.B, path string, pattern *regexp.Regexp) (sum float64) {
	b.Helper()
	text, err := s.kube.Discovery().RESTClient().Get().RequestURI(path).DoRaw(s.ctx)
	require.NoError(b, err)
	for _, match := range pattern.FindAllSubmatch(text, -1) {
		n, err := strconv.ParseFloat(string(match[1]), 64)
		require.NoError(b, err)
		sum += n
	}
	return sum
}

// BenchmarkReady starts the server twice on a data directory, which is new at first. It measures the time until the server is
// ready, and its idle memory.
func BenchmarkReady(b *testing.B) {
	program := executable(b)
	for b.Loop() {
		data := b.TempDir()
		for _, state := range []string{"new", "again"} {
			start := time.Now()
			server := startProgram(b, program, data)
			b.ReportMetric(time.Since(start).Seconds(), state+"-ready-s")
			b.ReportMetric(resident(b, server.command.Process.Pid), state+"-idle-MiB")
			server.terminate(b)
		}
		b.ReportMetric(0, "ns/op")
	}
}

var residentPages = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)

// resident returns the resident memory of a process, in MiB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	match := residentPages.FindSubmatch(status)
	if match == nil {
		b.Fatalf("no resident memory of process %d in %s", pid, status)
	}
	kib, err := strconv.ParseFloat(string(match[1]), 64)
	require.NoError(b, err)
	return kib / 1024
}
