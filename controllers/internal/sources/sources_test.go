// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kubefake "k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	interval = 5 * time.Minute
	commit   = "sha1:0123456789abcdef0123456789abcdef01234567"
)

// world is an API with one Image, whose status.source is stored as package image does, and with Jobs. Its cache is behind only where a test calls
// Next with an older Image.
type world struct {
	*testing.T
	client *fake.Clientset
	kube   *kubefake.Clientset
	clock  *testingclock.FakePassiveClock
	refuse error // of the creation of Jobs
	builds []v1alpha1.ImageBuild
	lists  int // of all Images
	*Sources
}

func newWorld(t *testing.T, source *v1alpha1.Source) *world {
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web", UID: "image"}}
	image.Spec.Source = source
	w := &world{
		T: t, client: fake.NewSimpleClientset(image), kube: kubefake.NewClientset(),
		clock: testingclock.NewFakePassiveClock(time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)),
	}
	w.kube.PrependReactor("create", "jobs", func(action k8stesting.Action) (bool, runtime.Object, error) {
		create := action.(k8stesting.CreateActionImpl)
		job := create.Object.(*batchv1.Job)
		if len(create.CreateOptions.DryRun) > 0 {
			if job.Name != "" {
				return true, nil, apierrors.NewAlreadyExists(batchv1.Resource("jobs"), job.Name)
			}
			return true, job, w.refuse
		}
		job.CreationTimestamp = metav1.NewTime(w.clock.Now())
		if job.UID == "" {
			job.UID = types.UID("uid-" + job.Name)
		}
		return w.refuse != nil, nil, w.refuse
	})
	w.restart()
	return w
}

// restart lets another controller go on, without what this one remembers.
func (w *world) restart() {
	w.Sources = New(Options{Options: reconciliation.Options{
		Client: w.client, Kube: w.kube, Clock: w.clock, Builders: inputs.Builders{Publisher: inputs.Publisher{Image: "controller:1"}},
	}, Interval: interval}, worldCache{world: w})
}

// worldCache reads Images and Jobs.
type worldCache struct {
	client.Reader
	world *world
}

func (c worldCache) List(ctx context.Context, into client.ObjectList, given ...client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(given)
	if into, isImages := into.(*v1alpha1.ImageList); isImages {
		c.world.lists++
		images, err := c.world.client.ImagesV1alpha1().Images(options.Namespace).List(ctx, metav1.ListOptions{})
		if err == nil {
			images.DeepCopyInto(into)
		}
		return err
	}
	name, _ := options.FieldSelector.RequiresExactMatch(caches.JobsBySource)
	jobs, err := c.world.kube.BatchV1().Jobs(options.Namespace).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelSource + "=" + name})
	if err == nil {
		jobs.DeepCopyInto(into.(*batchv1.JobList))
	}
	return err
}

func (w *world) image() *v1alpha1.Image {
	w.Helper()
	return require.Value(w.client.ImagesV1alpha1().Images("team").Get(w.Context(), "web", metav1.GetOptions{}))(w.T)
}

func (w *world) change(change func(*v1alpha1.Image)) {
	w.Helper()
	image := w.image()
	change(image)
	_ = require.Value(w.client.ImagesV1alpha1().Images("team").Update(w.Context(), image, metav1.UpdateOptions{}))(w.T)
}

// step calls Next once, and stores what it returns.
func (w *world) step() (next *v1alpha1.ImageSource, again time.Duration) {
	w.Helper()
	next, again, err := w.Next(w.Context(), w.image(), w.builds)
	require.NoError(w.T, err)
	w.change(func(image *v1alpha1.Image) { image.Status.Source = next })
	return next, again
}

func (w *world) jobs() []batchv1.Job {
	w.Helper()
	return require.Value(w.kube.BatchV1().Jobs("team").List(w.Context(), metav1.ListOptions{}))(w.T).Items
}

// job returns the only Job.
func (w *world) job() *batchv1.Job {
	w.Helper()
	jobs := w.jobs()
	if len(jobs) != 1 {
		w.Fatalf("%d Jobs", len(jobs))
	}
	return &jobs[0]
}

// finish ends the only Job with a message.
func (w *world) finish(message string, exitCode int32) {
	w.Helper()
	w.finishAs(message, exitCode, func(*corev1.Pod) {})
}

