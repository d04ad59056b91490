// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kubefake "k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/probe"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

const (
	mirror   = "http://deb.debian.org/debian-security"
	suite    = "trixie-security"
	nothing  = `{"version":1,"outcome":"Failed","failure":{"reason":"MirrorUnavailable","message":"503"}}`
	interval = 30 * time.Minute
)

// checked is the archive of most tests.
var checked = probe.Archive{Builder: "debian", URI: mirror, Suite: suite}

// world is an API with Images, builds, locks and Archives, and the controller, whose cache is never behind.
type world struct {
	*testing.T
	client  *fake.Clientset
	kube    *kubefake.Clientset
	clock   *testingclock.FakePassiveClock
	locks   map[string]*v1alpha1.Lock                  // by the names of builds
	logs    map[string]string                          // by the names of pods
	refuse  error                                      // of the creation of Jobs
	occupy  map[string]func(*batchv1.Job) *batchv1.Job // by namespaces: changes the next Job that is created, of a user who is faster
	replace func()                                     // is called before a log is opened
	pod     func(*corev1.Pod)                          // changes the pods of Jobs, as users can
	*Archives
}

func newWorld(t *testing.T) *world {
	w := &world{
		T: t, client: fake.NewSimpleClientset(), kube: kubefake.NewClientset(), locks: map[string]*v1alpha1.Lock{}, logs: map[string]string{},
		occupy: map[string]func(*batchv1.Job) *batchv1.Job{},
		clock:  testingclock.NewFakePassiveClock(time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)),
	}
	w.client.PrependReactor("get", "imagebuilds", func(action k8stesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "packages" {
			return false, nil, nil
		}
		name := action.(k8stesting.GetActionImpl).Name
		lock := w.locks[name]
		if lock == nil {
			return true, nil, apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), name)
		}
		return true, &v1alpha1.ImageBuildPackages{BuildUID: types.UID(name), Locks: []v1alpha1.ArtifactLock{{Lock: *lock}}}, nil
	})
	w.client.PrependReactor("create", "archives", func(action k8stesting.Action) (bool, runtime.Object, error) {
		archive := action.(k8stesting.CreateAction).GetObject().(*v1alpha1.Archive)
		archive.UID = types.UID(archive.Name)
		return false, nil, nil
	})
	w.kube.PrependReactor("create", "jobs", func(action k8stesting.Action) (bool, runtime.Object, error) {
		create := action.(k8stesting.CreateActionImpl)
		job := create.Object.(*batchv1.Job)
		if len(create.CreateOptions.DryRun) > 0 {
			return true, job, w.refuse
		}
		if occupy := w.occupy[job.Namespace]; occupy != nil {
			delete(w.occupy, job.Namespace)
			require.NoError(w.T, w.kube.Tracker().Add(occupy(job.DeepCopy())))
			return true, nil, apierrors.NewAlreadyExists(batchv1.Resource("jobs"), job.Name)
		}
		job.CreationTimestamp = metav1.NewTime(w.clock.Now())
		if job.UID == "" {
			job.UID = types.UID("uid-" + job.Name)
		}
		return w.refuse != nil, nil, w.refuse
	})
	w.kube.PrependReactor("get", "pods", func(action k8stesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "log" {
			return false, nil, nil
		}
		if w.replace != nil {
			w.replace()
		}
		return true, &runtime.Unknown{Raw: []byte(w.logs["pod"])}, nil
	})
	w.restart()
	return w
}

// restart makes a controller that remembers nothing.
func (w *world) restart() {
	builders := inputs.Builders{Registered: map[string]inputs.Builder{
		"debian": {Image: "debian-builder", Capabilities: capability.Capabilities{Probe: true}}, "shell": {Image: "shell"},
	}}
	w.Archives = New(Options{
		Options:   reconciliation.Options{Client: w.client, Kube: w.kube, Clock: w.clock, Builders: builders},
		Namespace: v1alpha1.ArchiveNamespace, Interval: interval, Wave: 2, Metrics: require.Value(metrics.NewArchiveChecks(prometheus.NewRegistry()))(w.T),
	}, w)
}

