// SPDX-License-Identifier: Apache-2.0

package logarchive

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/controllers/internal/apitest"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
)

const (
	namespace = "default"
	within    = 30 * time.Second
	soon      = 200 * time.Millisecond // the patience of tests with logs that stay silent
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard()) // what controller-runtime logs by itself
	os.Exit(m.Run())
}

// fixture is an API whose pods have logs, and an archive.
type fixture struct {
	*WithT
	t       *testing.T
	config  string // the address of the API
	stored  *apitest.Server
	client  versioned.Interface
	kube    kubernetes.Interface
	archive *archive.Store
	clock   *testingclock.FakePassiveClock
	metrics *metrics.Logs
	cache   client.Reader // of the process that runs
	// patience is how long a log may be silent after the end of its attempt.
	patience time.Duration

	lock sync.Mutex
	logs map[string]*podLog
}

func newFixture(t *testing.T, url string) *fixture {
	w := &fixture{
		WithT: NewWithT(t), t: t, logs: map[string]*podLog{}, patience: within / 6,
		clock: testingclock.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
	}
	w.SetDefaultEventuallyTimeout(within)
	w.stored = apitest.New(
		v1alpha1.SchemeGroupVersion.WithKind("Image"), v1alpha1.SchemeGroupVersion.WithKind("ImageBuild"),
		corev1.SchemeGroupVersion.WithKind("Pod"), corev1.SchemeGroupVersion.WithKind("Namespace"), batchv1.SchemeGroupVersion.WithKind("Job"),
	)
	front := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		path := strings.Split(in.URL.Path, "/")
		if path[len(path)-1] == "log" {
			w.serveLog(out, in, path[len(path)-2])
			return
		}
		w.stored.ServeHTTP(out, in)
	}))
	t.Cleanup(func() {
		w.stored.Close() // ends the watches
		front.CloseClientConnections()
		front.Close()
	})
	w.config = front.URL
	given := w.stored.Config("test")
	w.client, w.kube = versioned.NewForConfigOrDie(given), kubernetes.NewForConfigOrDie(given)
	w.archive = require.Value(archive.Open(t.Context(), url, archive.Options{Clock: w.clock}))(w.t)
	return w
}

// run runs the controller until it is stopped, or the test ends. Each call is another process.
func (w *fixture) run() (stop func()) {
	w.t.Helper()
	given := w.stored.Config("controller")
	given.Host = w.config
	scheme := require.Value(caches.Scheme())(w.t)
	manager, err := ctrl.NewManager(given, ctrl.Options{
		Scheme: scheme, MapperProvider: caches.Mapper, Cache: caches.Options(),
		Metrics: server.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: new(true)},
	})
	w.Expect(err).NotTo(HaveOccurred())
	w.cache = manager.GetCache()
	w.Expect(caches.AddIndexes(w.t.Context(), manager.GetFieldIndexer())).To(Succeed())
	w.metrics = require.Value(metrics.NewLogs(prometheus.NewRegistry(), manager.GetCache(), manager.Elected(), w.clock))(w.t)
	w.Expect(SetupWithManager(manager, Options{
		Options: reconciliation.Options{Client: versioned.NewForConfigOrDie(given), Kube: kubernetes.NewForConfigOrDie(given), Clock: w.clock},
		Archive: w.archive, Metrics: w.metrics,
		flushInterval: 10 * time.Millisecond, patience: w.patience,
	})).To(Succeed())
	running, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(running) }()
	stop = sync.OnceFunc(func() {
		cancel()
		w.Eventually(ended).Should(Receive(Succeed()))
	})
	w.t.Cleanup(stop)
	return stop
}

// sweep deletes expired logs, as another process that has no cache yet.
func (w *fixture) sweep() {
	w.t.Helper()
	swept := &sweeper{reconciler: w.reconciler()}
	swept.sweep(w.t.Context())
}

