// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
)

const clusterIsFull = "Goldsmith has reached its limit of active builds (1)"

func TestTheNextBuildIsLookedAtWhenASlotBecomesFree(t *testing.T) {
	w := newFixture(t)
	first := w.create("b", "first", 0)
	w.start(queue.Limits{Builds: 1}, nil)
	w.synced()
	w.expectNext("first")
	second := w.create("a", "second", time.Second)
	w.oneWaits()
	w.expectNone()
	w.expectTurn(second, false, clusterIsFull)
	w.expectTurn(first, true, "")
	first = w.enter(first, v1alpha1.BuildStarting)
	w.queue.ObserveWrite(first)
	w.expectNone()
	w.enter(first, v1alpha1.BuildFailed) // seen in the cache only
	w.expectNext("second")
	third := w.create("b", "third", 2*time.Second)
	w.remove(second)
	w.expectNext("third")
	w.queue.ObserveWrite(w.enter(third, v1alpha1.BuildCancelled)) // known before the cache has it
	w.create("a", "fourth", time.Minute)
	w.expectNext("fourth")
}

func TestWhatRunsAlreadyHasItsSlot(t *testing.T) {
	w := newFixture(t)
	running := w.enter(w.create("a", "running", time.Minute), v1alpha1.BuildStarting)
	waiting := w.create("a", "waiting", 0)
	w.start(queue.Limits{Builds: 1}, nil)
	w.synced()
	w.expectNone()
	w.expectTurn(waiting, false, clusterIsFull)
	w.enter(running, v1alpha1.BuildSucceeded)
	w.expectNext("waiting")
}

// ahead is an API that is ahead of the cache: it has a version of each build that is to be written yet.
type ahead struct {
	client.Reader
	version string
	asked   chan struct{}
}

func (a *ahead) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := a.Reader.List(ctx, list, options...); err != nil {
		return err
	}
	builds, ok := list.(*metav1.PartialObjectMetadataList)
	if !ok {
		return errors.New("it is about metadata")
	}
	for i := range builds.Items {
		builds.Items[i].ResourceVersion = a.version
	}
	close(a.asked)
	return nil
}

func TestNothingIsAdmittedBeforeTheCacheHasWhatWasStored(t *testing.T) {
	w := newFixture(t)
	build := w.create("a", "started-elsewhere", 0) // version 1
	api := &ahead{version: "2", asked: make(chan struct{})}
	w.start(queue.Limits{Builds: 1}, func(reader client.Reader) client.Reader {
		api.Reader = reader
		return api
	})
	select {
	case <-api.asked:
	case <-time.After(patience):
		t.Fatal("the API was not asked for the builds")
	}
	w.expectTurn(build, false, "the build is about to start")
	w.expectNone()
	w.enter(build, v1alpha1.BuildStarting) // version 2
	w.synced()
	w.expectNone()
	waiting := w.create("a", "waiting", time.Second)
	w.eventually("behind the one that was started elsewhere", func() bool {
		_, why := w.queue.Admission(w.ctx, waiting)
		return why == clusterIsFull
	})
}

func TestBuildsThatAreGoneAreNotWaitedFor(t *testing.T) {
	w := newFixture(t)
	w.create("a", "kept", 0)
	w.start(queue.Limits{}, func(reader client.Reader) client.Reader { return &haunted{reader} })
	w.synced()
	w.expectNext("kept")
}

// haunted is an API that lists a build which is deleted before a client can get it.
type haunted struct{ client.Reader }

func (h *haunted) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := h.Reader.List(ctx, list, options...); err != nil {
		return err
	}
	ghost := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "ghost", UID: "ghost", ResourceVersion: "1"}}
	if builds, ok := list.(*metav1.PartialObjectMetadataList); ok {
		builds.Items = append(builds.Items, ghost)
	}
	return nil
}

func TestABuildThatCouldNotBeStartedLetsOthersGoFirst(t *testing.T) {
	w := newFixture(t)
	first := w.create("a", "first", 0)
	w.start(queue.Limits{Builds: 1}, nil)
	w.synced()
	w.expectNext("first")
	second := w.create("a", "second", time.Second)
	w.oneWaits()
	w.expectTurn(first, true, "")
	key := client.ObjectKeyFromObject(first)
	w.queue.ObserveFailedWrite(key, apierrors.NewForbidden(v1alpha1.Resource("imagebuilds"), "first", errors.New("a policy says no")))
	w.queue.Release(key)
	w.expectNext("second")
	w.expectTurn(first, false, clusterIsFull)
	w.queue.Release(client.ObjectKeyFromObject(second))
	w.expectNext("first")
}