// Get reads from the cache.
func (w *world) Get(ctx context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	var found client.Object
	var err error
	switch object.(type) {
	case *v1alpha1.Archive:
		found, err = w.client.ImagesV1alpha1().Archives().Get(ctx, key.Name, metav1.GetOptions{})
	case *v1alpha1.Image:
		found, err = w.client.ImagesV1alpha1().Images(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	case *v1alpha1.ImageBuild:
		found, err = w.client.ImagesV1alpha1().ImageBuilds(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	case *batchv1.Job:
		found, err = w.kube.BatchV1().Jobs(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
		if err == nil && found.GetLabels()[v1alpha1.LabelManagedBy] == "" {
			err = apierrors.NewNotFound(batchv1.Resource("jobs"), key.Name) // the cache has no other Jobs
		}
	}
	if err == nil {
		reflect.ValueOf(object).Elem().Set(reflect.ValueOf(found).Elem())
	}
	return err
}

// List reads from the cache. Of builds, it returns those of the Image with a UID, or those that were started for new packages.
func (w *world) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	switch list := list.(type) {
	case *v1alpha1.ArchiveList:
		list.Items = require.Value(w.client.ImagesV1alpha1().Archives().List(ctx, metav1.ListOptions{}))(w.T).Items
	case *v1alpha1.ImageList:
		list.Items = require.Value(w.client.ImagesV1alpha1().Images("").List(ctx, metav1.ListOptions{}))(w.T).Items
	case *v1alpha1.ImageBuildList:
		given := (&client.ListOptions{}).ApplyOptions(options)
		for _, build := range require.Value(w.client.ImagesV1alpha1().ImageBuilds("").List(ctx, metav1.ListOptions{}))(w.T).Items {
			update := build.Spec.Trigger != nil && strings.HasPrefix(given.FieldSelector.String(), caches.BuildsByUpdate)
			if update || strings.HasSuffix(given.FieldSelector.String(), "="+string(build.Spec.ImageRef.UID)) {
				list.Items = append(list.Items, build)
			}
		}
	case *batchv1.JobList: // the only ones that are listed are those of resolves
		list.Items = require.Value(w.kube.BatchV1().Jobs("").List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelResolve}))(w.T).Items
	default:
		return errors.ErrUnsupported
	}
	return nil
}

// image stores an Image with a build that has a lock of packages, each NAME=VERSION, from an archive of a date.
func (w *world) image(name, base, uri string, date time.Time, packages ...string) *v1alpha1.Image {
	w.Helper()
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "team", UID: types.UID(name + "-uid")}}
	image.Spec.Builder.Name, image.Spec.Triggers = "debian", &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{}}
	if base != "" {
		image.Spec.Base.ImageRef = &v1alpha1.BaseImageReference{Name: base}
	}
	v1alpha1.SetObjectDefaults_Image(image)
	images := w.client.ImagesV1alpha1().Images("team")
	_, err := images.Create(w.Context(), image, metav1.CreateOptions{})
	require.NoError(w.T, client.IgnoreAlreadyExists(err))
	w.build(image, 1, uri, date, packages...)
	return image
}

// build stores a build of an Image that has succeeded.
func (w *world) build(image *v1alpha1.Image, number int64, uri string, date time.Time, packages ...string) {
	w.Helper()
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", image.Name, number), Namespace: "team"}}
	build.UID = types.UID(build.Name)
	build.Spec.ImageRef, build.Spec.Number, build.Spec.Inputs = &v1alpha1.ImageReference{Name: image.Name, UID: image.UID}, new(number), image.Spec.BuildInputs
	build.Status.Phase, build.Status.Finished = v1alpha1.BuildSucceeded, true
	build.Status.Artifacts = []v1alpha1.Artifact{{Documents: []v1alpha1.ArtifactDocument{{Type: v1alpha1.DocumentLock, Verified: v1alpha1.ArtifactVerifiedContent}}}}
	if ref := image.Spec.Base.ImageRef; ref != nil {
		build.Status.Resolved = &v1alpha1.ResolvedInputs{Base: &v1alpha1.BaseBuild{Name: ref.Name + "-1"}}
	}
	require.Value(w.client.ImagesV1alpha1().ImageBuilds("team").Create(w.Context(), build, metav1.CreateOptions{}))(w.T)
	lock := &v1alpha1.Lock{Sources: []v1alpha1.PackageSource{{URI: uri, Suite: suite, Component: "main", Release: &v1alpha1.ReleaseFile{Date: &metav1.Time{Time: date}}}}}
	for _, text := range packages {
		name, version, _ := strings.Cut(text, "=")
		lock.Packages = append(lock.Packages, v1alpha1.Package{Name: name, Version: version, Architecture: "amd64"})
	}
	w.locks[build.Name] = lock
}

// reconcile looks for archives, and does the next step of each. It returns when the only archive is due.
func (w *world) reconcile() (after time.Duration) {
	w.Helper()
	require.Value(w.Reconcile(w.Context(), search))(w.T)
	for _, archive := range w.archives() {
		after = require.Value(w.Reconcile(w.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Name: archive.Name}}))(w.T).RequeueAfter
	}
	return after
}

func (w *world) archives() []v1alpha1.Archive {
	w.Helper()
	return require.Value(w.client.ImagesV1alpha1().Archives().List(w.Context(), metav1.ListOptions{}))(w.T).Items
}