// finishAs ends the only Job with the message of a changed pod.
func (w *world) finishAs(message string, exitCode int32, change func(*corev1.Pod)) {
	w.Helper()
	job := w.job()
	job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	_ = require.Value(w.kube.BatchV1().Jobs("team").Update(w.Context(), job, metav1.UpdateOptions{}))(w.T)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "team", Name: job.Name, Labels: map[string]string{batchv1.ControllerUidLabel: string(job.UID)}, Annotations: job.Spec.Template.Annotations,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
	}, Spec: *job.Spec.Template.Spec.DeepCopy()}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: render.ContainerName, State: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{Message: message, ExitCode: exitCode},
	}}}
	change(pod)
	_ = require.Value(w.kube.CoreV1().Pods("team").Create(w.Context(), pod, metav1.CreateOptions{}))(w.T)
}

// check runs a whole check.
func (w *world) check(message string, exitCode int32) *v1alpha1.ImageSource {
	w.Helper()
	w.step()
	w.step()
	w.finish(message, exitCode)
	w.step()
	next, _ := w.step()
	require.NoError(w.T, w.kube.CoreV1().Pods("team").DeleteCollection(w.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	return next
}

func git(ref string) *v1alpha1.Source {
	return &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/a.git", Ref: ref, SecretRef: &v1alpha1.SecretReference{Name: "git"}}}
}

func answer(summary string) string {
	return result.SourceText(v1alpha1.SourceRevision{Revision: commit, Ref: "refs/heads/main", Summary: summary})
}

func TestTheNumberOfACheckIsStoredBeforeItsJob(t *testing.T) {
	w := newWorld(t, git("main"))
	if next, _ := w.step(); next.Checks != 1 || next.Ended != 0 || len(w.jobs()) != 0 {
		t.Fatalf("%+v, %d Jobs", next, len(w.jobs()))
	}
	w.step()
	w.step() // as after a crash
	jobs := w.jobs()
	if len(jobs) != 1 || jobs[0].Labels[v1alpha1.LabelSource] != "web" {
		t.Fatalf("%+v", jobs)
	}
	container := jobs[0].Spec.Template.Spec.Containers[0]
	if container.Image != "controller:1" || container.Args[0] != render.CheckSourceCommand {
		t.Errorf("the container is %+v", container)
	}
	w.finish(answer("Fix \x1b[31mit"), 0)
	next, _ := w.step()
	if next.Ended != 1 || next.Found == nil || next.Found.Revision != commit || next.Found.Summary != "Fix ^[[31mit" || next.Failure != nil {
		t.Errorf("%+v %+v", next, next.Found)
	}
	if _, again := w.step(); again < interval || again > interval+interval/10 || len(w.jobs()) != 0 {
		t.Errorf("the next check is in %s, with %d Jobs", again, len(w.jobs()))
	}
}

func TestWhatACheckFoundStaysWhenLaterChecksFail(t *testing.T) {
	w := newWorld(t, git("main"))
	w.check(answer("one"), 0)
	w.clock.SetTime(w.clock.Now().Add(2 * interval))
	next := w.check(result.NotFetched{Reason: v1alpha1.ReasonSourceUnavailable, Message: "connection refused"}.Text(), 1)
	if next.Found == nil || next.Failure == nil || next.Failure.Reason != v1alpha1.ReasonSourceUnavailable || next.ConsecutiveFailures != 1 ||
		next.Failure.Message != "connection refused; the next try is within about "+(v1alpha1.Duration{Duration: interval}).String() {
		t.Errorf("%+v", next)
	}
	if _, again := w.step(); again < retry || again > 2*retry {
		t.Errorf("the next check is in %s", again)
	}
	w.clock.SetTime(w.clock.Now().Add(2 * retry))
	if next := w.check(answer("two"), 0); next.Failure != nil || next.ConsecutiveFailures != 0 || next.Found.Summary != "two" {
		t.Errorf("%+v", next)
	}
}

func TestACheckThatCannotRunFails(t *testing.T) {
	found := answer("forged")
	for want, spoil := range map[string]func(*world){
		"its Job cannot be created": func(w *world) {
			w.refuse = apierrors.NewForbidden(batchv1.Resource("jobs"), "web", errors.New("quota"))
		},
		"exit code 137 and no answer":                 func(w *world) { w.step(); w.finish("killed", 137) },
		"exit code 0 and no answer":                   func(w *world) { w.step(); w.finish(`{"revision":"main"}`, 0) },
		"see the events of namespace team":            func(w *world) { w.step(); w.late() },
		"its pod was refused: exceeded quota: a":      func(w *world) { w.step(); w.refusePod("exceeded quota: a"); w.late() },
		"its pod is not scheduled: no node":           func(w *world) { w.step(); w.finishAs("", 0, unscheduled); w.late() },
		"its container waits: ErrImagePull: no image": func(w *world) { w.step(); w.finishAs("", 0, unpulled); w.late() },
		"Job web-source-1-": func(w *world) { // of a user, who made it of what all can read
			w.forge(w.rendered(), func(job *batchv1.Job) { job.Spec.Template.Spec.Containers[0].Image = "forger:1" })
			w.finish(found, 0)
		},
		"was created by a user": func(w *world) { // and who even controls nothing of it
			w.forge(w.rendered(), func(job *batchv1.Job) { job.OwnerReferences = nil })
			w.finish(found, 0)
		},
		"the input in Job web-source-1-": func(w *world) { // while it was suspended
			w.step()
			job := w.job()
			job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = "{}"
			_ = require.Value(w.kube.BatchV1().Jobs("team").Update(t.Context(), job, metav1.UpdateOptions{}))(t)
			w.finish(found, 0)
		},
		"is not what its Job describes: image is \"forger:1\"": func(w *world) {
			w.step()
			w.finishAs(found, 0, func(pod *corev1.Pod) { pod.Spec.Containers[0].Image = "forger:1" })
		},
		"see the events of namespace": func(w *world) {
			w.step()
			w.finishAs(found, 0, func(pod *corev1.Pod) { pod.OwnerReferences = nil })
		},
	} {
		t.Run(want, func(t *testing.T) {
			w := newWorld(t, git("main"))
			w.step()
			spoil(w)
			next, _ := w.step()
			if next.Ended != 1 || next.Found != nil || next.Failure == nil || next.Failure.Reason != v1alpha1.ReasonSourceUnavailable || !strings.Contains(next.Failure.Message, want) {
				t.Errorf("%+v", next)
			}
		})
	}
}

func unscheduled(pod *corev1.Pod) {
	pod.Status = corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "no node"}}}
}