func TestABuildThatMayHaveBeenStartedKeepsItsSlot(t *testing.T) {
	for name, err := range map[string]error{
		"the connection broke":  errors.New("unexpected EOF"),
		"the server timed out":  apierrors.NewTimeoutError("the request did not complete", 1),
		"the server is broken":  apierrors.NewInternalError(errors.New("broken")),
		"the server went away":  apierrors.NewServiceUnavailable("shutting down"),
		"the aggregator did so": apierrors.NewGenericServerResponse(http.StatusBadGateway, "put", v1alpha1.Resource("imagebuilds"), "first", "", 0, true),
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			first := w.create("a", "first", 0)
			w.start(queue.Limits{Builds: 1}, nil)
			w.synced()
			w.expectNext("first")
			second := w.create("a", "second", time.Second)
			w.oneWaits()
			w.queue.ObserveFailedWrite(client.ObjectKeyFromObject(first), err)
			w.queue.Release(client.ObjectKeyFromObject(first))
			w.expectNone()
			w.expectTurn(second, false, clusterIsFull)
			w.expectTurn(first, true, "") // it is tried again
			w.remove(first)
			w.expectNext("second")
		})
	}
}

func TestABuildThatTheCacheDoesNotHaveTakesNoSlot(t *testing.T) {
	w := newFixture(t)
	w.start(queue.Limits{Builds: 1}, nil)
	w.synced()
	gone := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "gone", UID: "gone", ResourceVersion: "1"}}
	w.expectTurn(gone, false, "")
	w.queue.ObserveWrite(gone)
	w.create("a", "other", 0)
	w.expectNext("other")
}

func TestABuildOfTheNameOfAnotherDoesNotGetItsSlot(t *testing.T) {
	w := newFixture(t)
	first := w.create("a", "first", 0)
	w.start(queue.Limits{Builds: 1}, nil)
	w.synced()
	w.expectNext("first")
	again := first.DeepCopy() // deleted and created again: the cache does not have the new build
	again.UID, again.ResourceVersion = "again", ""
	w.expectTurn(again, false, "")
	w.expectTurn(first, true, "")
}

func TestNamespacesSayWhatTheyMayHave(t *testing.T) {
	w := newFixture(t)
	w.annotate(map[string]string{v1alpha1.AnnotationMaxBuilds: "0"})
	paused := w.create("a", "paused", 0)
	w.start(queue.Limits{PerNamespace: 1}, nil)
	w.synced()
	w.expectTurn(paused, false, "the namespace has reached its limit of active builds (0)")
	w.annotate(map[string]string{v1alpha1.AnnotationMaxBuilds: "2"})
	w.expectNext("paused")
	w.create("a", "beside", time.Second)
	w.expectNext("beside")
	w.must(w.kube.CoreV1().Namespaces().Delete(t.Context(), "a", metav1.DeleteOptions{}))
	third := w.create("a", "third", 2*time.Second)
	w.eventually("back to the limit of all namespaces", func() bool {
		_, why := w.queue.Admission(w.ctx, third)
		return why == "the namespace has reached its limit of active builds (1)"
	})
}

func TestANamespaceWithInvalidAnnotationsIsHeldBackAndNamedOnce(t *testing.T) {
	w := newFixture(t)
	complaints := func() int { return strings.Count(w.log.String(), `"namespace"="a"`) }
	w.annotate(map[string]string{v1alpha1.AnnotationMaxBuilds: "1 ", v1alpha1.AnnotationQueueWeight: "2"})
	held := w.create("a", "build", 0)
	w.start(queue.Limits{PerNamespace: 1}, nil)
	w.synced()
	const problem = `annotation images.goldsmith.dev/max-builds of the namespace counts as 0, because "1 " is not a whole number from 0 to 100000: correct or remove it`
	w.expectTurn(held, false, "the namespace has reached its limit of active builds (0); "+problem)
	if got, want := w.nextEvent(), "Warning InvalidAnnotation "+problem; got != want || complaints() != 1 {
		t.Errorf("the event is %q, want %q; the log is %q", got, want, w.log)
	}
	w.annotate(map[string]string{v1alpha1.AnnotationMaxBuilds: "1 ", v1alpha1.AnnotationQueueWeight: "3"})
	w.annotate(map[string]string{v1alpha1.AnnotationMaxBuilds: "more"})
	w.eventually("named", func() bool { return complaints() == 2 })
	if got := w.nextEvent(); !strings.Contains(got, `"more"`) {
		t.Errorf("the next event is %q", got)
	}
	w.annotate(map[string]string{v1alpha1.AnnotationMaxBuilds: "1"})
	w.expectNext("build")
	if complaints() != 2 || len(w.events.Events) != 0 {
		t.Errorf("a problem was reported twice: %q", w.log)
	}
}

func TestTheQueueIsMeasured(t *testing.T) {
	w := newFixture(t)
	first := w.create("a", "first", 0)
	w.start(queue.Limits{Builds: 1}, nil)
	w.synced()
	w.expectNext("first")
	w.create("a", "second", time.Second)
	w.oneWaits()
	w.queue.ObserveWrite(w.enter(first, v1alpha1.BuildStarting))
	w.oneWaits()
	if histogram := w.metric("goldsmith_queue_wait_seconds").GetHistogram(); histogram.GetSampleCount() != 1 || histogram.GetSampleSum() != 60 {
		t.Errorf("%d waits of %g seconds", histogram.GetSampleCount(), histogram.GetSampleSum())
	}
}
