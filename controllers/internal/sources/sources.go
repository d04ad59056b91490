// SPDX-License-Identifier: Apache-2.0

// Package sources finds out which commit or digest the sources of Images name. Its data flow:
//
//	status.source and builds ── due ────▶ a check is due
//	places ──────────────────── reserve ▶ a place for it, or when to ask again
//	both ────────────────────── Next ───▶ the number and the start of the check in status.source, which package image stores
//	that number and start ───── follow ─▶ a Job in the namespace of the Image, which has the Secret of the source
//	the end of that Job ─────── follow ─▶ status.source with what was found, from which package resolution resolves the inputs
//	status.source ───────────── tidy ───▶ the deletion of every other Job of the Image
//
// The number is stored before the Job is created, and the name of the Job has it. So a check that a crash interrupts is finished or repeated. Another
// process finds the checks that run in status.source, which only the controller writes.
//
// An answer counts only if its Job is what this process renders, and its pod has the input, image, command and variables of that Job. Admission may add
// variables, mounts and containers to a pod, and so may users who can create pods: they can forge an answer, as they can forge the result of a build.
package sources

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
)

const (
	// jobLimit is how long a check may take, with the start of its pod.
	jobLimit = render.SourceCheckLimit
	// look is when a check that runs is looked at without an event.
	look = 10 * time.Second
	// retry is the time until the first check after one that failed. It doubles with each failure, up to the interval.
	retry = 30 * time.Second
	// retryBuild is the time until the next check after one that failed, while a build waits for one that succeeds.
	retryBuild = time.Minute
	// hintInterval is the shortest time between two checks because of hints.
	hintInterval = 5 * time.Second
)

// Options of the checks. All are required.
type Options struct {
	reconciliation.Options
	// Interval is the time between two checks of a source.
	Interval time.Duration
}

// Sources checks sources. It is safe for concurrent use.
type Sources struct {
	Options
	cache  client.Reader
	places *places
}

// New makes the checks. The cache has Images and Jobs.
func New(options Options, cache client.Reader) *Sources {
	return &Sources{options, cache, newPlaces()}
}

// Next brings the check of the source of an Image forward, and returns what status.source is to be. The caller stores it if it differs from
// the stored status.source, and calls Next again. again is when to call Next without an event; 0 means never. An error is an error of the API.
func (s *Sources) Next(ctx context.Context, image *v1alpha1.Image, builds []v1alpha1.ImageBuild) (next *v1alpha1.ImageSource, again time.Duration, err error) {
	if err := s.tidy(ctx, image); err != nil {
		return nil, 0, err
	}
	if !inputs.Checked(image.Spec.Source) {
		s.places.free(image.UID)
		return nil, 0, nil
	}
	next = current(image)
	now := s.Clock.Now()
	if runs(next) {
		if next.StartTime == nil || next.StartTime.After(now) { // the clock was ahead
			begin(next, now)
			return next, 0, nil
		}
		s.places.hold(image, next.StartTime.Time)
		if again, err = s.follow(ctx, image, next, now); err == nil && !runs(next) {
			s.places.free(image.UID)
		}
		return next, again, err
	}
	at := s.due(image, next, builds, now)
	if at.IsZero() || at.After(now) {
		s.places.free(image.UID)
		return next, max(0, at.Sub(now)), nil
	}
	if err := s.places.recall(func() ([]v1alpha1.Image, error) { return s.running(ctx) }, now); err != nil {
		return nil, 0, err
	}
	if wait := s.places.reserve(image, slices.ContainsFunc(builds, asks), now); wait > 0 {
		return next, wait, nil
	}
	begin(next, now)
	return next, 0, nil
}

// runs reports whether the last check that began has not ended.
func runs(checks *v1alpha1.ImageSource) bool { return checks.Ended < checks.Checks }

// begin begins the next check, also in place of one that runs.
func begin(next *v1alpha1.ImageSource, now time.Time) {
	next.Checks++
	next.StartTime = new(metav1.NewTime(now.Truncate(time.Second)))
}

func asks(build v1alpha1.ImageBuild) bool { return inputs.AsksForCheck(&build) }

// current returns the checks of the present source. The numbers go on, so that no two checks of an Image have the same name.
func current(image *v1alpha1.Image) *v1alpha1.ImageSource {
	stored, question := image.Status.Source, inputs.Question(image.Spec.Source)
	switch {
	case stored == nil:
		return &v1alpha1.ImageSource{Question: question}
	case stored.Question != question:
		return &v1alpha1.ImageSource{Question: question, Checks: stored.Checks, Ended: stored.Checks, HintTime: stored.HintTime}
	}
	return stored.DeepCopy()
}

// due returns when the next check is due, or zero if none is. A suspended Image is checked only for builds.
func (s *Sources) due(image *v1alpha1.Image, of *v1alpha1.ImageSource, builds []v1alpha1.ImageBuild, now time.Time) time.Time {
	started, last := of.StartTime, of.LastCheckTime
	switch {
	case image.IsSuspended() && !slices.ContainsFunc(builds, asks):
		return time.Time{}
	case started == nil || last == nil || started.After(now) || last.After(now): // the clock was ahead
		return now
	}
	fixed := inputs.FixedRevision(image.Spec.Source) != ""
	var at time.Time
	sooner := func(other time.Time) {
		if at.IsZero() || other.Before(at) {
			at = other
		}
	}
	switch {
	case of.Failure != nil && (!fixed || of.Found == nil):
		sooner(last.Add(reconciliation.Spread(min(s.Interval, retry<<min(max(of.ConsecutiveFailures-1, 0), 10)), image.UID)))
	case !fixed:
		sooner(last.Add(reconciliation.Spread(s.Interval, image.UID)))
	}
	for i := range builds {
		switch build := &builds[i]; {
		case !inputs.AsksForCheck(build):
		case !started.After(build.CreationTimestamp.Time):
			sooner(build.CreationTimestamp.Add(time.Second)) // times have whole seconds
		case of.Failure != nil:
			sooner(last.Add(reconciliation.Spread(min(s.Interval, retryBuild), image.UID)))
		}
	}
	if hint := of.HintTime; hint != nil && !started.After(hint.Time) && !fixed {
		sooner(later(hint.Add(time.Second), started.Add(hintInterval)))
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// running returns the Images whose checks run.
func (s *Sources) running(ctx context.Context) ([]v1alpha1.Image, error) {
	images := &v1alpha1.ImageList{}
	if err := s.cache.List(ctx, images, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the images whose sources are checked: %w", err)
	}
	return slices.DeleteFunc(images.Items, func(image v1alpha1.Image) bool { return !inputs.Checked(image.Spec.Source) || !runs(current(&image)) }), nil
}