// reconciler is the reconciler of a process that has no cache yet.
func (w *fixture) reconciler() *reconciler {
	w.t.Helper()
	counts := require.Value(metrics.NewLogs(prometheus.NewRegistry(), nil, nil, w.clock))(w.t)
	options := Options{Options: reconciliation.Options{Client: w.client, Kube: w.kube, Clock: w.clock}, Archive: w.archive, Metrics: counts}
	return &reconciler{Options: options, cache: emptyCache{}, streams: newStreams(options)}
}

// verifier reads archived logs back, with the cache of the process that runs.
func (w *fixture) verifier() *sweeper {
	w.t.Helper()
	r, served := w.reconciler(), w.stored.Config("verifier")
	served.Host = w.config
	r.cache, r.Kube, r.patience = w.cache, kubernetes.NewForConfigOrDie(served), within
	r.flushInterval = soon
	return &sweeper{reconciler: r}
}

// emptyCache is a cache without objects.
type emptyCache struct{ client.Reader }

func (emptyCache) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(corev1.Resource("namespaces"), key.Name)
}

// image makes an Image that keeps logs for an hour.
func (w *fixture) image() *v1alpha1.Image {
	w.t.Helper()
	image, err := w.client.ImagesV1alpha1().Images(namespace).Create(w.t.Context(),
		&v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "debian"}}, metav1.CreateOptions{})
	w.Expect(err).NotTo(HaveOccurred())
	return w.update(image, nil, time.Hour)
}

// update sets the labels of an Image, and how long its logs are kept.
func (w *fixture) update(image *v1alpha1.Image, labels map[string]string, retention time.Duration) *v1alpha1.Image {
	w.t.Helper()
	image.Labels = labels
	limit := &v1alpha1.Duration{Duration: retention}
	image.Spec.History = &v1alpha1.HistoryLimits{LogRetention: &v1alpha1.HistoryTTL{Succeeded: limit, Failed: limit}}
	image = require.Value(w.client.ImagesV1alpha1().Images(namespace).Update(w.t.Context(), image, metav1.UpdateOptions{}))(w.t)
	return image
}

// podLog is the log of a pod as its node keeps it.
type podLog struct {
	lock    sync.Mutex
	text    []byte
	ended   bool
	from    int           // what is before is not kept any more
	breakAt int           // the next reader that gets there is cut off; 0 is none
	cut     *cut          // nil is none
	silent  bool          // nobody is told anything more
	failing bool          // nobody can read it
	gone    string        // nobody can read it any more, and this is why; empty if it can be read
	more    chan struct{} // closed and replaced when there is more to read
	readers int
}

// cut is where the kubelet ends a log with an error that it writes into it: for the first reader who gets there, or for all.
type cut struct {
	at     int
	text   string
	before func() // what happens before
	forAll bool
}

func (l *podLog) change(change func()) {
	l.lock.Lock()
	defer l.lock.Unlock()
	change()
	close(l.more)
	l.more = make(chan struct{})
}

func (l *podLog) write(text string) { l.change(func() { l.text = append(l.text, text...) }) }

func (l *podLog) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return string(l.text)
}

// takeCut is the cut of a reader who gets there; nil if there is none.
func (l *podLog) takeCut() *cut {
	l.lock.Lock()
	defer l.lock.Unlock()
	taken := l.cut
	if taken == nil || taken.at > len(l.text) {
		return nil
	}
	if !taken.forAll {
		l.cut = nil
	}
	return taken
}

// next returns the text after an offset, whether the log ends there, and a channel that is closed when there is more text.
func (l *podLog) next(at int) (text []byte, ended, broken bool, more <-chan struct{}) {
	l.lock.Lock()
	defer l.lock.Unlock()
	text = l.text[min(at, len(l.text)):]
	if l.silent {
		return nil, false, false, l.more
	}
	if l.breakAt > at && l.breakAt <= len(l.text) {
		text = l.text[at:l.breakAt]
		l.breakAt = 0
		return text, false, true, l.more
	}
	return text, l.ended, false, l.more
}