// archive is the only Archive.
func (w *world) archive() *v1alpha1.Archive {
	w.Helper()
	all := w.archives()
	if len(all) != 1 {
		w.Fatalf("there are %d archives", len(all))
	}
	return &all[0]
}

// asked returns the question of the only Job.
func (w *world) asked() *render.InputProbe {
	w.Helper()
	jobs := require.Value(w.kube.BatchV1().Jobs(v1alpha1.ArchiveNamespace).List(w.Context(), metav1.ListOptions{}))(w.T).Items
	if len(jobs) != 1 {
		w.Fatalf("there are %d Jobs", len(jobs))
	}
	return require.Value(render.ParseInput([]byte(jobs[0].Spec.Template.Annotations[v1alpha1.AnnotationInput])))(w.T).Probe
}

// answer ends the only Job with an answer: a release of a date with updates, or unchanged if there is no date.
func (w *world) answer(date time.Time, updates ...v1alpha1.PackageUpdate) {
	w.Helper()
	release := v1alpha1.ArchiveRelease{Date: metav1.NewTime(date), SHA256: fmt.Sprintf("%064x", date.Unix())}
	unchanged := date.IsZero()
	if unchanged {
		release = *w.archive().Status.Release
	}
	var log strings.Builder
	for _, update := range updates {
		line := require.Value(json.Marshal(result.UpdateLine{Update: result.Update{
			Name: update.Name, Architecture: update.Architecture, From: update.From, To: update.To, Security: update.Security,
		}}))(w.T)
		fmt.Fprintf(&log, "2026-11-20T08:00:00.000000000Z %s\n", line)
	}
	w.logs["pod"] = log.String()
	text := require.Value(json.Marshal(map[string]any{
		"version": 1, "outcome": "Succeeded", "probe": result.Probe{Release: release, Updates: len(updates), Unchanged: unchanged},
	}))(w.T)
	w.end(string(text), 0)
}

// end ends all Jobs with a message.
func (w *world) end(message string, exitCode int32) {
	w.Helper()
	w.endIn(v1alpha1.ArchiveNamespace, message, exitCode)
	pods := w.kube.CoreV1().Pods(v1alpha1.ArchiveNamespace) // as the garbage collector does
	for _, pod := range require.Value(pods.List(w.Context(), metav1.ListOptions{}))(w.T).Items {
		require.NoError(w.T, pods.Delete(w.Context(), pod.Name, metav1.DeleteOptions{}))
	}
}

// endIn ends all Jobs of a namespace with a message.
func (w *world) endIn(namespace, message string, exitCode int32) {
	w.Helper()
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: exitCode, Message: message}}
	w.endPodsIn(namespace, corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: render.ContainerName, State: ended}}})
}

// endPodsIn ends the Jobs of a namespace, each with a pod of this status.
func (w *world) endPodsIn(namespace string, status corev1.PodStatus) {
	w.Helper()
	jobs := w.kube.BatchV1().Jobs(namespace)
	for _, job := range require.Value(jobs.List(w.Context(), metav1.ListOptions{}))(w.T).Items {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Name: job.Name, Namespace: job.Namespace, Labels: map[string]string{batchv1.ControllerUidLabel: string(job.UID)},
			Annotations:     job.Spec.Template.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(&job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		}, Spec: *job.Spec.Template.Spec.DeepCopy(), Status: status}
		if w.pod != nil {
			w.pod(pod)
		}
		require.Value(w.kube.CoreV1().Pods(job.Namespace).Create(w.Context(), pod, metav1.CreateOptions{}))(w.T)
		job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(w.clock.Now())}}
		require.Value(jobs.UpdateStatus(w.Context(), &job, metav1.UpdateOptions{}))(w.T)
	}
	w.reconcile()
}

func (w *world) candidates(image string) *trigger.Candidates {
	w.Helper()
	found := require.Value(w.client.ImagesV1alpha1().Images("team").Get(w.Context(), image, metav1.GetOptions{}))(w.T)
	builds := require.Value(caches.BuildsOf(w.Context(), w, found))(w.T)
	all, _, err := w.Candidates(w.Context(), found, builds)
	require.NoError(w.T, err)
	return all
}

func newer(name, from string) v1alpha1.PackageUpdate {
	return v1alpha1.PackageUpdate{Name: name, Architecture: "amd64", From: from, To: "2", Security: true}
}

func names(updates []v1alpha1.PackageUpdate) (all []string) {
	for _, update := range updates {
		all = append(all, fmt.Sprintf("%s %s→%s since %s", update.Name, update.From, update.To, update.Since.UTC().Format("15:04")))
	}
	return all
}

