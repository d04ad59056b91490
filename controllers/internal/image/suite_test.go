// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/retry"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/apitest"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/controllers/internal/resolution"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const (
	namespace = "default"
	patience  = 30 * time.Second
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard()) // what controller-runtime logs by itself
	os.Exit(m.Run())
}

// fixture is an API with the subresources that this controller uses, and what the controller is given.
type fixture struct {
	*WithT
	t      *testing.T
	client versioned.Interface
	mgr    manager.Manager
	clock  *testingclock.FakePassiveClock
	events *record.FakeRecorder
	r      *reconciler
	// counted has the metrics
	counted *prometheus.Registry
	// status of the answers to instantiate; 0 is as it should be
	refuse atomic.Int32
	// lost has instantiate end without an answer once it has created the build
	lost atomic.Bool
	// unpromotable has each move of a channel refused
	unpromotable atomic.Bool
	// unserved has each deletion answered by a server that does not have the API
	unserved atomic.Bool
}

// newFixture starts the caches, not the controller.
func newFixture(t *testing.T) *fixture {
	w := &fixture{WithT: NewWithT(t), t: t, clock: testingclock.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)), events: record.NewFakeRecorder(1000)}
	stored := apitest.New(
		v1alpha1.SchemeGroupVersion.WithKind("Image"), v1alpha1.SchemeGroupVersion.WithKind("ImageBuild"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"), corev1.SchemeGroupVersion.WithKind("Pod"), // which is indexed
		v1alpha1.SchemeGroupVersion.WithKind("Archive"), batchv1.SchemeGroupVersion.WithKind("Job"),
	)
	front := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		path := strings.Split(in.URL.Path, "/")
		switch name, last := path[len(path)-2], path[len(path)-1]; {
		case last == "instantiate":
			w.instantiate(out, in, name)
		case last == "cancel":
			w.cancel(out, in, name)
		case last == "channels":
			w.channels(out, in, name)
		case in.Method == http.MethodDelete && w.unserved.Load():
			http.NotFound(out, in)
		default:
			stored.ServeHTTP(out, in)
		}
	}))
	t.Cleanup(func() {
		stored.Close() // ends the watches
		front.Close()
	})
	cfg := stored.Config("controller")
	cfg.Host = front.URL
	w.client = versioned.NewForConfigOrDie(cfg)

	scheme := require.Value(caches.Scheme())(w.t)
	w.mgr = require.Value(ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, MapperProvider: caches.Mapper, Cache: caches.Options(),
		Metrics: server.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: new(true)},
	}))(w.t)
	w.Expect(caches.AddIndexes(t.Context(), w.mgr.GetFieldIndexer())).To(Succeed())
	w.counted = prometheus.NewRegistry()
	builds := require.Value(metrics.NewBuilds(w.counted))(w.t)
	w.r = &reconciler{cache: w.mgr.GetCache(), Options: Options{Metrics: builds, SourceChecks: require.Value(metrics.NewSourceChecks(w.counted))(w.t), Options: reconciliation.Options{
		Client: w.client, Kube: kubernetes.NewForConfigOrDie(cfg), Events: w.events, Clock: w.clock,
		Builders: inputs.Builders{Registered: map[string]inputs.Builder{"mock": {Image: "mock"}}},
	}}}
	return w
}

// start runs the manager until the test ends.
func (w *fixture) start() *fixture {
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.mgr.Start(running) }()
	w.t.Cleanup(func() {
		stop()
		w.Eventually(ended, patience).Should(Receive(Succeed()))
	})
	w.Expect(w.mgr.GetCache().WaitForCacheSync(running)).To(BeTrue()) // before that, the cache refuses to be read
	return w
}

// run runs the controller, too.
func (w *fixture) run() *fixture {
	w.Expect(New(w.r.Options, w.mgr.GetCache()).AddTo(w.mgr)).To(Succeed())
	return w.start()
}

// instantiate answers as the API does: the number is recorded before the build is created.
func (w *fixture) instantiate(out http.ResponseWriter, in *http.Request, name string) {
	request := &v1alpha1.BuildRequest{}
	if err := json.NewDecoder(in.Body).Decode(request); err != nil {
		answer(out, nil, apierrors.NewBadRequest(err.Error()))
		return
	}
	if code := int(w.refuse.Load()); code != 0 {
		answer(out, nil, apierrors.NewGenericServerResponse(code, "post", v1alpha1.Resource("images"), name, "refused", 0, false))
		return
	}
	build, err := w.allocate(in.Context(), name, request)
	if w.lost.Load() {
		panic(http.ErrAbortHandler) // the request was carried out, but the answer is lost
	}
	answer(out, build, err)
}

