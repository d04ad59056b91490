// SPDX-License-Identifier: Apache-2.0

package queuedbuild

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"

	"goldsmith.dev/goldsmith/apiserver/registry/table/tabletest"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/queue"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func ago(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(-d)} }

// fakeNamespaces answer with these annotations by name, or an error.
type fakeNamespaces struct {
	annotations map[string]map[string]string
	err         error
	asked       int
}

func (f *fakeNamespaces) List(context.Context, metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	f.asked++
	list := &metav1.PartialObjectMetadataList{}
	for name, annotations := range f.annotations {
		list.Items = append(list.Items, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}})
	}
	return list, f.err
}

// build is one of an Image, created some time ago.
func build(namespace, image string, number int64, created time.Duration, phase v1alpha1.BuildPhase) v1alpha1.ImageBuild {
	built := v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: fmt.Sprintf("%s-%d", image, number), UID: types.UID(fmt.Sprintf("uid-%s-%d", image, number)),
		Labels: map[string]string{v1alpha1.LabelImage: image}, CreationTimestamp: *ago(created),
	}}
	built.Spec.ImageRef = &v1alpha1.ImageReference{Name: image, UID: types.UID(image)}
	built.Spec.Number, built.Spec.RunPolicy = &number, v1alpha1.RunPolicySerial
	built.Status.Phase, built.Status.Finished = phase, phase.Finished()
	if phase == v1alpha1.BuildQueued {
		built.Status.QueuedTime = ago(created)
	}
	if phase.Active() || phase == v1alpha1.BuildSucceeded {
		built.Status.StartTime, built.Status.Attempts = ago(created), []v1alpha1.BuildAttempt{{Number: 1}}
	}
	return built
}

// succeeded is a build that succeeded after some time.
func succeeded(namespace, image string, number int64, started, took time.Duration) v1alpha1.ImageBuild {
	built := build(namespace, image, number, started, v1alpha1.BuildSucceeded)
	built.Status.CompletionTime = ago(started - took)
	return built
}

func forecasterOf(limits queue.Limits, namespaces *fakeNamespaces, builds ...v1alpha1.ImageBuild) *Forecaster {
	clock := testingclock.NewFakePassiveClock(now)
	return &Forecaster{limits: limits, clock: clock, shares: &shares{namespaces: namespaces, clock: clock}, builds: &fakeBuilds{items: builds}}
}

// fakeBuilds are stored builds, which count how often those of all namespaces are listed.
type fakeBuilds struct {
	items  []v1alpha1.ImageBuild
	listed int
}

func (f *fakeBuilds) list(_ context.Context, namespace string) (*v1alpha1.ImageBuildList, error) {
	if namespace == metav1.NamespaceAll {
		f.listed++
		return &v1alpha1.ImageBuildList{Items: f.items}, nil
	}
	list := &v1alpha1.ImageBuildList{}
	for _, build := range f.items {
		if build.Namespace == namespace {
			list.Items = append(list.Items, build)
		}
	}
	return list, nil
}

func (f *fakeBuilds) unfinished(context.Context) (*v1alpha1.ImageBuildList, error) {
	list := &v1alpha1.ImageBuildList{}
	for _, build := range f.items {
		if !build.Status.Finished {
			list.Items = append(list.Items, build)
		}
	}
	return list, nil
}

func (f *fakeBuilds) get(ctx context.Context, name string) (*v1alpha1.ImageBuild, error) {
	for i := range f.items {
		if f.items[i].Namespace == apirequest.NamespaceValue(ctx) && f.items[i].Name == name {
			return &f.items[i], nil
		}
	}
	return nil, apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), name)
}

func TestABuildThatWereCreatedNowWaitsForAFullQueue(t *testing.T) {
	next := build("team", "web", 2, 0, v1alpha1.BuildPending)
	for name, test := range map[string]struct {
		limits queue.Limits
		stored []v1alpha1.ImageBuild
		want   string
	}{
		"nothing runs":            {queue.Limits{Builds: 1}, nil, ""},
		"another image is built":  {queue.Limits{Builds: 1}, []v1alpha1.ImageBuild{build("other", "shop", 1, time.Minute, v1alpha1.BuildRunning)}, "Goldsmith has reached its limit of active builds (1)"},
		"there is room":           {queue.Limits{Builds: 2}, []v1alpha1.ImageBuild{build("other", "shop", 1, time.Minute, v1alpha1.BuildRunning)}, ""},
		"the same image is built": {queue.Limits{Builds: 2}, []v1alpha1.ImageBuild{build("team", "web", 1, time.Minute, v1alpha1.BuildRunning)}, "an earlier build of the image has not finished"},
	} {
		got, err := forecasterOf(test.limits, &fakeNamespaces{}, test.stored...).Obstacle(t.Context(), &next)
		if err != nil || got != test.want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, test.want)
		}
	}
}

