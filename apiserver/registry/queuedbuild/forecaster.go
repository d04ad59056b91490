// SPDX-License-Identifier: Apache-2.0

package queuedbuild

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
)

// forecastAge is the maximum age of a forecast. Requests share a forecast, because each has to play the builds of all namespaces.
const forecastAge = time.Second

// Forecaster computes the queue: which builds wait, in which order, and when each of them is expected to start.
type Forecaster struct {
	limits queue.Limits
	builds builds
	shares *shares
	clock  clock.PassiveClock

	mutex sync.Mutex
	last  forecast
}

// builds are the stored builds.
type builds interface {
	// list returns the builds of a namespace, or of all. They must not be changed.
	list(ctx context.Context, namespace string) (*v1alpha1.ImageBuildList, error)
	// unfinished returns the builds of all namespaces that have not finished. They must not be changed.
	unfinished(ctx context.Context) (*v1alpha1.ImageBuildList, error)
	// get returns a build in the namespace of ctx.
	get(ctx context.Context, name string) (*v1alpha1.ImageBuild, error)
}

// forecast has the place of each waiting build by its UID.
type forecast struct {
	made   time.Time
	places map[types.UID]queue.Place
}

// all returns the waiting builds in the namespace of ctx, or in all namespaces, with their queue positions.
func (f *Forecaster) all(ctx context.Context) ([]*v1alpha1.QueuedBuild, error) {
	namespace := apirequest.NamespaceValue(ctx)
	list, err := f.builds.list(ctx, namespace)
	if err != nil {
		return nil, err
	}
	var waiting []*v1alpha1.ImageBuild
	for i := range list.Items {
		if build := &list.Items[i]; waits(build) {
			waiting = append(waiting, build)
		}
	}
	if namespace == metav1.NamespaceAll {
		f.mutex.Lock()
		defer f.mutex.Unlock()
		f.play(ctx, list)
		return queuedBuilds(waiting, f.last.places), nil
	}
	places, err := f.places(ctx, waiting)
	if err != nil {
		return nil, err
	}
	return queuedBuilds(waiting, places), nil
}

// one returns a waiting build in the namespace of ctx with its queue position.
func (f *Forecaster) one(ctx context.Context, name string) (*v1alpha1.QueuedBuild, error) {
	missing := apierrors.NewNotFound(v1alpha1.Resource("queuedbuilds"), name)
	build, err := f.builds.get(ctx, name)
	switch {
	case apierrors.IsNotFound(err) || err == nil && !waits(build):
		return nil, missing
	case err != nil:
		return nil, err
	}
	waiting := []*v1alpha1.ImageBuild{build}
	places, err := f.places(ctx, waiting)
	if err != nil {
		return nil, err
	}
	if queued := queuedBuilds(waiting, places); len(queued) > 0 {
		return queued[0], nil
	}
	return nil, missing
}