func (w *fixture) serveLog(out http.ResponseWriter, in *http.Request, pod string) {
	log := w.log(pod, in.URL.Query().Get("container"))
	if _, err := w.kube.CoreV1().Pods(namespace).Get(in.Context(), pod, metav1.GetOptions{}); err != nil || log == nil {
		http.NotFound(out, in)
		return
	}
	if in.URL.Query().Get("timestamps") != "true" {
		http.Error(out, "not what was expected", http.StatusBadRequest)
		return
	}
	log.lock.Lock()
	at, failing, gone := log.from, log.failing, log.gone
	log.readers++
	log.lock.Unlock()
	if gone != "" {
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(http.StatusGone)
		_ = json.NewEncoder(out).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonGone, Message: gone,
		})
		return
	}
	if failing {
		http.Error(out, "the node does not answer", http.StatusBadGateway)
		return
	}
	for {
		if cut := log.takeCut(); cut != nil {
			cut.before()
			_, _ = io.WriteString(out, log.String()[at:cut.at]+cut.text) // the client has gone
			return
		}
		text, ended, broken, more := log.next(at)
		at += len(text)
		_, _ = out.Write(text) // the client has gone
		_ = http.NewResponseController(out).Flush()
		switch {
		case broken:
			panic(http.ErrAbortHandler)
		case ended || in.URL.Query().Get("follow") != "true" && !log.isSilent():
			return
		}
		select {
		case <-more:
		case <-in.Context().Done():
			return
		}
	}
}

// log is the log of a container of a pod; nil if there is none.
func (w *fixture) log(pod, container string) *podLog {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.logs[pod+"/"+container]
}

// addLog adds the log of a container of a pod.
func (w *fixture) addLog(pod, container string) *podLog {
	w.lock.Lock()
	defer w.lock.Unlock()
	log := &podLog{more: make(chan struct{})}
	w.logs[pod+"/"+container] = log
	return log
}

func (l *podLog) readersSoFar() int {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.readers
}

func (l *podLog) isSilent() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.silent
}

// start makes a build with an attempt whose container runs, and its Job.
func (w *fixture) start(name string, change ...func(*v1alpha1.ImageBuild)) (*v1alpha1.ImageBuild, *podLog) {
	w.t.Helper()
	log := w.addLog(name+"-pod", render.ContainerName)
	ours := map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name + "-pod", Labels: ours}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: render.ContainerName, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	pod = require.Value(w.kube.CoreV1().Pods(namespace).Create(w.t.Context(), pod, metav1.CreateOptions{}))(w.t)
	job := require.Value(w.kube.BatchV1().Jobs(namespace).Create(w.t.Context(), &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name + "-job", Labels: ours}}, metav1.CreateOptions{}))(w.t)
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	build.Status.Phase, build.Status.CurrentAttempt = v1alpha1.BuildRunning, 1
	build.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1, JobName: job.Name, JobUID: job.UID, PodName: pod.Name, PodUID: pod.UID, StartTime: metav1.NewTime(w.clock.Now())}}
	for _, c := range change {
		c(build)
	}
	build = require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Create(w.t.Context(), build, metav1.CreateOptions{}))(w.t)
	return build, log
}

// end has the container end, with its log.
func (w *fixture) end(name string) {
	w.t.Helper()
	log := w.log(name+"-pod", render.ContainerName)
	log.change(func() { log.ended = true })
	pods := w.kube.CoreV1().Pods(namespace)
	pod := require.Value(pods.Get(w.t.Context(), name+"-pod", metav1.GetOptions{}))(w.t)
	pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
	require.Value(pods.UpdateStatus(w.t.Context(), pod, metav1.UpdateOptions{}))(w.t)
}