func TestTheOrderIsComputedFromWhatIsStored(t *testing.T) {
	again := func(build v1alpha1.ImageBuild, queued time.Duration) v1alpha1.ImageBuild { // it was queued again for some time
		build.Status.RequeuedDuration = &metav1.Duration{Duration: queued}
		return build
	}
	f := forecasterOf(queue.Limits{}, &fakeNamespaces{},
		succeeded("a", "web", 1, 9*time.Hour, time.Hour),
		again(succeeded("a", "web", 2, 5*time.Hour, 3*time.Hour), 3*time.Hour-10*time.Minute), // the last build counts
		succeeded("b", "db", 1, 9*time.Hour, 20*time.Minute),
		again(build("a", "web", 3, time.Hour, v1alpha1.BuildRunning), time.Hour-4*time.Minute),
		build("a", "web", 4, 3*time.Minute, v1alpha1.BuildQueued),
		build("b", "db", 2, 5*time.Minute, v1alpha1.BuildRunning),
		build("b", "db", 3, time.Minute, v1alpha1.BuildPending),
	)
	queued, err := f.all(t.Context())
	require.NoError(t, err)
	const earlier = "an earlier build of the image has not finished"
	after := func(d time.Duration) *metav1.Time { return ago(-d) }
	want := []*v1alpha1.QueuedBuild{
		{Status: v1alpha1.QueuedBuildStatus{Position: 1, ImageName: "web", Message: earlier, QueuedTime: ago(3 * time.Minute), EstimatedStartTime: after(6 * time.Minute)}},
		{Status: v1alpha1.QueuedBuildStatus{Position: 2, ImageName: "db", Message: earlier, QueuedTime: ago(time.Minute), EstimatedStartTime: after(15 * time.Minute)}},
	}
	for i, of := range []struct {
		namespace, image string
		number           int64
	}{{"a", "web", 4}, {"b", "db", 3}} {
		stored := build(of.namespace, of.image, of.number, 0, v1alpha1.BuildQueued)
		want[i].ObjectMeta = metav1.ObjectMeta{Namespace: stored.Namespace, Name: stored.Name, UID: stored.UID, Labels: stored.Labels}
	}
	if diff := cmp.Diff(want, queued); diff != "" {
		t.Errorf("the order differs (-want +got):\n%s", diff)
	}
}

func TestNamespacesHaveTheirShareOfTheOrder(t *testing.T) {
	namespaces := &fakeNamespaces{annotations: map[string]map[string]string{
		"a": {v1alpha1.AnnotationMaxBuilds: "0"}, "b": {v1alpha1.AnnotationMaxBuilds: "nonsense"},
	}}
	f := forecasterOf(queue.Limits{}, namespaces,
		build("a", "web", 1, time.Hour, v1alpha1.BuildQueued), build("b", "db", 1, time.Minute, v1alpha1.BuildQueued))
	for range 2 {
		queued, err := f.all(t.Context())
		require.NoError(t, err)
		invalid := `the namespace has reached its limit of active builds (0); annotation images.goldsmith.dev/max-builds of the namespace counts as 0, ` +
			`because "nonsense" is not a whole number from 0 to 100000: correct or remove it`
		for _, build := range queued {
			want := map[string]string{"web-1": "the namespace has reached its limit of active builds (0)", "db-1": invalid}[build.Name]
			if status := build.Status; status.Message != want || status.EstimatedStartTime != nil {
				t.Errorf("%s waits for %q until %v, want %q", build.Name, status.Message, status.EstimatedStartTime, want)
			}
		}
	}
	if namespaces.asked != 1 {
		t.Errorf("namespaces were read %d times within seconds", namespaces.asked)
	}
}

func TestWithoutNamespacesThereIsAnOrder(t *testing.T) {
	f := forecasterOf(queue.Limits{}, &fakeNamespaces{err: errors.New("nobody may list them")}, build("a", "web", 1, time.Hour, v1alpha1.BuildQueued))
	if queued, err := f.all(t.Context()); err != nil || len(queued) != 1 {
		t.Errorf("%d builds: %v", len(queued), err)
	}
}

