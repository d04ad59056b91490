// SPDX-License-Identifier: Apache-2.0

package queuedbuild

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/apiserver/internal/images/table/tabletest"
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
func build(namespace, image string, number int64, created time.Duration, phase v1alpha1.BuildPhase) images.ImageBuild {
	built := images.ImageBuild{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: fmt.Sprintf("%s-%d", image, number), UID: types.UID(fmt.Sprintf("uid-%s-%d", image, number)),
		Labels: map[string]string{v1alpha1.LabelImage: image}, CreationTimestamp: *ago(created),
	}}
	built.Spec.ImageRef = &images.ImageReference{Name: image, UID: types.UID(image)}
	built.Spec.Number, built.Spec.RunPolicy = &number, v1alpha1.RunPolicySerial
	built.Status.Phase, built.Status.Finished = phase, phase.Finished()
	if phase == v1alpha1.BuildQueued {
		built.Status.QueuedTime = ago(created)
	}
	if phase.Active() || phase == v1alpha1.BuildSucceeded {
		built.Status.StartTime, built.Status.Attempts = ago(created), []images.BuildAttempt{{Number: 1}}
	}
	return built
}

// succeeded is a build that succeeded after some time.
func succeeded(namespace, image string, number int64, started, took time.Duration) images.ImageBuild {
	built := build(namespace, image, number, started, v1alpha1.BuildSucceeded)
	built.Status.CompletionTime = ago(started - took)
	return built
}

func forecasterOf(limits queue.Limits, namespaces *fakeNamespaces, builds ...images.ImageBuild) *forecaster {
	clock := testingclock.NewFakePassiveClock(now)
	return &forecaster{
		limits: limits, clock: clock, shares: &shares{namespaces: namespaces, clock: clock},
		stored: func(context.Context) (*images.ImageBuildList, error) {
			return &images.ImageBuildList{Items: builds}, nil
		},
	}
}

func TestTheOrderIsComputedFromWhatIsStored(t *testing.T) {
	f := forecasterOf(queue.Limits{Builds: 1}, &fakeNamespaces{},
		succeeded("a", "web", 1, 9*time.Hour, time.Hour), succeeded("a", "web", 2, 5*time.Hour, 10*time.Minute), // the last build counts
		succeeded("b", "db", 1, 9*time.Hour, 20*time.Minute),
		build("a", "web", 3, 4*time.Minute, v1alpha1.BuildRunning),
		build("a", "web", 4, 3*time.Minute, v1alpha1.BuildQueued),
		build("b", "db", 2, 2*time.Minute, v1alpha1.BuildQueued),
		build("b", "db", 3, time.Minute, v1alpha1.BuildPending),
	)
	queued, err := f.builds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const cluster, earlier = "Goldsmith has reached its limit of active builds (1)", "an earlier build of the image has not finished"
	after := func(d time.Duration) *metav1.Time { return ago(-d) }
	want := []*images.QueuedBuild{
		{Status: images.QueuedBuildStatus{Position: 1, ImageName: "web", Message: earlier, QueuedTime: ago(3 * time.Minute), EstimatedStartTime: after(6 * time.Minute)}},
		{Status: images.QueuedBuildStatus{Position: 2, ImageName: "db", Message: cluster, QueuedTime: ago(2 * time.Minute), EstimatedStartTime: after(16 * time.Minute)}},
		{Status: images.QueuedBuildStatus{Position: 3, ImageName: "db", Message: earlier, QueuedTime: ago(time.Minute), EstimatedStartTime: after(36 * time.Minute)}},
	}
	for i, of := range []struct {
		namespace, image string
		number           int64
	}{{"a", "web", 4}, {"b", "db", 2}, {"b", "db", 3}} {
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
		queued, err := f.builds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		invalid := `the namespace has reached its limit of active builds (0); annotation images.goldsmith.dev/max-builds of the namespace counts as 0, ` +
			`because "nonsense" is not a whole number from 0 to 100000: correct or remove it`
		for i, want := range []string{"the namespace has reached its limit of active builds (0)", invalid} {
			if status := queued[i].Status; status.Message != want || status.EstimatedStartTime != nil {
				t.Errorf("%s waits for %q until %v, want %q", queued[i].Name, status.Message, status.EstimatedStartTime, want)
			}
		}
	}
	if namespaces.asked != 1 {
		t.Errorf("namespaces were read %d times within seconds", namespaces.asked)
	}
}