func (w *fixture) allocate(ctx context.Context, name string, request *v1alpha1.BuildRequest) (build *v1alpha1.ImageBuild, err error) {
	images, builds := w.client.ImagesV1alpha1().Images(namespace), w.client.ImagesV1alpha1().ImageBuilds(namespace)
	var image *v1alpha1.Image
	var record v1alpha1.BuildRequestRecord
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if image, err = images.Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		known := slices.IndexFunc(image.Status.RecentRequests, func(r v1alpha1.BuildRequestRecord) bool { return r.RequestID == request.RequestID })
		if known >= 0 {
			record = image.Status.RecentRequests[known]
			return nil
		}
		image.Status.BuildCounter++
		record = v1alpha1.BuildRequestRecord{RequestID: request.RequestID, Number: image.Status.BuildCounter}
		image.Status.RecentRequests = append(image.Status.RecentRequests, record)
		image, err = images.UpdateStatus(ctx, image, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := builds.Get(ctx, fmt.Sprintf("%s-%d", name, record.Number), metav1.GetOptions{}); record.UID != "" && apierrors.IsNotFound(err) {
		return nil, &apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonGone, Code: http.StatusGone, Message: "the build was deleted"}}
	}
	build = &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s-%d", name, record.Number)}}
	build.Spec.ImageRef, build.Spec.Number = &v1alpha1.ImageReference{Name: name, UID: image.UID}, &record.Number
	build.Spec.Inputs, build.Spec.ImageGeneration = image.Spec.BuildInputs, &image.Generation
	build.Spec.Trigger = &v1alpha1.BuildTrigger{RequestID: request.RequestID, Reason: request.Reason, Message: request.Message, Changes: request.Changes}
	build.Status.Phase = v1alpha1.BuildPending
	created, err := builds.Create(ctx, build, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return builds.Get(ctx, build.Name, metav1.GetOptions{})
	}
	return created, err
}

func (w *fixture) cancel(out http.ResponseWriter, in *http.Request, name string) {
	request := &v1alpha1.CancelRequest{}
	if err := json.NewDecoder(in.Body).Decode(request); err != nil {
		answer(out, nil, apierrors.NewBadRequest(err.Error()))
		return
	}
	build, err := w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(in.Context(), name, metav1.GetOptions{})
	if err == nil {
		build.Spec.CancelRequested = &v1alpha1.CancelRequested{SupersededBy: request.SupersededBy}
		build, err = w.client.ImagesV1alpha1().ImageBuilds(namespace).Update(in.Context(), build, metav1.UpdateOptions{})
	}
	answer(out, build, err)
}

// channels replaces the channels of an Image that is unchanged.
func (w *fixture) channels(out http.ResponseWriter, in *http.Request, name string) {
	wanted := &v1alpha1.ImageChannels{}
	if err := json.NewDecoder(in.Body).Decode(wanted); err != nil {
		answer(out, nil, apierrors.NewBadRequest(err.Error()))
		return
	}
	if w.unpromotable.Load() {
		answer(out, nil, apierrors.NewInvalid(v1alpha1.Kind("ImageChannels").GroupKind(), name, nil))
		return
	}
	images := w.client.ImagesV1alpha1().Images(namespace)
	image, err := images.Get(in.Context(), name, metav1.GetOptions{})
	if err == nil {
		image.ResourceVersion = wanted.ResourceVersion
		for i := range wanted.Channels {
			if wanted.Channels[i].Time.IsZero() {
				wanted.Channels[i].Time = metav1.NewTime(w.clock.Now())
			}
		}
		image.Status.Channels = wanted.Channels
		_, err = images.UpdateStatus(in.Context(), image, metav1.UpdateOptions{})
	}
	answer(out, wanted, err)
}

func answer(out http.ResponseWriter, object any, err error) {
	out.Header().Set("Content-Type", "application/json")
	if err != nil {
		status := apierrors.ReasonForError(err)
		failure := metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Reason: status, Message: err.Error(), Code: http.StatusInternalServerError}
		if known, ok := err.(apierrors.APIStatus); ok {
			failure.Code = known.Status().Code
		}
		out.WriteHeader(int(failure.Code))
		object = failure
	}
	_ = json.NewEncoder(out).Encode(object) // the client has gone
}