func unpulled(pod *corev1.Pod) {
	pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "no image"}}
}

// late lets the time of a check pass.
func (w *world) late() { w.clock.SetTime(w.clock.Now().Add(jobLimit)) }

// refusePod records that the API server refuses the pod of the only Job.
func (w *world) refusePod(why string) {
	w.Helper()
	event := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "refused"}, Reason: "FailedCreate", Message: "Error creating: " + why}
	event.InvolvedObject.UID, event.LastTimestamp = w.job().UID, metav1.NewTime(w.clock.Now())
	_ = require.Value(w.kube.CoreV1().Events("team").Create(w.Context(), event, metav1.CreateOptions{}))(w.T)
}

// rendered returns the Job of the current check.
func (w *world) rendered() *batchv1.Job {
	w.Helper()
	return require.Value(render.SourceJob(w.image(), inputs.Builder{Image: "controller:1"}))(w.T)
}

// forge creates a changed Job, as a user who can create Jobs.
func (w *world) forge(job *batchv1.Job, change func(*batchv1.Job)) {
	w.Helper()
	change(job)
	_ = require.Value(w.kube.BatchV1().Jobs("team").Create(w.Context(), job, metav1.CreateOptions{}))(w.T)
}

func TestACheckThatNoControllerFollowedIsNoFailure(t *testing.T) {
	for name, test := range map[string]struct {
		stop      func(*world)
		checks    int64
		succeeded bool
	}{
		"before its Job was created":             {func(*world) {}, 1, true},
		"and its Job runs":                       {func(w *world) { w.step() }, 1, true},
		"for longer than a check, without a Job": {func(w *world) { w.late() }, 2, true},
		"and the Job cannot be compared": {func(w *world) {
			w.step()
			w.refuse = apierrors.NewForbidden(batchv1.Resource("jobs"), "web", errors.New("quota"))
		}, 2, false},
		"whose clock was ahead":                     {func(w *world) { w.clock.SetTime(w.clock.Now().Add(-time.Hour)) }, 2, true},
		"and whose start was lost in a restore":     {func(w *world) { w.change(func(image *v1alpha1.Image) { image.Status.Source.StartTime = nil }) }, 2, true},
		"and the Job of which somebody has deleted": {func(w *world) { w.step(); w.deleteJobs() }, 1, true},
		"and whose path was edited meanwhile": {func(w *world) {
			w.step()
			w.change(func(image *v1alpha1.Image) { image.Spec.Source.Git.Path = "sub" })
		}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, git("main"))
			w.step()
			test.stop(w)
			w.restart()
			next, _ := w.step()
			if next.Checks != test.checks || next.Ended != 0 || next.ConsecutiveFailures != 0 {
				t.Fatalf("%+v", next)
			}
			w.refuse = nil
			w.step()
			w.finish(answer("one"), 0)
			if next, _ := w.step(); next.Ended != test.checks || next.Failure != nil || next.Found == nil {
				t.Errorf("%+v", next)
			}
		})
	}
}