func TestArchivesAreCheckedForThePackagesOfImages(t *testing.T) {
	w := newWorld(t)
	start := w.clock.Now()
	w.image("web", "", "HTTP://Deb.Debian.org:80/debian-security/", start.Add(-time.Hour), "openssl=1", "nginx=1")
	w.image("db", "", mirror, start.Add(-2*time.Hour), "openssl=1", "postgres=1")
	w.reconcile()
	if got := w.archive(); got.Spec != (v1alpha1.ArchiveSpec{Builder: "debian", URI: mirror, Suite: suite}) || !strings.HasPrefix(got.Name, "debian-trixie-security-") {
		t.Errorf("the archive is %+v", got)
	}
	if got := w.candidates("web"); got == nil || !strings.HasSuffix(got.Unknown, "is not checked yet") {
		t.Errorf("before the check there are %+v", got)
	}
	want := map[string]map[string][]string{"amd64": {"nginx": {"1"}, "openssl": {"1"}, "postgres": {"1"}}}
	if got := w.asked(); got.Conditional || got.Release != nil || !reflect.DeepEqual(got.Packages, want) || !slices.Equal(got.Archive.Components, []string{"main"}) {
		t.Errorf("asks %+v", got)
	}
	w.restart() // while it runs
	w.answer(start.Add(-30*time.Minute), newer("openssl", "1"))
	archive := w.archive()
	if status := archive.Status; status.Checks != 1 || status.Images != 2 || status.Packages != 3 || !status.LastCheckTime.Time.Equal(start) ||
		!meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ArchiveReady) || !slices.Equal(names(status.Updates), []string{"openssl 1→2 since 07:30"}) {
		t.Errorf("the status is %+v", status)
	}
	for _, image := range []string{"web", "db"} {
		if got := w.candidates(image); got.Unknown != "" || len(got.Updates) != 1 || got.Updates[0].Archive != archive.Name || len(got.Archives) != 1 {
			t.Errorf("image %s has %+v", image, got)
		}
	}
	if after := w.reconcile(); after < interval || after > interval*11/10 {
		t.Errorf("checks again after %s", after)
	}

	// The fix is built: the lock is of the state that was checked, so nobody asks anew, until the time has come.
	image := require.Value(w.client.ImagesV1alpha1().Images("team").Get(t.Context(), "web", metav1.GetOptions{}))(t)
	w.build(image, 2, mirror, archive.Status.Release.Date.Time, "openssl=2", "nginx=1")
	if after := w.reconcile(); after < interval || w.candidates("web").Updates != nil {
		t.Errorf("asks again after %s: %+v", after, w.candidates("web"))
	}
	w.clock.SetTime(start.Add(interval * 2))
	w.reconcile()
	if got := w.asked(); !got.Conditional || got.Release == nil {
		t.Errorf("asks %+v", got)
	}
	w.answer(time.Time{})
	if got := names(w.archive().Status.Updates); !slices.Equal(got, []string{"openssl 1→2 since 07:30"}) {
		t.Errorf("the unchanged archive has %q", got)
	}

	// An Image that was made from an older state asks within a minute. What the archive had before is not newer for it.
	w.image("old", "", mirror, start.Add(-48*time.Hour), "openssl=0", "curl=1")
	w.clock.SetTime(w.clock.Now().Add(look))
	w.reconcile()
	if got := w.asked(); got.Conditional {
		t.Errorf("asks %+v", got)
	}
	w.answer(start.Add(time.Minute), newer("openssl", "0"), newer("openssl", "1"), newer("curl", "1"))
	if got := names(w.archive().Status.Updates); !slices.Equal(got, []string{"curl 1→2 since 08:01", "openssl 0→2 since 07:30", "openssl 1→2 since 07:30"}) {
		t.Errorf("the updates are %q", got)
	}

	for _, image := range []string{"web", "db", "old"} {
		require.NoError(t, w.client.ImagesV1alpha1().Images("team").Delete(t.Context(), image, metav1.DeleteOptions{}))
	}
	w.reconcile()
	if got := w.archives(); len(got) != 0 {
		t.Errorf("without images, %d archives remain", len(got))
	}
}