// places returns a forecast that has the waiting builds, unless they were admitted meanwhile.
func (f *Forecaster) places(ctx context.Context, waiting []*v1alpha1.ImageBuild) (map[types.UID]queue.Place, error) {
	unknown := func(build *v1alpha1.ImageBuild) bool {
		_, known := f.last.places[build.UID]
		return !known && !suspended(build)
	}
	if !slices.ContainsFunc(waiting, func(build *v1alpha1.ImageBuild) bool { return !suspended(build) }) {
		return nil, nil
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if age := f.clock.Since(f.last.made); age >= 0 && age < forecastAge && !slices.ContainsFunc(waiting, unknown) {
		return f.last.places, nil
	}
	list, err := f.builds.list(ctx, metav1.NamespaceAll)
	if err != nil {
		return nil, err
	}
	f.play(ctx, list)
	return f.last.places, nil
}

// Obstacle returns what a build that were created now would wait for in the queue, and "" if it would start.
func (f *Forecaster) Obstacle(ctx context.Context, build *v1alpha1.ImageBuild) (string, error) {
	view, waits := queue.FromBuild(build)
	if !waits {
		return "", nil
	}
	list, err := f.builds.unfinished(ctx)
	if err != nil {
		return "", fmt.Errorf("read the queue: %w", err)
	}
	order, _ := f.order(ctx, list)
	return order.Obstacle(view), nil
}

// order returns the queue of the builds of all namespaces, and these builds.
func (f *Forecaster) order(ctx context.Context, list *v1alpha1.ImageBuildList) (*queue.Queue, map[queue.Key]*v1alpha1.ImageBuild) {
	order, unfinished := queue.New(f.limits), map[queue.Key]*v1alpha1.ImageBuild{}
	for name, share := range f.shares.get(ctx) {
		order.SetNamespace(name, share)
	}
	for i := range list.Items {
		build := &list.Items[i]
		if build.Status.Finished {
			continue
		}
		if view, ok := queue.FromBuild(build); ok {
			order.Set(view)
			unfinished[view.Key] = build
		}
	}
	return order, unfinished
}

// play makes a new forecast from the builds of all namespaces. The caller has the mutex.
func (f *Forecaster) play(ctx context.Context, list *v1alpha1.ImageBuildList) {
	order, unfinished := f.order(ctx, list)
	durations := lasted(list)
	made := f.clock.Now()
	places := order.Forecast(made, queue.Expectation{
		Started: func(key queue.Key) time.Time { return f.started(unfinished[key]) },
		Lasts: func(key queue.Key) (time.Duration, bool) {
			ref := unfinished[key].Spec.ImageRef
			if ref == nil {
				return 0, false
			}
			last, ok := durations[ref.UID]
			return last.took, ok
		},
	})
	f.last = forecast{made: made, places: make(map[types.UID]queue.Place, len(places))}
	ahead := waitingForWorker(list) // they have left the queue, so they precede all that have not
	for i, build := range ahead {
		f.last.places[build.UID] = queue.Place{Position: i + 1}
	}
	for _, place := range places {
		place.Position += len(ahead)
		f.last.places[unfinished[place.Key].UID] = place
	}
}

// queuedBuilds returns the builds that have a place, in the order of their positions, and then those whose Job is suspended.
func queuedBuilds(waiting []*v1alpha1.ImageBuild, places map[types.UID]queue.Place) []*v1alpha1.QueuedBuild {
	queued := make([]*v1alpha1.QueuedBuild, 0, len(waiting))
	for _, build := range waiting {
		if place, placed := places[build.UID]; placed && !suspended(build) {
			if held(build) {
				place.Why = whyHeld(build)
			}
			queued = append(queued, queuedBuild(build, &place))
		}
	}
	slices.SortFunc(queued, func(a, b *v1alpha1.QueuedBuild) int { return cmp.Compare(a.Status.Position, b.Status.Position) })
	for _, build := range waiting {
		if suspended(build) {
			queued = append(queued, queuedBuild(build, &queue.Place{Why: whyHeld(build)}))
		}
	}
	return queued
}

// waitingForWorker are the builds whose attempt waits for a worker, in the order of these attempts.
func waitingForWorker(list *v1alpha1.ImageBuildList) (builds []*v1alpha1.ImageBuild) {
	for i := range list.Items {
		if build := &list.Items[i]; waits(build) && held(build) && !suspended(build) {
			builds = append(builds, build)
		}
	}
	slices.SortStableFunc(builds, func(a, b *v1alpha1.ImageBuild) int {
		return a.Status.Attempts[len(a.Status.Attempts)-1].StartTime.Compare(b.Status.Attempts[len(b.Status.Attempts)-1].StartTime.Time)
	})
	return builds
}

// waits reports whether a build waits: for its admission, for a worker or for Kueue.
func waits(build *v1alpha1.ImageBuild) bool {
	if build.Spec.CancelRequested != nil || build.DeletionTimestamp != nil {
		return false
	}
	switch build.Status.Phase {
	case v1alpha1.BuildPending, v1alpha1.BuildQueued, "":
		return true
	}
	return false
}

// held reports whether the attempt of a build waits: for a worker, or because its Job is suspended.
func held(build *v1alpha1.ImageBuild) bool {
	return build.Status.Phase == v1alpha1.BuildQueued && len(build.Status.Attempts) > 0
}

// suspended reports whether the Job of a build is suspended. Then Kueue decides when and in which order Jobs are resumed.
func suspended(build *v1alpha1.ImageBuild) bool {
	admitted := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildAdmitted)
	return held(build) && (admitted == nil || admitted.Reason != v1alpha1.ReasonWaitingForWorker)
}

// whyHeld is what the attempt of a build waits for, from its condition.
func whyHeld(build *v1alpha1.ImageBuild) string {
	if admitted := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildAdmitted); admitted != nil {
		return admitted.Message
	}
	return ""
}

// success is how long a successful build took, and when it ended.
type success struct {
	took  time.Duration
	ended time.Time
}

// lasted are the last successful builds, by the UID of their Image.
func lasted(list *v1alpha1.ImageBuildList) map[types.UID]success {
	last := map[types.UID]success{}
	for i := range list.Items {
		build := &list.Items[i]
		if build.Spec.ImageRef == nil || build.Spec.Retests != nil || build.Status.Phase != v1alpha1.BuildSucceeded { // tests alone take less time
			continue
		}
		took, ended := build.Status.Duration()
		if known, ok := last[build.Spec.ImageRef.UID]; !ended || ok && !known.ended.Before(build.Status.CompletionTime.Time) {
			continue
		}
		last[build.Spec.ImageRef.UID] = success{took: took, ended: build.Status.CompletionTime.Time}
	}
	return last
}

// started is when an active build would have started if it had not been queued again. A build whose attempt waits has all its time
// before it.
func (f *Forecaster) started(build *v1alpha1.ImageBuild) time.Time {
	now := f.clock.Now()
	took, started := build.Status.DurationAt(now)
	switch {
	case build.Status.Phase == v1alpha1.BuildQueued:
		return now
	case !started:
		return build.CreationTimestamp.Time
	}
	return now.Add(-took)
}

func queuedBuild(build *v1alpha1.ImageBuild, place *queue.Place) *v1alpha1.QueuedBuild {
	queued := &v1alpha1.QueuedBuild{
		ObjectMeta: metav1.ObjectMeta{Namespace: build.Namespace, Name: build.Name, UID: build.UID, Labels: build.Labels},
		Status: v1alpha1.QueuedBuildStatus{
			Position:   int32(place.Position), //nolint:gosec // a longer queue would not fit into memory
			Message:    place.Why,
			QueuedTime: build.Status.QueuedTime,
		},
	}
	switch admitted := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildAdmitted); {
	case held(build) && build.Status.StartTime != nil && admitted != nil: // it has run before, and waits again
		queued.Status.QueuedTime = &admitted.LastTransitionTime
	case queued.Status.QueuedTime == nil:
		queued.Status.QueuedTime = &build.CreationTimestamp // the build was not reconciled yet
	}
	if build.Spec.ImageRef != nil {
		queued.Status.ImageName = build.Spec.ImageRef.Name
	}
	if build.Spec.Priority != nil {
		queued.Status.Priority = *build.Spec.Priority
	}
	if !place.Start.IsZero() {
		start := metav1.NewTime(place.Start)
		queued.Status.EstimatedStartTime = &start
	}
	return queued
}