// create makes an Image with the changes of a test.
func (w *fixture) create(name string, change ...func(*v1alpha1.Image)) *v1alpha1.Image {
	w.t.Helper()
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1}}
	image.Spec.Builder.Name, image.Spec.Base.Reference = "mock", "debian:bookworm"
	image.Spec.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}
	for _, c := range change {
		c(image)
	}
	v1alpha1.SetObjectDefaults_Image(image)
	image = require.Value(w.client.ImagesV1alpha1().Images(namespace).Create(w.t.Context(), image, metav1.CreateOptions{}))(w.t)
	return image
}

func basedOn(name, channel string) func(*v1alpha1.Image) {
	return func(image *v1alpha1.Image) {
		image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: name, Channel: channel}}
	}
}

func (w *fixture) image(name string) *v1alpha1.Image {
	w.t.Helper()
	image := require.Value(w.client.ImagesV1alpha1().Images(namespace).Get(w.t.Context(), name, metav1.GetOptions{}))(w.t)
	return image
}

// edit changes an Image as a person does.
func (w *fixture) edit(name string, change func(*v1alpha1.Image)) {
	w.t.Helper()
	w.Expect(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		image := w.image(name)
		change(image)
		image.Generation++
		_, err := w.client.ImagesV1alpha1().Images(namespace).Update(w.t.Context(), image, metav1.UpdateOptions{})
		return err
	})).To(Succeed())
}

// builds are the names of an Image's builds, oldest first.
func (w *fixture) builds(image string) []string {
	w.t.Helper()
	var names []string
	for _, build := range w.list() {
		if build.Spec.ImageRef.Name == image {
			names = append(names, build.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *fixture) list() []v1alpha1.ImageBuild {
	w.t.Helper()
	list := require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).List(w.t.Context(), metav1.ListOptions{}))(w.t)
	return list.Items
}

// finish ends every unfinished build. The digest of a successful build follows from its inputs.
func (w *fixture) finish(phase v1alpha1.BuildPhase) {
	w.t.Helper()
	for _, build := range w.list() {
		if build.Status.Finished {
			continue
		}
		now := require.Value(w.r.sources(resolution.FromAPI(w.client)).ResolveBuild(w.t.Context(), &build))(w.t)
		build.Status.Resolved = now.Resolved
		build.Status.Phase, build.Status.Finished, build.Status.CompletionTime = phase, true, new(metav1.NewTime(w.clock.Now()))
		if phase == v1alpha1.BuildSucceeded {
			build.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: contents.Digest([]byte(now.Resolved.InputsDigest))}}
		} else {
			build.Status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed}
		}
		require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).UpdateStatus(w.t.Context(), &build, metav1.UpdateOptions{}))(w.t)
	}
}

// reconcile reconciles the Image debian once, after the caches have caught up with the API.
func (w *fixture) reconcile() (ctrl.Result, error) {
	w.t.Helper()
	key := types.NamespacedName{Namespace: namespace, Name: "debian"}
	w.Eventually(func(g Gomega) {
		cached, live := &v1alpha1.Image{}, w.image(key.Name)
		g.Expect(w.r.cache.Get(w.t.Context(), key, cached)).To(Succeed())
		g.Expect(cached.ResourceVersion).To(Equal(live.ResourceVersion))
		list := &v1alpha1.ImageBuildList{}
		g.Expect(w.r.cache.List(w.t.Context(), list)).To(Succeed())
		g.Expect(versions(list.Items)).To(Equal(versions(w.list())))
	}, patience).Should(Succeed())
	return w.r.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: key})
}

func versions(builds []v1alpha1.ImageBuild) map[string]string {
	versions := map[string]string{}
	for i := range builds {
		versions[builds[i].Name] = builds[i].ResourceVersion
	}
	return versions
}

// countedFixes is the number of fixes of all Images that the metric has counted.
func (w *fixture) countedFixes() (count uint64) {
	for _, family := range require.Value(w.counted.Gather())(w.t) {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "goldsmith_fix_duration_seconds" {
				count += metric.GetHistogram().GetSampleCount()
			}
		}
	}
	return count
}

// warnings returns the Warning events since the last call, which it takes with all others.
func (w *fixture) warnings() []string { return w.told(corev1.EventTypeWarning) }

// told returns the events since the last call that begin with a text, and takes them with all others.
func (w *fixture) told(beginning string) []string {
	var told []string
	for len(w.events.Events) > 0 {
		if event := <-w.events.Events; strings.HasPrefix(event, beginning) {
			told = append(told, event)
		}
	}
	return told
}