func TestAFailedCheckIsToldAndRepeated(t *testing.T) {
	w := newWorld(t)
	w.image("web", "", mirror, w.clock.Now().Add(-time.Hour), "openssl=1")
	w.reconcile()
	w.answer(w.clock.Now(), newer("openssl", "1"))
	start := w.clock.Now()
	for i, c := range []struct {
		end func()
		why string
	}{
		{func() { w.end(nothing, 1) }, "MirrorUnavailable: 503"},
		{func() { w.end("", 0) }, "no result"},
		{func() { w.answer(start.Add(-time.Hour)) }, "older than in an earlier check (2026-11-20T08:00:00Z)"},
		{func() { w.answer(start.Add(48 * time.Hour)) }, "in the future"},
		{func() { w.answer(start, newer("bash", "1")) }, "bash"},
		{func() { w.clock.SetTime(w.clock.Now().Add(jobLimit)); w.reconcile() }, "has not ended within 20m0s"},
		{func() {
			w.refuse = apierrors.NewForbidden(batchv1.Resource("jobs"), "check", errors.New("exceeded quota"))
			w.reconcile()
			w.refuse = nil
		}, "exceeded quota"},
	} {
		w.clock.SetTime(w.clock.Now().Add(2 * interval))
		if !strings.Contains(c.why, "quota") {
			w.reconcile()
		}
		c.end()
		status := w.archive().Status
		ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ArchiveReady)
		if ready.Status != metav1.ConditionFalse || !strings.Contains(ready.Message, c.why) || int(status.ConsecutiveFailures) != i+1 {
			t.Errorf("after %d failures, the condition is %+v, want %s", status.ConsecutiveFailures, ready, c.why)
		}
		if got := w.candidates("web"); len(got.Updates) != 1 {
			t.Errorf("%s: what was known is lost: %+v", c.why, got)
		}
		if after := w.reconcile(); after < min(interval, time.Minute<<i) || after > interval*11/10 {
			t.Errorf("failure %d is repeated after %s", i+1, after)
		}
	}
	w.clock.SetTime(start.Add(24 * time.Hour))
	if got := w.candidates("web"); !strings.Contains(got.Unknown, "cannot be checked: ") {
		t.Errorf("after a day, there are %+v", got)
	}
}

func TestWhatIsUnknownIsTold(t *testing.T) {
	w := newWorld(t)
	old := w.clock.Now().Add(-time.Hour)
	shell := w.image("shell", "", mirror, old, "openssl=1")
	shell.Spec.Builder.Name = "shell"
	require.Value(w.client.ImagesV1alpha1().Images("team").Update(t.Context(), shell, metav1.UpdateOptions{}))(t)
	w.image("unread", "", mirror, old, "openssl=1")
	delete(w.locks, "unread-1")
	if got := w.candidates("shell"); !got.NotSupported || !strings.Contains(got.Unknown, "checks no archives") {
		t.Errorf("with a builder that cannot, %+v", got)
	}
	if got := w.candidates("unread"); got.NotSupported || !strings.Contains(got.Unknown, "the packages of build unread-1 cannot be read") {
		t.Errorf("without a lock, %+v", got)
	}
	w.reconcile()
	if got := w.archives(); len(got) != 0 {
		t.Errorf("there are archives: %+v", got)
	}
	lost := w.image("lost", "", mirror, old, "openssl=1")
	lost.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Name: "lost-2", Number: 2}
	require.Value(w.client.ImagesV1alpha1().Images("team").UpdateStatus(t.Context(), lost, metav1.UpdateOptions{}))(t)
	if got := w.candidates("lost"); !strings.Contains(got.Unknown, "the packages of build lost-2 are unknown, because it was deleted") {
		t.Errorf("after the deletion of the latest build, %+v", got)
	}
	bare := require.Value(w.client.ImagesV1alpha1().ImageBuilds("team").Get(t.Context(), "unread-1", metav1.GetOptions{}))(t)
	bare.Status.Artifacts = nil
	image := require.Value(w.client.ImagesV1alpha1().Images("team").Get(t.Context(), "unread", metav1.GetOptions{}))(t)
	if got, again, err := w.Candidates(t.Context(), image, []v1alpha1.ImageBuild{*bare}); err != nil || again != 0 || !strings.Contains(got.Unknown, "has no lock") {
		t.Errorf("of a build without a lock, it asks again after %s: %+v, %v", again, got, err)
	}
}