func TestOnlyBuildsThatWaitAreShownAndThoseOfKueueWithoutAPlace(t *testing.T) {
	cancelled, kueue := build("a", "web", 1, 0, v1alpha1.BuildQueued), build("a", "held", 1, 0, v1alpha1.BuildQueued)
	cancelled.Spec.CancelRequested = &v1alpha1.CancelRequested{}
	kueue.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1}}
	direct := build("a", "direct", 1, 0, v1alpha1.BuildPending)
	direct.Spec.ImageRef, direct.Spec.Number, direct.Spec.Priority = nil, nil, new(int32)
	*direct.Spec.Priority = 7
	kueue.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildAdmitted, Status: metav1.ConditionFalse, Message: "Kueue has not admitted it"}}
	f := forecasterOf(queue.Limits{}, &fakeNamespaces{}, cancelled, kueue, direct,
		build("a", "x", 1, 0, v1alpha1.BuildRunning), build("a", "y", 1, 0, v1alpha1.BuildFailed))
	queued, err := f.all(t.Context())
	if err != nil || len(queued) != 2 {
		t.Fatalf("%d builds wait: %v", len(queued), err)
	}
	if held := queued[1]; held.Name != "held-1" || held.Status.Position != 0 || held.Status.Message != "Kueue has not admitted it" || held.Status.EstimatedStartTime != nil {
		t.Errorf("Kueue holds %+v", held)
	}
	if status := queued[0].Status; queued[0].Name != "direct-1" || status.Priority != 7 || status.ImageName != "" || status.EstimatedStartTime == nil {
		t.Errorf("it is %+v", queued[0])
	}
}

func TestBuildsThatWaitForAWorkerPrecedeTheQueue(t *testing.T) {
	waits := func(number int64, since time.Duration) v1alpha1.ImageBuild {
		waiting := build("a", fmt.Sprintf("web-%d", number), number, time.Hour, v1alpha1.BuildQueued)
		waiting.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1, StartTime: *ago(since)}}
		waiting.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.BuildAdmitted, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForWorker, Message: "2 of 2 workers are busy",
		}}
		return waiting
	}
	again := waits(2, 2*time.Minute)
	again.Status.StartTime, again.Status.Conditions[0].LastTransitionTime = ago(50*time.Minute), *ago(2 * time.Minute)
	f := forecasterOf(queue.Limits{Builds: 2}, &fakeNamespaces{}, waits(1, time.Minute), again, build("a", "next", 1, 2*time.Hour, v1alpha1.BuildQueued))
	queued, err := f.all(t.Context())
	if err != nil || len(queued) != 3 {
		t.Fatalf("%d builds wait: %v", len(queued), err)
	}
	for i, want := range []string{"web-2-2: 2 of 2 workers are busy", "web-1-1: 2 of 2 workers are busy", "next-1: Goldsmith has reached its limit of active builds (2)"} {
		if got := queued[i].Name + ": " + queued[i].Status.Message; got != want || queued[i].Status.Position != int32(i+1) {
			t.Errorf("position %d: %s, want %s", queued[i].Status.Position, got, want)
		}
	}
	if again, first := queued[0].Status.QueuedTime, queued[1].Status.QueuedTime; !again.Equal(ago(2*time.Minute)) || !first.Equal(ago(time.Hour)) {
		t.Errorf("a build that has run waits since %v, and a build that has not since %v", again, first)
	}
}

func TestTable(t *testing.T) {
	queued := func(name string, status v1alpha1.QueuedBuildStatus) v1alpha1.QueuedBuild {
		return v1alpha1.QueuedBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name}, Status: status}
	}
	tabletest.Golden(t, newTable(testingclock.NewFakePassiveClock(now)), &v1alpha1.QueuedBuildList{Items: []v1alpha1.QueuedBuild{
		queued("web-4", v1alpha1.QueuedBuildStatus{Position: 1, ImageName: "web", QueuedTime: ago(3 * time.Minute), EstimatedStartTime: ago(time.Second), Message: "the build is about to start"}),
		queued("db-2", v1alpha1.QueuedBuildStatus{Position: 12, ImageName: "db", Priority: 1000, QueuedTime: ago(2 * time.Hour), EstimatedStartTime: ago(-16 * time.Minute),
			Message: "Goldsmith has reached its limit of active builds (1)"}),
		queued("held", v1alpha1.QueuedBuildStatus{Message: "Kueue has not admitted Job held-1 to queue builds"}),
		queued("direct", v1alpha1.QueuedBuildStatus{Position: 13, Message: "the namespace has reached its limit of active builds (0)"}),
	}})
}