func TestWithoutNamespacesThereIsAnOrder(t *testing.T) {
	f := forecasterOf(queue.Limits{}, &fakeNamespaces{err: errors.New("nobody may list them")}, build("a", "web", 1, time.Hour, v1alpha1.BuildQueued))
	if queued, err := f.builds(t.Context()); err != nil || len(queued) != 1 {
		t.Errorf("%d builds: %v", len(queued), err)
	}
}

func TestOnlyBuildsThatWaitAreShownAndThoseOfKueueWithoutAPlace(t *testing.T) {
	cancelled, kueue := build("a", "web", 1, 0, v1alpha1.BuildQueued), build("a", "held", 1, 0, v1alpha1.BuildQueued)
	cancelled.Spec.CancelRequested = &images.CancelRequested{}
	kueue.Status.Attempts = []images.BuildAttempt{{Number: 1}}
	direct := build("a", "direct", 1, 0, v1alpha1.BuildPending)
	direct.Spec.ImageRef, direct.Spec.Number, direct.Spec.Priority = nil, nil, new(int32)
	*direct.Spec.Priority = 7
	kueue.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildAdmitted, Status: metav1.ConditionFalse, Message: "Kueue has not admitted it"}}
	f := forecasterOf(queue.Limits{}, &fakeNamespaces{}, cancelled, kueue, direct,
		build("a", "x", 1, 0, v1alpha1.BuildRunning), build("a", "y", 1, 0, v1alpha1.BuildFailed))
	queued, err := f.builds(t.Context())
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
	waits := func(number int64, since time.Duration) images.ImageBuild {
		waiting := build("a", fmt.Sprintf("web-%d", number), number, time.Hour, v1alpha1.BuildQueued)
		waiting.Status.Attempts = []images.BuildAttempt{{Number: 1, StartTime: *ago(since)}}
		waiting.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.BuildAdmitted, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForWorker, Message: "2 of 2 workers are busy",
		}}
		return waiting
	}
	again := waits(2, 2*time.Minute)
	again.Status.StartTime, again.Status.Conditions[0].LastTransitionTime = ago(50*time.Minute), *ago(2 * time.Minute)
	f := forecasterOf(queue.Limits{Builds: 2}, &fakeNamespaces{}, waits(1, time.Minute), again, build("a", "next", 1, 2*time.Hour, v1alpha1.BuildQueued))
	queued, err := f.builds(t.Context())
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
	queued := func(name string, status images.QueuedBuildStatus) images.QueuedBuild {
		return images.QueuedBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name}, Status: status}
	}
	tabletest.Golden(t, newTable(testingclock.NewFakePassiveClock(now)), &images.QueuedBuildList{Items: []images.QueuedBuild{
		queued("web-4", images.QueuedBuildStatus{Position: 1, ImageName: "web", QueuedTime: ago(3 * time.Minute), EstimatedStartTime: ago(time.Second), Message: "the build is about to start"}),
		queued("db-2", images.QueuedBuildStatus{Position: 12, ImageName: "db", Priority: 1000, QueuedTime: ago(2 * time.Hour), EstimatedStartTime: ago(-16 * time.Minute),
			Message: "Goldsmith has reached its limit of active builds (1)"}),
		queued("held", images.QueuedBuildStatus{Message: "Kueue has not admitted Job held-1 to queue builds"}),
		queued("direct", images.QueuedBuildStatus{Position: 13, Message: "the namespace has reached its limit of active builds (0)"}),
	}})
}

// BenchmarkOrder answers for 10,000 builds that wait in 50 namespaces.
func BenchmarkOrder(b *testing.B) {
	var builds []images.ImageBuild
	for i := range 10_000 {
		namespace, image := fmt.Sprintf("team-%d", i%50), fmt.Sprintf("image-%d", i/3)
		builds = append(builds, build(namespace, image, int64(i%3+1), time.Duration(i)*time.Second, v1alpha1.BuildQueued))
	}
	f := forecasterOf(queue.Limits{Builds: 100}, &fakeNamespaces{}, builds...)
	for b.Loop() {
		if queued, err := f.builds(b.Context()); err != nil || len(queued) != len(builds) {
			b.Fatal(len(queued), err)
		}
	}
}
