// SPDX-License-Identifier: Apache-2.0

package queuedbuild

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/apiserver/internal/images/convert"
	"goldsmith.dev/goldsmith/jobs/queue"
)

// forecaster computes the queue: which builds wait, in which order, and when each of them is expected to start.
type forecaster struct {
	limits queue.Limits
	stored func(ctx context.Context) (*images.ImageBuildList, error)
	shares *shares
	clock  clock.PassiveClock
}

// builds returns all waiting builds with their queue positions.
func (f *forecaster) builds(ctx context.Context) ([]*images.QueuedBuild, error) {
	list, err := f.stored(ctx)
	if err != nil {
		return nil, err
	}
	order := queue.New(f.limits)
	for name, share := range f.shares.get(ctx) {
		order.SetNamespace(name, share)
	}
	unfinished := map[queue.Key]*images.ImageBuild{}
	for i := range list.Items {
		build := &list.Items[i]
		if build.Status.Finished {
			continue
		}
		public, err := convert.PublicImageBuild(build)
		if err != nil {
			return nil, fmt.Errorf("imagebuild %s/%s: %w", build.Namespace, build.Name, err)
		}
		if view, ok := queue.Of(public); ok {
			order.Set(view)
			unfinished[view.Key] = build
		}
	}
	durations := lasted(list)
	places := order.Forecast(f.clock.Now(), queue.Expectation{
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
	var queued, suspended []*images.QueuedBuild
	for _, build := range held(list) {
		admitted := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildAdmitted)
		switch {
		case admitted == nil:
			suspended = append(suspended, queuedBuild(build, &queue.Place{}))
		case admitted.Reason == v1alpha1.ReasonWaitingForWorker: // it has left the queue, so it precedes all that have not
			queued = append(queued, queuedBuild(build, &queue.Place{Position: len(queued) + 1, Why: admitted.Message}))
		default:
			suspended = append(suspended, queuedBuild(build, &queue.Place{Why: admitted.Message}))
		}
	}
	ahead := len(queued)
	for i := range places {
		places[i].Position += ahead
		queued = append(queued, queuedBuild(unfinished[places[i].Key], &places[i]))
	}
	return append(queued, suspended...), nil
}

// held are the builds whose attempt waits: for a worker, in the order of these attempts, or because its Job is suspended. Then
// Kueue decides when and in which order Jobs are resumed.
func held(list *images.ImageBuildList) (builds []*images.ImageBuild) {
	for i := range list.Items {
		build := &list.Items[i]
		if isHeld(build) && build.Spec.CancelRequested == nil && build.DeletionTimestamp == nil {
			builds = append(builds, build)
		}
	}
	slices.SortStableFunc(builds, func(a, b *images.ImageBuild) int {
		return a.Status.Attempts[len(a.Status.Attempts)-1].StartTime.Compare(b.Status.Attempts[len(b.Status.Attempts)-1].StartTime.Time)
	})
	return builds
}

func isHeld(build *images.ImageBuild) bool {
	return build.Status.Phase == v1alpha1.BuildQueued && len(build.Status.Attempts) > 0
}

// success is how long a successful build took, and when it ended.
type success struct {
	took  time.Duration
	ended time.Time
}

// lasted are the last successful builds, by the UID of their Image.
func lasted(list *images.ImageBuildList) map[types.UID]success {
	last := map[types.UID]success{}
	for i := range list.Items {
		build := &list.Items[i]
		status := &build.Status
		if build.Spec.ImageRef == nil || status.Phase != v1alpha1.BuildSucceeded || status.StartTime == nil || status.CompletionTime == nil {
			continue
		}
		if known, ok := last[build.Spec.ImageRef.UID]; ok && !known.ended.Before(status.CompletionTime.Time) {
			continue
		}
		last[build.Spec.ImageRef.UID] = success{took: status.CompletionTime.Sub(status.StartTime.Time), ended: status.CompletionTime.Time}
	}
	return last
}

// started is when an active build started. A build whose attempt waits has all its time before it.
func (f *forecaster) started(build *images.ImageBuild) time.Time {
	switch {
	case isHeld(build):
		return f.clock.Now()
	case build.Status.StartTime == nil:
		return build.CreationTimestamp.Time
	}
	return build.Status.StartTime.Time
}

func queuedBuild(build *images.ImageBuild, place *queue.Place) *images.QueuedBuild {
	queued := &images.QueuedBuild{
		ObjectMeta: metav1.ObjectMeta{Namespace: build.Namespace, Name: build.Name, UID: build.UID, Labels: build.Labels},
		Status: images.QueuedBuildStatus{
			Position:   int32(place.Position), //nolint:gosec // a longer queue would not fit into memory
			Message:    place.Why,
			QueuedTime: build.Status.QueuedTime,
		},
	}
	switch admitted := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildAdmitted); {
	case isHeld(build) && build.Status.StartTime != nil && admitted != nil: // it has run before, and waits again
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