func TestACheckIsPlacedAsTheOperatorPlacesTheBuilder(t *testing.T) {
	w := newWorld(t, git("main"))
	w.Builders.Registered = map[string]inputs.Builder{"mock": {Image: "mock:1", Placement: inputs.Placement{
		NodeSelector: map[string]string{"pool": "builds"}, Tolerations: []corev1.Toleration{{Key: "builds"}},
		Resources: &v1alpha1.ResourceRequirements{Limits: map[string]v1alpha1.Quantity{"example.com/kvm": {Text: "1"}}},
	}}}
	w.change(func(image *v1alpha1.Image) { image.Spec.Builder.Name = "mock" })
	w.step()
	w.step()
	pod := w.job().Spec.Template.Spec
	_, kvm := pod.Containers[0].Resources.Limits["example.com/kvm"]
	if pod.NodeSelector["pool"] != "builds" || !slices.Contains(pod.Tolerations, corev1.Toleration{Key: "builds"}) || kvm {
		t.Errorf("the pod is %+v", pod)
	}
}

func (w *world) deleteJobs() {
	w.Helper()
	require.NoError(w.T, w.kube.BatchV1().Jobs("team").DeleteCollection(w.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
}

func TestOnlyTheJobOfTheCurrentCheckIsKept(t *testing.T) {
	w := newWorld(t, git("main"))
	w.step()
	w.step()
	old := w.job().Name
	w.change(func(image *v1alpha1.Image) { image.Spec.Source.Git.Ref = "next" })
	if next, _ := w.step(); next.Checks != 2 || next.Ended != 1 || len(w.jobs()) != 0 {
		t.Errorf("%+v, %d Jobs", next, len(w.jobs()))
	}
	w.step()
	if name := w.job().Name; name == old {
		t.Errorf("the check of another ref has Job %s, too", name)
	}
	w.change(func(image *v1alpha1.Image) { image.Spec.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{}} })
	if next, again := w.step(); next != nil || again != 0 || len(w.jobs()) != 0 {
		t.Errorf("%+v in %s, %d Jobs", next, again, len(w.jobs()))
	}
	w.clock.SetTime(w.clock.Now().Add(time.Second))
	w.change(func(image *v1alpha1.Image) { image.Spec.Source = git("main") })
	if next, _ := w.step(); next.Checks != 1 || render.SourceJobName(w.image()) == old {
		t.Errorf("%+v: the first check of the source that came back has the Job of the very first", next)
	}
}

func TestAnOldCacheDoesNothing(t *testing.T) {
	w := newWorld(t, git("main"))
	first := w.image()
	w.step()
	begun := w.image()
	w.step()
	if _, _, err := w.Next(t.Context(), first, nil); err != nil || len(w.jobs()) != 1 {
		t.Errorf("without the check: error %v, %d Jobs", err, len(w.jobs()))
	}
	w.finish(answer("one"), 0)
	w.step()
	w.step()
	do := func(name string) {
		next, again, err := w.Next(t.Context(), begun, nil)
		require.NoError(t, err)
		if !equality.Semantic.DeepEqual(next, begun.Status.Source) || again != time.Second || len(w.jobs()) != 0 {
			t.Errorf("%s: %+v in %s, %d Jobs", name, next, again, len(w.jobs()))
		}
	}
	do("without the end of the check")
	w.change(func(image *v1alpha1.Image) {
		image.Status.Source = begun.Status.Source
		image.Spec.Source.Git.Ref = "next"
	})
	do("without a change of the source")
	require.NoError(t, w.client.ImagesV1alpha1().Images("team").Delete(t.Context(), "web", metav1.DeleteOptions{}))
	do("without the deletion of the image")
}

func TestWhenTheNextCheckIsDue(t *testing.T) {
	later := 2 * interval
	suspend := func(image *v1alpha1.Image) { image.Spec.Suspend = new(true) }
	for name, test := range map[string]struct {
		source *v1alpha1.Source
		change func(*world)
		within time.Duration // 0: never
	}{
		"at the interval":                                    {git("main"), func(*world) {}, later},
		"never for a commit":                                 {git("0123456789abcdef0123456789abcdef01234567"), func(*world) {}, 0},
		"never while suspended":                              {git("main"), func(w *world) { w.change(suspend); w.hint() }, 0},
		"not for a failure, if suspended":                    {git("main"), func(w *world) { w.change(suspend); w.fail() }, 0},
		"never the first, if suspended":                      {git("main"), func(w *world) { w.change(suspend); w.change(func(image *v1alpha1.Image) { image.Status.Source = nil }) }, 0},
		"soon after a failure":                               {git("main"), func(w *world) { w.fail() }, 2 * retry},
		"for a failure that a build waits for, if suspended": {git("main"), func(w *world) { w.ask(); w.change(suspend); w.fail() }, 2 * retry},
		"soon for a build that waits, after many failures": {git("main"), func(w *world) {
			w.ask()
			w.fail()
			w.change(func(image *v1alpha1.Image) { image.Status.Source.ConsecutiveFailures = 9 })
		}, 2 * retryBuild},
		"at once if the clock was ahead": {git("main"), func(w *world) { w.clock.SetTime(w.clock.Now().Add(-time.Hour)) }, time.Second},
		"at once for another ref":        {git("main"), func(w *world) { w.change(func(image *v1alpha1.Image) { image.Spec.Source.Git.Ref = "next" }) }, time.Second},
		"not for another path":           {git("main"), func(w *world) { w.change(func(image *v1alpha1.Image) { image.Spec.Source.Git.Path = "sub" }) }, later},
		"soon because of a hint":         {git("main"), func(w *world) { w.hint() }, hintInterval + time.Second},
		"at once for a user":             {git("main"), func(w *world) { w.ask() }, 2 * time.Second},
		"for a user, if suspended":       {git("main"), func(w *world) { w.change(suspend); w.ask() }, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, test.source)
			w.check(answer("one"), 0)
			test.change(w)
			next, again := w.step()
			if next.Ended < next.Checks {
				again = time.Nanosecond
			}
			if (again == 0) != (test.within == 0) || again > test.within {
				t.Errorf("the next check is in %s, want within %s", again, test.within)
			}
		})
	}
}