// setContainers sets the states of the fetcher, the builder and the publisher of the pod of the build once.
func (w *fixture) setContainers(states ...corev1.ContainerState) {
	w.t.Helper()
	pods := w.kube.CoreV1().Pods(namespace)
	pod := require.Value(pods.Get(w.t.Context(), "once-pod", metav1.GetOptions{}))(w.t)
	pod.Spec.InitContainers = []corev1.Container{{Name: render.FetcherName}, {Name: render.ContainerName}}
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: render.FetcherName, State: states[0]}, {Name: render.ContainerName, State: states[1]}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: render.PublisherName, State: states[2]}}
	require.Value(pods.UpdateStatus(w.t.Context(), pod, metav1.UpdateOptions{}))(w.t)
}

// finish has the build finish.
func (w *fixture) finish(name string, phase v1alpha1.BuildPhase) {
	w.t.Helper()
	w.change(name, func(build *v1alpha1.ImageBuild) {
		build.Status.Phase, build.Status.Finished = phase, true
		build.Status.CompletionTime = &metav1.Time{Time: w.clock.Now()}
		for i := range build.Status.Attempts {
			build.Status.Attempts[i].Outcome = v1alpha1.AttemptFailed
			build.Status.Attempts[i].CompletionTime = build.Status.CompletionTime
		}
	})
}

func (w *fixture) change(name string, change func(*v1alpha1.ImageBuild)) {
	w.t.Helper()
	w.Expect(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		build, err := w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(w.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(build)
		_, err = w.client.ImagesV1alpha1().ImageBuilds(namespace).UpdateStatus(w.t.Context(), build, metav1.UpdateOptions{})
		return err
	})).To(Succeed())
}

// condition is LogArchived of a build, as "Status/Reason"; empty if there is none.
func (w *fixture) condition(name string) func() string {
	return func() string {
		build, err := w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(w.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		return conditionOf(build)
	}
}

func conditionOf(build *v1alpha1.ImageBuild) string {
	found := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildLogArchived)
	if found == nil {
		return ""
	}
	return string(found.Status) + "/" + found.Reason
}

// conditions starts to watch LogArchived of a build. The result returns every value since then, the present one included.
func (w *fixture) conditions(name string) func() []string {
	w.t.Helper()
	build := require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(w.t.Context(), name, metav1.GetOptions{}))(w.t)
	changes := require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Watch(w.t.Context(), metav1.ListOptions{ResourceVersion: build.ResourceVersion}))(w.t)
	values := []string{conditionOf(build)}
	return func() []string {
		defer changes.Stop()
		latest := require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(w.t.Context(), name, metav1.GetOptions{}))(w.t)
		for build.ResourceVersion != latest.ResourceVersion {
			event := watch.Event{}
			w.Eventually(changes.ResultChan()).Should(Receive(&event))
			build, _ = event.Object.(*v1alpha1.ImageBuild)
			values = append(values, conditionOf(build))
		}
		return values
	}
}

// archived returns the archived log of a build's first attempt.
func (w *fixture) archived(build *v1alpha1.ImageBuild) string {
	log, err := w.archive.Reader(w.t.Context(), key(build, &build.Status.Attempts[0]), archive.Position{})
	if errors.Is(err, archive.ErrNotFound) {
		return ""
	}
	w.Expect(err).NotTo(HaveOccurred())
	text := require.Value(io.ReadAll(log))(w.t)
	return string(text)
}

// deletePod deletes the pod of a build.
func (w *fixture) deletePod(build string) {
	w.t.Helper()
	w.Expect(w.kube.CoreV1().Pods(namespace).Delete(w.t.Context(), build+"-pod", metav1.DeleteOptions{})).To(Succeed())
}

func (w *fixture) record(build *v1alpha1.ImageBuild) func() (archive.Build, error) {
	return func() (archive.Build, error) {
		record, err := w.archive.GetBuild(context.Background(), namespace, build.UID)
		if err != nil {
			return archive.Build{}, err
		}
		return *record, nil
	}
}

func uid(object metav1.Object) types.UID { return object.GetUID() }