func TestARequestCostsWhatItShows(t *testing.T) {
	clock := testingclock.NewFakePassiveClock(now)
	stored := &fakeBuilds{items: []v1alpha1.ImageBuild{
		build("a", "web", 1, time.Hour, v1alpha1.BuildRunning), build("a", "web", 2, time.Minute, v1alpha1.BuildQueued),
		build("a", "web", 3, time.Minute, v1alpha1.BuildSucceeded), build("b", "db", 1, time.Hour, v1alpha1.BuildQueued),
		build("c", "db", 1, time.Hour, v1alpha1.BuildFailed), build("c", "kueue", 1, time.Hour, v1alpha1.BuildQueued),
	}}
	stored.items[5].Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1}}
	f := &Forecaster{clock: clock, shares: &shares{namespaces: &fakeNamespaces{}, clock: clock}, builds: stored}
	// ask returns the positions of the builds by name.
	ask := func(namespace, name string) map[string]int32 {
		t.Helper()
		ctx := apirequest.WithNamespace(t.Context(), namespace)
		positions := map[string]int32{}
		if name == "" {
			queued, err := f.all(ctx)
			require.NoError(t, err)
			for _, build := range queued {
				positions[build.Namespace+"/"+build.Name] = build.Status.Position
			}
			return positions
		}
		build, err := f.one(ctx, name)
		if apierrors.IsNotFound(err) {
			if want := fmt.Sprintf("queuedbuilds.images.goldsmith.dev %q not found", name); err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
			return nil
		}
		require.NoError(t, err)
		return map[string]int32{build.Namespace + "/" + build.Name: build.Status.Position}
	}
	for _, step := range []struct {
		what            string
		change          func()
		namespace, name string
		want            map[string]int32
		listed          int
	}{
		{what: "a missing build", namespace: "a", name: "nothing"},
		{what: "an active build", namespace: "a", name: "web-1"},
		{what: "a finished build", namespace: "a", name: "web-3"},
		{what: "a build of another namespace", namespace: "a", name: "db-1"},
		{what: "a namespace where Kueue has the only build", namespace: "c", want: map[string]int32{"c/kueue-1": 0}},
		{what: "a waiting build", namespace: "a", name: "web-2", want: map[string]int32{"a/web-2": 2}, listed: 1},
		{what: "the same build again", namespace: "a", name: "web-2", want: map[string]int32{"a/web-2": 2}},
		{what: "another namespace", namespace: "b", want: map[string]int32{"b/db-1": 1}},
		{what: "all namespaces", want: map[string]int32{"b/db-1": 1, "a/web-2": 2, "c/kueue-1": 0}, listed: 1},
		{what: "a build that is new", change: func() {
			stored.items = append(stored.items, build("b", "db", 2, time.Second, v1alpha1.BuildPending))
		}, namespace: "b", name: "db-2", want: map[string]int32{"b/db-2": 3}, listed: 1},
		{what: "a build that was admitted", change: func() {
			stored.items[0].Status.Phase, stored.items[0].Status.Finished = v1alpha1.BuildSucceeded, true
			stored.items[3] = build("b", "db", 1, time.Hour, v1alpha1.BuildRunning)
		}, namespace: "b", name: "db-1"},
		{what: "a list without the build that was admitted", namespace: "b", want: map[string]int32{"b/db-2": 3}},
		{what: "a second later", change: func() { clock.SetTime(now.Add(forecastAge)) }, namespace: "b", want: map[string]int32{"b/db-2": 2}, listed: 1},
		{what: "after the clock was set back", change: func() { clock.SetTime(now.Add(-time.Hour)) }, namespace: "b", name: "db-2", want: map[string]int32{"b/db-2": 2}, listed: 1},
		{what: "another build of the same name", change: func() { stored.items[1].UID = "other" }, namespace: "a", name: "web-2", want: map[string]int32{"a/web-2": 1}, listed: 1},
	} {
		if step.change != nil {
			step.change()
		}
		stored.listed = 0
		got := ask(step.namespace, step.name)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s differs (-want +got):\n%s", step.what, diff)
		}
		if stored.listed != step.listed {
			t.Errorf("%s: the builds of all namespaces were listed %d times, want %d", step.what, stored.listed, step.listed)
		}
	}
}

// BenchmarkRequest answers for builds that wait in 50 namespaces: for all, for one namespace and for one build, with and without a
// forecast of another request.
func BenchmarkRequest(b *testing.B) {
	for _, count := range []int{1000, 10_000} {
		var builds []v1alpha1.ImageBuild
		for i := range count {
			namespace, image := fmt.Sprintf("team-%d", i%50), fmt.Sprintf("image-%d", i/3)
			builds = append(builds, build(namespace, image, int64(i%3+1), time.Duration(i)*time.Second, v1alpha1.BuildQueued))
		}
		all := func(ctx context.Context, f *Forecaster) error {
			_, err := f.all(ctx)
			return err
		}
		for _, request := range []struct {
			name, namespace string
			ask             func(context.Context, *Forecaster) error
		}{
			{"all", metav1.NamespaceAll, all},
			{"namespace", "team-7", all},
			{"get", "team-7", func(ctx context.Context, f *Forecaster) error {
				_, err := f.one(ctx, builds[7].Name)
				return err
			}},
		} {
			for _, shared := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/queued=%d/shared=%t", request.name, count, shared), func(b *testing.B) {
					f := forecasterOf(queue.Limits{Builds: 100}, &fakeNamespaces{}, builds...)
					ctx := apirequest.WithNamespace(b.Context(), request.namespace)
					for b.Loop() {
						if !shared {
							f.last = forecast{}
						}
						require.NoError(b, request.ask(ctx, f))
					}
				})
			}
		}
	}
}