// fail lets a check fail that has begun a second later.
func (w *world) fail() {
	w.clock.SetTime(w.clock.Now().Add(time.Second))
	w.change(func(image *v1alpha1.Image) {
		if of := image.Status.Source; of != nil {
			of.StartTime, of.LastCheckTime = new(metav1.NewTime(w.clock.Now())), new(metav1.NewTime(w.clock.Now()))
			of.Failure, of.ConsecutiveFailures = result.LostSource("it failed"), 1
		}
	})
}

func (w *world) hint() {
	w.change(func(image *v1alpha1.Image) { image.Status.Source.HintTime = new(metav1.NewTime(w.clock.Now())) })
}

// ask creates a build that a user asked for now.
func (w *world) ask() {
	build := v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(w.clock.Now())}}
	build.Spec.Inputs.Source, build.Spec.Trigger = w.image().Spec.Source, &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual}
	w.builds = append(w.builds, build)
}

// begin calls Next once for each of 160 Images of some namespaces, and returns how many of their checks begin, or have begun.
func (w *world) begin(namespaces int, builds []v1alpha1.ImageBuild) (begun int, longest time.Duration) {
	w.Helper()
	for i := range 160 {
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprint("crowd", i%namespaces), Name: "web", UID: types.UID(fmt.Sprint(i))}}
		image.Spec.Source = git("main")
		next, again, err := w.Next(w.Context(), image, builds)
		require.NoError(w.T, err)
		begun, longest = begun+int(next.Checks), max(longest, again)
	}
	return begun, longest
}

