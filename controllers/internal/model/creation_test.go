// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/invariants"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// checkNewJob checks that a Job is created for a stored attempt that has not ended. The Job of a crashed process may
// arrive later.
func (w *environment) checkNewJob(job *batchv1.Job) {
	if w.arrivesLate || w.faults.interjected { // it was decided on before
		return
	}
	build, violations := invariants.Owner(job, w.buildsByUID())
	w.hold(violations)
	attempt, violations := invariants.Attempt(job, build)
	w.hold(violations)
	if attempt.Number != build.Status.CurrentAttempt || attempt.Outcome != "" || build.Status.Phase != v1alpha1.BuildStarting && build.Status.Phase != v1alpha1.BuildTesting {
		w.broken("Job %s was made for an attempt of %s, which is %s", job.Name, build.Name, build.Status.Phase)
	}
	w.checkAlone(build, "a pod of the new Job")
}

// checkNewBuild holds that a build is due, and that no request has two.
func (w *environment) checkNewBuild(build *v1alpha1.ImageBuild, image *v1alpha1.Image) {
	trigger := build.Spec.Trigger
	w.cover.triggers[trigger.Reason]++
	w.hold(invariants.Distinct(build, w.truth.created))
	switch trigger.Reason {
	case v1alpha1.TriggerSchedule:
		w.checkScheduled(build, image)
	case v1alpha1.TriggerPackageChange:
		w.checkOnce(build)
		w.checkSelected(build, image)
		w.checkBasesFirst(build, image)
	case v1alpha1.TriggerCreated, v1alpha1.TriggerSpecChange, v1alpha1.TriggerBaseChange, v1alpha1.TriggerSourceChange:
		w.checkChanged(build, image)
	}
	if trigger.Reason == v1alpha1.TriggerSourceChange {
		w.checkMoved(build, image)
	}
	if inputs.AsksForCheck(build) {
		w.truth.since[build.UID] = w.moment()
	}
	w.truth.created = append(w.truth.created, build)
	if w.tracing {
		w.note("%s is created: %s, request %s", build.Name, trigger.Reason, trigger.RequestID)
	}
}

func (w *environment) checkScheduled(build *v1alpha1.ImageBuild, image *v1alpha1.Image) {
	at, err := time.Parse(time.RFC3339, strings.TrimPrefix(build.Spec.Trigger.RequestID, "schedule:"))
	since, ok := w.truth.scheduledAt[image.Name]
	switch {
	case err != nil:
		w.broken("%s is of no time of a schedule: %s", build.Name, build.Spec.Trigger.RequestID)
	case w.truth.excused:
	case !ok || at.Add(longestTurnBack).Before(since):
		w.broken("%s is of %s, and %s has a schedule since %s", build.Name, at, image.Name, since)
	}
}

// checkChanged holds that the inputs are not those of the last attempted build.
func (w *environment) checkChanged(build *v1alpha1.ImageBuild, image *v1alpha1.Image) {
	if w.truth.excused {
		return
	}
	now := w.resolveImage(image)
	var last *v1alpha1.ImageBuild
	for _, other := range w.truth.created {
		if other.Spec.ImageRef.UID == image.UID && !other.IsOneOff() && !w.uncheckedBuild(other, image, now.resolved) && (last == nil || numberOf(other) > numberOf(last)) {
			last = other
		}
	}
	if now.resolved != nil && last != nil && w.truth.digests[last.UID] == now.resolved.InputsDigest && !w.truth.byHand[last.UID] {
		w.broken("%s is of the same inputs as %s: %s", build.Name, last.Name, build.Spec.Trigger.Reason)
	}
}

func (w *environment) checkPruning(build *v1alpha1.ImageBuild, excused bool) {
	image, ok := w.images.get(build.Spec.ImageRef.Name)
	switch {
	case !build.Status.Finished:
		w.broken("%s was pruned, and is %s", build.Name, build.Status.Phase)
	case v1alpha1.UnderLegalHold(build):
		w.broken("%s was pruned, which is under legal hold", build.Name)
	case !ok || image.UID != build.Spec.ImageRef.UID || excused || w.arrivesLate:
	case v1alpha1.UnderLegalHold(image):
		w.broken("%s was pruned, whose image is under legal hold", build.Name)
	case numberOf(build) > image.Status.CountedBuild:
		w.broken("%s was pruned before it was counted", build.Name)
	case image.Status.LatestSuccessful != nil && image.Status.LatestSuccessful.Number == numberOf(build):
		w.broken("%s was pruned, the latest success", build.Name)
	case slices.ContainsFunc(image.Status.Channels, func(c v1alpha1.ImageChannel) bool { return c.Build == build.Name }):
		w.broken("%s was pruned, which a channel names", build.Name)
	}
}

// checkExpired checks the deletion of a build that was created directly.
func (w *environment) checkExpired(build *v1alpha1.ImageBuild) {
	switch {
	case !build.Status.Finished:
		w.broken("%s expired, and is %s", build.Name, build.Status.Phase)
	case v1alpha1.UnderLegalHold(build):
		w.broken("%s expired, which is under legal hold", build.Name)
	case w.now.Add(longestTurnBack).Before(build.Status.CompletionTime.Add(directTTL)):
		w.broken("%s expired too early", build.Name)
	}
	w.cover.point("a build expires")
}

// checkSuperseding returns a check that superseding has left a build alone that had started.
func (w *environment) checkSuperseding(name string) func() {
	before, ok := w.builds.get(name)
	return func() {
		after, is := w.builds.get(name)
		switch {
		case !ok || !is || before.Spec.CancelRequested != nil || after.Spec.CancelRequested == nil:
		case len(before.Status.Attempts) > 0:
			w.broken("%s was superseded, and is %s", name, before.Status.Phase)
		case before.IsOneOff():
			w.broken("%s was superseded, and is one-off", name)
		}
	}
}
