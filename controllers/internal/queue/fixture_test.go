// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/apitest"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	admission "goldsmith.dev/goldsmith/controllers/internal/queue"
	"goldsmith.dev/goldsmith/jobs/queue"
)

const patience = 30 * time.Second

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// fixture is an API, a cache of it and a queue.
type fixture struct {
	t        testing.TB
	server   *apitest.Server
	images   versioned.Interface
	kube     kubernetes.Interface
	registry *prometheus.Registry
	log      *apitest.Log
	events   *record.FakeRecorder
	queue    *admission.Queue
	due      workqueue.TypedRateLimitingInterface[reconcile.Request]
	ctx      context.Context
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	server := apitest.New(v1alpha1.SchemeGroupVersion.WithKind("ImageBuild"), corev1.SchemeGroupVersion.WithKind("Namespace"))
	t.Cleanup(server.Close)
	return &fixture{
		t: t, server: server, log: &apitest.Log{}, events: record.NewFakeRecorder(10), registry: prometheus.NewRegistry(),
		images: versioned.NewForConfigOrDie(server.Config("test")),
		kube:   kubernetes.NewForConfigOrDie(server.Config("test")),
	}
}

// start starts the queue, which reads the API through wrap, and returns at once.
func (w *fixture) start(limits queue.Limits, wrap func(client.Reader) client.Reader) {
	w.t.Helper()
	scheme, err := caches.Scheme()
	w.must(err)
	options := caches.Options()
	options.Scheme = scheme
	options.Mapper, _ = caches.Mapper(nil, nil) // it never fails
	cached, err := cache.New(w.server.Config("queue"), options)
	w.must(err)
	var api client.Reader
	api, err = client.New(w.server.Config("queue"), client.Options{Scheme: scheme, Mapper: options.Mapper})
	w.must(err)
	if wrap != nil {
		api = wrap(api)
	}
	measured, err := metrics.NewQueue(w.registry)
	w.must(err)
	w.due = workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	ctx, stop := context.WithCancel(logr.NewContext(context.Background(), funcr.New(func(_, line string) { _, _ = w.log.Write([]byte(line + "\n")) }, funcr.Options{})))
	w.ctx = ctrl.LoggerInto(ctx, logr.FromContextOrDiscard(ctx))
	var running sync.WaitGroup
	w.t.Cleanup(func() {
		stop()
		running.Wait()
		w.due.ShutDown()
	})
	w.queue = admission.New(admission.Options{
		Limits: limits, Cache: cached, API: api, Events: w.events, Metrics: measured, Clock: testingclock.NewFakePassiveClock(epoch),
	})
	w.must(admission.Prepare(w.ctx, cached))
	running.Go(func() { _ = cached.Start(w.ctx) }) // until it is stopped
	w.must(w.queue.Start(w.ctx, w.due))
}

func (w *fixture) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// nextEvent returns the next recorded event, or nothing if there is none in time.
func (w *fixture) nextEvent() string {
	w.t.Helper()
	select {
	case event := <-w.events.Events:
		return event
	case <-time.After(patience):
		return ""
	}
}

func (w *fixture) synced() {
	w.t.Helper()
	w.must(w.queue.WaitForSync(w.ctx))
}

// create creates a build, a second after the previous build.
func (w *fixture) create(namespace, name string, after time.Duration) *v1alpha1.ImageBuild {
	w.t.Helper()
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(epoch.Add(after))}}
	build.Status.Phase = v1alpha1.BuildPending
	created, err := w.images.ImagesV1alpha1().ImageBuilds(namespace).Create(w.t.Context(), build, metav1.CreateOptions{})
	w.must(err)
	return created
}

// enter writes a phase, as the controller does.
func (w *fixture) enter(build *v1alpha1.ImageBuild, phase v1alpha1.BuildPhase) *v1alpha1.ImageBuild {
	w.t.Helper()
	next := build.DeepCopy()
	next.Status.Phase = phase
	if phase.Active() {
		start := metav1.NewTime(epoch.Add(time.Minute))
		next.Status.StartTime, next.Status.Attempts = &start, []v1alpha1.BuildAttempt{{Number: 1}}
	}
	written, err := w.images.ImagesV1alpha1().ImageBuilds(build.Namespace).UpdateStatus(w.t.Context(), next, metav1.UpdateOptions{})
	w.must(err)
	return written
}

func (w *fixture) remove(build *v1alpha1.ImageBuild) {
	w.t.Helper()
	w.must(w.images.ImagesV1alpha1().ImageBuilds(build.Namespace).Delete(w.t.Context(), build.Name, metav1.DeleteOptions{}))
}

// next waits for the next build that is due to be reconciled.
func (w *fixture) next() string {
	w.t.Helper()
	got := make(chan reconcile.Request, 1)
	go func() {
		request, _ := w.due.Get()
		w.due.Done(request)
		got <- request
	}()
	select {
	case request := <-got:
		return request.Name
	case <-time.After(patience):
		w.t.Fatal("no build is due")
		return ""
	}
}

func (w *fixture) expectNext(name string) {
	w.t.Helper()
	if got := w.next(); got != name {
		w.t.Errorf("%s is due, expected %s", got, name)
	}
}

// expectNone fails if a build is due now.
func (w *fixture) expectNone() {
	w.t.Helper()
	if count := w.due.Len(); count > 0 {
		w.t.Errorf("%d builds are due: %s", count, w.next())
	}
}

func (w *fixture) expectTurn(build *v1alpha1.ImageBuild, admitted bool, why string) {
	w.t.Helper()
	if got, message := w.queue.Admission(w.ctx, build); got != admitted || message != why {
		w.t.Errorf("%s is admitted: %v (%q), expected %v (%q)", build.Name, got, message, admitted, why)
	}
}

// oneWaits waits until one build waits in the queue.
func (w *fixture) oneWaits() {
	w.t.Helper()
	w.eventually("waiting", func() bool { return w.metric("goldsmith_queue_builds").GetGauge().GetValue() == 1 })
}

// metric is the value of a metric without labels.
func (w *fixture) metric(name string) *dto.Metric {
	w.t.Helper()
	families, err := w.registry.Gather()
	w.must(err)
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0]
		}
	}
	w.t.Fatalf("%s is not measured", name)
	return nil
}

// eventually asks again until something is as expected.
func (w *fixture) eventually(what string, condition func() bool) {
	w.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !condition() {
		select {
		case <-again.C:
		case <-deadline.C:
			w.t.Fatalf("not %s", what)
		}
	}
}

// annotate sets the annotations of the Namespace a.
func (w *fixture) annotate(annotations map[string]string) {
	w.t.Helper()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Annotations: annotations}}
	_, err := w.kube.CoreV1().Namespaces().Update(w.t.Context(), object, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = w.kube.CoreV1().Namespaces().Create(w.t.Context(), object, metav1.CreateOptions{})
	}
	w.must(err)
}