// Packages of a base are those of its own Image, which is built first.
func TestPackagesOfABaseAreLeftToTheBase(t *testing.T) {
	w := newWorld(t)
	old := w.clock.Now().Add(-time.Hour)
	w.image("base", "", mirror, old, "openssl=1")
	w.image("middle", "base", mirror, old, "openssl=1", "nginx=1")
	w.image("top", "middle", mirror, old, "openssl=1", "nginx=1", "php=1")
	w.reconcile()
	w.answer(w.clock.Now(), newer("openssl", "1"), newer("php", "1"))
	got := map[string][]string{}
	for _, image := range []string{"base", "middle", "top"} {
		for _, update := range w.candidates(image).Updates {
			got[image] = append(got[image], update.Name)
		}
	}
	if want := (map[string][]string{"base": {"openssl"}, "top": {"php"}}); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the images have %v, want %v", got, want)
	}
	top := require.Value(w.client.ImagesV1alpha1().Images("team").Get(t.Context(), "top", metav1.GetOptions{}))(t)
	if coming := require.Value(w.BaseComing(t.Context(), top))(t); coming {
		t.Error("the base comes although it has no status")
	}
	base := require.Value(w.client.ImagesV1alpha1().Images("team").Get(t.Context(), "base", metav1.GetOptions{}))(t)
	base.Status.LatestSuccessful, base.Status.InputsDigest = &v1alpha1.SuccessfulBuild{Name: "base-1", Number: 1}, "A"
	base.Status.LastAttempted = &v1alpha1.AttemptedBuild{Number: 1, InputsDigest: "A"}
	require.Value(w.client.ImagesV1alpha1().Images("team").UpdateStatus(t.Context(), base, metav1.UpdateOptions{}))(t)
	if coming := require.Value(w.BaseComing(t.Context(), top))(t); !coming {
		t.Error("the base of the base does not come first")
	}
	base.Spec.Suspend = new(true)
	require.Value(w.client.ImagesV1alpha1().Images("team").Update(t.Context(), base, metav1.UpdateOptions{}))(t)
	builds := w.client.ImagesV1alpha1().ImageBuilds("team")
	w.build(base, 2, mirror, old, "openssl=1")
	unfinished := require.Value(builds.Get(t.Context(), "base-2", metav1.GetOptions{}))(t)
	unfinished.Status.Phase, unfinished.Status.Finished = v1alpha1.BuildQueued, false
	require.Value(builds.UpdateStatus(t.Context(), unfinished, metav1.UpdateOptions{}))(t)
	if coming := require.Value(w.BaseComing(t.Context(), top))(t); !coming {
		t.Error("a build of a base that its status does not tell yet does not come first")
	}

	require.NoError(t, builds.Delete(t.Context(), "middle-1", metav1.DeleteOptions{}))
	if got := w.candidates("top"); !strings.Contains(got.Unknown, "the builds of the base (image middle) were deleted") {
		t.Errorf("without a build of the base, the candidates are %+v", got)
	}
}

func TestBuildsOfOtherImagesForTheSamePackagesComeFirst(t *testing.T) {
	w := newWorld(t)
	old := w.clock.Now().Add(-time.Hour)
	updates := []v1alpha1.PackageUpdate{newer("openssl", "1")}
	hold := func(name string) *trigger.Hold {
		image := require.Value(w.client.ImagesV1alpha1().Images("team").Get(t.Context(), name, metav1.GetOptions{}))(t)
		return require.Value(w.Hold(t.Context(), image, updates))(t)
	}
	end := func(name string, phase v1alpha1.BuildPhase) {
		t.Helper()
		builds := w.client.ImagesV1alpha1().ImageBuilds("team")
		build := require.Value(builds.Get(t.Context(), name+"-1", metav1.GetOptions{}))(t)
		build.Spec.Trigger = &v1alpha1.BuildTrigger{Packages: &v1alpha1.ImagePackages{Updates: updates}}
		build.Status.Phase, build.Status.Finished = phase, phase.Finished()
		if phase == v1alpha1.BuildFailed {
			build.Status.Failure = v1alpha1.ReasonTestsFailed.Failure("test web: 500")
		}
		require.Value(builds.Update(t.Context(), build, metav1.UpdateOptions{}))(t)
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		w.image(name, "", mirror, old, "openssl=1")
	}
	if hold("a") != nil || hold("b") != nil {
		t.Error("the first wave waits")
	}
	if got := hold("c"); got == nil || got.Paused {
		t.Errorf("the second wave has %+v before the builds of the first are in the cache", got)
	}
	end("a", v1alpha1.BuildRunning)
	end("b", v1alpha1.BuildRunning)
	w.clock.SetTime(w.clock.Now().Add(2 * reservation))
	if got := hold("c"); got == nil || got.Paused {
		t.Errorf("the second wave has %+v", got)
	}
	end("a", v1alpha1.BuildFailed)
	end("b", v1alpha1.BuildFailed)
	if got := hold("c"); got == nil || !got.Paused || !strings.Contains(got.Message, "TestsFailed (test web), a-1, b-1") {
		t.Errorf("after failures the others have %+v", got)
	}
	image := require.Value(w.client.ImagesV1alpha1().Images("team").Get(t.Context(), "b", metav1.GetOptions{}))(t)
	image.Spec.Suspend = new(true)
	require.Value(w.client.ImagesV1alpha1().Images("team").Update(t.Context(), image, metav1.UpdateOptions{}))(t)
	if got := hold("c"); got != nil {
		t.Errorf("after one of the images was suspended, the others have %+v", got)
	}
}