func TestChecksAreLimitedBeforeTheirJobsExist(t *testing.T) {
	for _, test := range []struct {
		namespaces, images, builds int
		longest                    time.Duration
	}{{1, 4, 5, 9 * crowded}, {3, 12, 15, 4 * crowded}, {8, 16, 20, 2 * crowded}} { // which grows mostly with those that wait in the namespace
		w := newWorld(t, git("main"))
		w.ask()
		begun, longest := w.begin(test.namespaces, nil)
		if begun != test.images || longest < test.longest || longest > test.longest+2*crowded {
			t.Errorf("%d namespaces: %d checks began, and others ask again within %s", test.namespaces, begun, longest)
		}
		for range 2 { // as after conflicts
			if begun, longest := w.begin(test.namespaces, w.builds); begun != test.builds || longest != crowdedBuild {
				t.Errorf("%d namespaces: %d checks of builds began, and others ask again within %s", test.namespaces, begun, longest)
			}
		}
		w.clock.SetTime(w.clock.Now().Add(jobLimit + overdue + time.Second))
		if begun, _ := w.begin(test.namespaces, nil); begun != test.images {
			t.Errorf("%d namespaces: %d checks began after those of deleted images", test.namespaces, begun)
		}
		if w.lists != 1 {
			t.Errorf("%d namespaces: all images were listed %d times", test.namespaces, w.lists)
		}
	}
}

func TestChecksOfAnotherControllerCountUntilTheyEnd(t *testing.T) {
	w := newWorld(t, git("main"))
	w.step()
	w.step()
	w.restart()
	if begun, _ := w.begin(8, nil); begun != 15 {
		t.Errorf("%d checks began beside one of another controller", begun)
	}
	w.finish(answer("one"), 0)
	if next, _ := w.step(); runs(next) {
		t.Errorf("the check goes on: %+v", next)
	}
	if begun, _ := w.begin(8, nil); begun != 16 {
		t.Errorf("%d checks began after the end of that of another controller", begun)
	}
	w.ask()
	if begun, _ := w.begin(8, w.builds); begun != 20 {
		t.Errorf("%d checks of builds began", begun)
	}
	if next, again := w.step(); next.Checks != 1 || again != crowdedBuild {
		t.Errorf("%+v in %s, although there is no room", next, again)
	}
}

func TestJobsOfUsersTakeNoPlace(t *testing.T) {
	w := newWorld(t, git("main"))
	w.change(func(image *v1alpha1.Image) {
		image.Status.Source = &v1alpha1.ImageSource{Checks: 1, StartTime: new(metav1.NewTime(w.clock.Now()))}
	})
	for i := range maxChecks {
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: fmt.Sprint("image", i), UID: types.UID(fmt.Sprint("image", i))}}
		image.Spec.Source, image.Status = git("main"), w.image().Status
		w.forge(require.Value(render.SourceJob(image, inputs.Builder{Image: "controller:1"}))(t), func(job *batchv1.Job) { job.Spec.Suspend = new(true) })
	}
	w.change(func(image *v1alpha1.Image) { image.Spec.Source = nil }) // and this Image has no check, either
	if begun, _ := w.begin(8, nil); begun != 16 {
		t.Errorf("%d checks began beside Jobs that a user has created", begun)
	}
}

func TestTheEndOfACheckMakesRoom(t *testing.T) {
	w := newWorld(t, git("main"))
	w.step()
	if begun, _ := w.begin(8, nil); begun != 15 {
		t.Errorf("%d checks began beside another", begun)
	}
	w.step()
	w.finish(answer("one"), 0)
	w.step()
	if begun, _ := w.begin(8, nil); begun != 16 {
		t.Errorf("%d checks began after the end of another", begun)
	}
}
