// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// end records how a build of an Image ended.
func (t *truth) end(build *v1alpha1.ImageBuild) {
	how := ended{name: build.Name, phase: build.Status.Phase, counts: !build.IsOneOff() && build.Status.Phase != v1alpha1.BuildCancelled}
	if build.Status.Failure != nil {
		how.reason, how.class = build.Status.Failure.Reason, build.Status.Failure.Class
	}
	if build.Status.CompletionTime != nil {
		how.at = build.Status.CompletionTime.Time
	}
	if len(build.Status.Artifacts) > 0 {
		how.artifact = build.Status.Artifacts[0].Digest
	}
	if build.Spec.ImageGeneration != nil {
		how.generation = *build.Spec.ImageGeneration
	}
	t.ended[numbered{build.Spec.ImageRef.UID, numberOf(build)}] = how
}

// checkReport holds what the status of an Image reports on its builds against what happened: Ready and its columns report on the
// newest build that counts and that the controller has seen, and a cancelled or one-off build changes nothing.
func (w *environment) checkReport(image *v1alpha1.Image, status *v1alpha1.ImageStatus) {
	last, latest, before := status.LastFinished, status.LatestBuild, image.Status.LastFinished
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ImageReady)
	want := "False/NeverBuilt"
	if latest != nil {
		want = "False/BuildQueued"
		if latest.Phase.Active() {
			want = "False/BuildActive"
		}
	}
	if last != nil {
		end, known := w.truth.ended[numbered{image.UID, last.Number}]
		if !known || !end.counts || end.phase != last.Phase || end.reason != last.Reason {
			w.broken("%s reports that build %d ended %s (%s), and it ended %s (%s), counts %t", image.Name, last.Number, last.Phase, last.Reason, end.phase, end.reason, end.counts)
		}
		want = map[v1alpha1.BuildPhase]string{v1alpha1.BuildSucceeded: "True/BuildSucceeded", v1alpha1.BuildFailed: "False/BuildFailed"}[last.Phase]
	}
	if latest := status.LatestSuccessful; last != nil && last.Phase == v1alpha1.BuildSucceeded && latest != nil && latest.Revoked != nil {
		from, reported := latest.Revoked.Since(), ready.Reason == string(v1alpha1.ReasonRevoked)
		if near := w.now.Sub(from).Abs() <= 25*time.Hour; latest.Revoked.InEffect(w.now) && !near || near && reported {
			want = "False/Revoked"
		}
	}
	if got := string(ready.Status) + "/" + ready.Reason; got != want {
		w.broken("%s is Ready=%s, want %s: last finished %+v, latest %+v", image.Name, got, want, last, latest)
	}
	switch {
	case before != nil && (last == nil || last.Number < before.Number):
		w.broken("%s has forgotten build %d", image.Name, before.Number)
	case last == nil && latest != nil && latest.Phase.Finished(), last != nil && latest == nil:
		w.broken("%s has finished build %+v, and reports %+v", image.Name, last, latest)
	case last != nil && latest.Number < last.Number, last != nil && latest.Number == last.Number && latest.Phase != last.Phase:
		w.broken("%s has finished build %+v, and reports the older %+v", image.Name, last, latest)
	}
	failures := int32(0)
	for build, how := range w.truth.ended {
		if build.image == image.UID && how.counts && how.phase == v1alpha1.BuildFailed && how.generation >= image.Generation {
			failures++
		}
	}
	if status.ConsecutiveFailures > failures {
		w.broken("%s has failed %d times in a row, and only %d builds of its spec failed", image.Name, status.ConsecutiveFailures, failures)
	}
	w.checkLine(image, status)
	w.checkProgress(image, status)
}

// checkProgress holds what tools wait for: an Image that is neither reconciled nor stalled has an artifact of its present
// inputs. Newer packages, which may wait for days, change no inputs.
func (w *environment) checkProgress(image *v1alpha1.Image, status *v1alpha1.ImageStatus) {
	is := func(kind string) bool { return meta.IsStatusConditionTrue(status.Conditions, kind) }
	upToDate := meta.FindStatusCondition(status.Conditions, v1alpha1.ImageUpToDate)
	current := upToDate.Status == metav1.ConditionTrue || upToDate.Reason == v1alpha1.ReasonPackagesChanged
	reconciling, stalled, built := is(v1alpha1.ImageReconciling), is(v1alpha1.ImageStalled), is(v1alpha1.ImageReady) && current
	if reconciling && stalled || !reconciling && !stalled && !built {
		w.broken("%s is reconciling %t, stalled %t, built %t: %+v", image.Name, reconciling, stalled, built, status.Conditions)
	}
}

// checkLine holds that all columns of an Image report on the same build.
func (w *environment) checkLine(image *v1alpha1.Image, status *v1alpha1.ImageStatus) {
	line := trigger.Summarize(&v1alpha1.Image{Status: *status})
	last, latest, made := status.LastFinished, status.LatestBuild, status.LatestSuccessful
	switch {
	case line.Reason == "" && line.Ready != "True":
		w.broken("%s is not ready, and no column has the reason", image.Name)
	case line.Reason == v1alpha1.ReasonBuildFailed && last.Number != latest.Number:
		w.broken("%s is not ready because of build %d, and LATEST is %s", image.Name, last.Number, line.Latest)
	case made != nil && (line.Source == "") != (made.Number == latest.Number):
		w.broken("%s has artifacts of build %d, and its columns report on %s: %+v", image.Name, made.Number, line.Latest, line)
	case made != nil && made.Number > last.Number:
		w.broken("%s has artifacts of build %d, which is newer than its last finished build %d", image.Name, made.Number, last.Number)
	}
}

// checkWaiting holds that an Image without a build under way does not pretend to make progress for ever.
func (w *environment) checkWaiting(image *v1alpha1.Image) {
	conditions := image.Status.Conditions
	stalled, ready := meta.FindStatusCondition(conditions, v1alpha1.ImageStalled), meta.FindStatusCondition(conditions, v1alpha1.ImageReady)
	if stalled == nil || ready == nil {
		w.broken("nobody has reported on %s", image.Name)
	}
	if progress := meta.FindStatusCondition(conditions, v1alpha1.ImageReconciling); progress != nil && progress.Reason == v1alpha1.ReasonWaitingForBase {
		w.broken("%s waits for its base, of which no build is under way", image.Name)
	}
	if stalled.Reason != v1alpha1.ReasonProgressing || ready.Status == "True" ||
		meta.IsStatusConditionFalse(conditions, v1alpha1.ImageInputsResolved) || meta.IsStatusConditionTrue(conditions, v1alpha1.ImageScheduleActive) {
		return
	}
	w.broken("%s is not ready (%s: %s), nothing happens, and it does not need a person", image.Name, ready.Reason, ready.Message)
}