func TestAnArchiveThatCannotBeCheckedDoesNotStopTheOthers(t *testing.T) {
	w := newWorld(t)
	image := w.image("web", "", mirror, w.clock.Now().Add(-time.Hour), "openssl=1", "curl=1")
	dead := probe.Archive{Builder: "debian", URI: "http://dead.example.com/debian", Suite: suite}
	w.locks["web-1"].Sources = append(w.locks["web-1"].Sources, v1alpha1.PackageSource{URI: dead.URI, Suite: suite})
	w.reconcile()
	archive := require.Value(w.client.ImagesV1alpha1().Archives().Get(t.Context(), checked.Name(), metav1.GetOptions{}))(t)
	archive.Status.Release, archive.Status.LastCheckTime = &v1alpha1.ArchiveRelease{Date: metav1.NewTime(w.clock.Now())}, &metav1.Time{Time: w.clock.Now()}
	archive.Status.Updates, archive.Status.UpdateCount = []v1alpha1.PackageUpdate{newer("openssl", "1")}, 1
	require.Value(w.client.ImagesV1alpha1().Archives().UpdateStatus(t.Context(), archive, metav1.UpdateOptions{}))(t)
	if got := w.candidates("web"); got.Unknown != "" || len(got.Updates) != 1 || !strings.Contains(got.Partial, dead.Name()+" is not checked yet") {
		t.Errorf("there are %+v", got)
	}

	kept := newer("curl", "1")
	kept.Archive = dead.Name()
	image.Status.Packages = &v1alpha1.ImagePackages{
		Build: "web-1", Archives: []v1alpha1.ArchiveState{{Name: kept.Archive}}, Updates: []v1alpha1.PackageUpdate{kept},
	}
	require.Value(w.client.ImagesV1alpha1().Images("team").UpdateStatus(t.Context(), image, metav1.UpdateOptions{}))(t)
	if got := w.candidates("web"); len(got.Updates) != 2 || len(got.Archives) != 2 {
		t.Errorf("with what was known, there are %+v", got)
	}

	archive.Status.UpdateCount = 2
	require.Value(w.client.ImagesV1alpha1().Archives().UpdateStatus(t.Context(), archive, metav1.UpdateOptions{}))(t)
	w.locks["web-1"].Sources = w.locks["web-1"].Sources[:1]
	w.restart()
	if got := w.candidates("web"); !strings.Contains(got.Partial, "has more newer versions than its status lists") {
		t.Errorf("of a cut list there are %+v", got)
	}
}

// forgeries are Jobs with the name of one that the controller renders, of users who can create Jobs, and can read what it creates elsewhere.
var forgeries = map[string]func(*batchv1.Job){
	"another image":   func(job *batchv1.Job) { job.Spec.Template.Spec.Containers[0].Image = "forger:1" },
	"another command": func(job *batchv1.Job) { job.Spec.Template.Spec.Containers[0].Command = []string{"forge"} },
	"another input": func(job *batchv1.Job) {
		input := job.Spec.Template.Annotations[v1alpha1.AnnotationInput]
		job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = strings.NewReplacer("openssl", "bash", `"resolve":true`, `"resolve":false`).Replace(input)
	},
	"no owner": func(job *batchv1.Job) { job.OwnerReferences = nil },
	"no label": func(job *batchv1.Job) { job.Labels, job.Spec.Template.Spec.Containers[0].Image = nil, "forger:1" },
}

// forge changes the only Job in a namespace, as if a user had created it.
func (w *world) forge(namespace string, change func(*batchv1.Job)) *batchv1.Job {
	w.Helper()
	jobs := w.kube.BatchV1().Jobs(namespace)
	all := require.Value(jobs.List(w.Context(), metav1.ListOptions{}))(w.T).Items
	if len(all) != 1 {
		w.Fatalf("there are %d Jobs", len(all))
	}
	require.NoError(w.T, jobs.Delete(w.Context(), all[0].Name, metav1.DeleteOptions{}))
	return require.Value(jobs.Create(w.Context(), forgery(&all[0], change), metav1.CreateOptions{}))(w.T)
}

func forgery(job *batchv1.Job, change func(*batchv1.Job)) *batchv1.Job {
	job.UID = "forged"
	change(job)
	return job
}

// exists reports whether a Job was left alone.
func (w *world) exists(job *batchv1.Job) bool {
	w.Helper()
	found, err := w.kube.BatchV1().Jobs(job.Namespace).Get(w.Context(), job.Name, metav1.GetOptions{})
	require.NoError(w.T, client.IgnoreNotFound(err))
	return err == nil && found.UID == job.UID
}

// checkedWithUpdate is a world whose archive has a security update, and is being checked again.
func checkedWithUpdate(t *testing.T) *world {
	w := newWorld(t)
	w.image("web", "", mirror, w.clock.Now().Add(-time.Hour), "openssl=1")
	w.reconcile()
	w.answer(w.clock.Now().Add(-30*time.Minute), newer("openssl", "1"))
	w.clock.SetTime(w.clock.Now().Add(2 * interval))
	return w
}

// conflicts checks that the last check failed because of an object of a user, hides no update, and that the next check succeeds.
func (w *world) conflicts(name, why string) {
	w.Helper()
	status := w.archive().Status
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ArchiveReady)
	if ready.Status != metav1.ConditionFalse || status.ConsecutiveFailures != 1 || !strings.Contains(ready.Message, "JobConflict: ") ||
		!strings.Contains(ready.Message, name) || !strings.Contains(ready.Message, why) || len(w.candidates("web").Updates) != 1 {
		w.Errorf("after %d failures the condition is %+v", status.ConsecutiveFailures, ready)
	}
	w.clock.SetTime(w.clock.Now().Add(2 * time.Minute))
	w.reconcile()
	w.pod = nil
	w.answer(w.clock.Now(), newer("openssl", "1"))
	if !meta.IsStatusConditionTrue(w.archive().Status.Conditions, v1alpha1.ArchiveReady) {
		w.Errorf("the next check fails: %+v", w.archive().Status.Conditions)
	}
}

func TestOnlyJobsOfTheControllerTellWhatAnArchiveHas(t *testing.T) {
	for name, change := range forgeries {
		t.Run(name+" before the check", func(t *testing.T) {
			w := checkedWithUpdate(t)
			var forged *batchv1.Job
			w.occupy[v1alpha1.ArchiveNamespace] = func(job *batchv1.Job) *batchv1.Job { forged = forgery(job, change); return forged }
			w.reconcile()
			w.conflicts(forged.Name, "it is ignored, and can stay")
			if !w.exists(forged) {
				t.Error("the Job of the user was deleted")
			}
		})
		if strings.HasPrefix(name, "no ") {
			continue // the controller does not find it
		}
		t.Run(name+" during the check", func(t *testing.T) {
			w := checkedWithUpdate(t)
			w.reconcile()
			forged := w.forge(v1alpha1.ArchiveNamespace, change)
			w.restart()
			w.answer(w.clock.Now())
			w.conflicts(forged.Name, "it is ignored, and can stay")
			if !w.exists(forged) {
				t.Error("the Job of the user was deleted")
			}
		})
	}
	t.Run("input changed", func(t *testing.T) { // while the Job was suspended
		w := checkedWithUpdate(t)
		w.reconcile()
		job := w.forge(v1alpha1.ArchiveNamespace, func(job *batchv1.Job) { job.UID = types.UID("uid-" + job.Name) })
		forgeries["another input"](job)
		require.Value(w.kube.BatchV1().Jobs(job.Namespace).Update(t.Context(), job, metav1.UpdateOptions{}))(t)
		w.answer(w.clock.Now())
		w.conflicts(job.Name, "who created or changed it")
	})
	t.Run("own Job, which cannot be compared", func(t *testing.T) {
		w := checkedWithUpdate(t)
		w.reconcile()
		w.restart()
		w.refuse = apierrors.NewForbidden(batchv1.Resource("jobs"), "check", errors.New("exceeded quota"))
		w.answer(w.clock.Now())
		w.refuse = nil
		w.conflicts("/debian-", "exceeded quota") // which its own Job may have filled
	})
	t.Run("own Job, although images need other packages", func(t *testing.T) {
		w := checkedWithUpdate(t)
		w.reconcile()
		w.image("db", "", mirror, w.clock.Now(), "postgres=1")
		w.answer(w.clock.Now())
		if status := w.archive().Status; !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ArchiveReady) || len(status.Updates) != 0 {
			t.Errorf("the status is %+v", status)
		}
	})
	t.Run("log of another pod with the name", func(t *testing.T) {
		w := checkedWithUpdate(t)
		w.reconcile()
		name := render.ProbeJobName(w.archive(), 0)
		w.replace = func() {
			require.NoError(t, w.kube.Tracker().Update(corev1.SchemeGroupVersion.WithResource("pods"), &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.ArchiveNamespace, Name: name, UID: "forged"},
			}, v1alpha1.ArchiveNamespace))
		}
		w.answer(w.clock.Now())
		if status := w.archive().Status; status.ConsecutiveFailures != 1 || len(status.Updates) != 1 {
			t.Errorf("the status is %+v", status)
		}
	})
	t.Run("pod", func(t *testing.T) {
		w := checkedWithUpdate(t)
		w.reconcile()
		w.pod = func(pod *corev1.Pod) { pod.Spec.Containers[0].Image = "forger:1" }
		w.answer(w.clock.Now())
		w.conflicts("pod debian-", `is not what its Job describes: image is "forger:1"`)
	})
}
