// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// ofGeneration is a build of the Image's spec as it was then.
func ofGeneration(generation int64, build v1alpha1.ImageBuild) v1alpha1.ImageBuild {
	build.Spec.ImageGeneration = &generation
	return build
}

func TestFailuresAreCountedInOrderAndOnce(t *testing.T) {
	const failed, succeeded, cancelled, run = v1alpha1.BuildFailed, v1alpha1.BuildSucceeded, v1alpha1.BuildCancelled, v1alpha1.BuildRunning
	override := newBuild(2, failed, "Z")
	override.Spec.Trigger, override.Spec.OneOff = &v1alpha1.BuildTrigger{Parameters: []v1alpha1.Parameter{{Name: "edition"}}}, new(true)
	rerun := newBuild(3, succeeded, "A")
	rerun.Spec.Trigger, rerun.Spec.OneOff = &v1alpha1.BuildTrigger{RerunOf: "debian-1"}, new(false)
	other := newBuild(3, succeeded, "Z")
	other.Spec.Trigger, other.Spec.OneOff = rerun.Spec.Trigger, new(true)
	goesOn := newBuild(2, run, "Z")
	goesOn.Spec.OneOff = new(true)
	for name, c := range map[string]struct {
		builds   []v1alpha1.ImageBuild
		failures int32
		counted  int64
	}{
		"none":                       {nil, 0, 0},
		"in a row":                   {[]v1alpha1.ImageBuild{newBuild(1, failed, "A"), newBuild(2, failed, "A")}, 2, 2},
		"since the last success":     {[]v1alpha1.ImageBuild{newBuild(1, failed, "A"), newBuild(2, succeeded, "A"), newBuild(3, failed, "A")}, 1, 3},
		"cancelled is neither":       {[]v1alpha1.ImageBuild{newBuild(1, failed, "A"), newBuild(2, cancelled, "A"), newBuild(3, failed, "A")}, 2, 3},
		"up to one that goes on":     {[]v1alpha1.ImageBuild{newBuild(1, failed, "A"), newBuild(2, run, "A"), newBuild(3, succeeded, "A")}, 1, 1},
		"over builds that are gone":  {[]v1alpha1.ImageBuild{newBuild(3, failed, "A"), newBuild(7, failed, "A")}, 2, 7},
		"not of an older spec":       {[]v1alpha1.ImageBuild{ofGeneration(3, newBuild(1, failed, "A")), ofGeneration(4, newBuild(2, failed, "A"))}, 1, 2},
		"not of other parameters":    {[]v1alpha1.ImageBuild{newBuild(1, failed, "A"), override}, 1, 2},
		"a success of an older spec": {[]v1alpha1.ImageBuild{newBuild(1, failed, "A"), ofGeneration(3, newBuild(2, succeeded, "A"))}, 0, 2},
		"a rerun that succeeds":      {[]v1alpha1.ImageBuild{newBuild(1, failed, "A"), rerun}, 0, 3},
		"not of other inputs":        {[]v1alpha1.ImageBuild{newBuild(1, failed, "A"), other}, 1, 3},
		"over a one-off that runs":   {[]v1alpha1.ImageBuild{newBuild(1, failed, "A"), goesOn, newBuild(3, failed, "A")}, 2, 3},
	} {
		image := newImage()
		o := observed(image, "A", c.builds...)
		for range 2 { // the second time nothing is counted again
			status := keep(o)
			if status.ConsecutiveFailures != c.failures || status.CountedBuild != c.counted {
				t.Errorf("%s: %d failures up to build %d, want %d up to %d", name, status.ConsecutiveFailures, status.CountedBuild, c.failures, c.counted)
			}
		}
	}
}

// failing is a scenario with a schedule and a base in which builds have failed as often as they may.
func failing(t *testing.T) *scenario {
	w := scheduled(t)
	w.Image.Spec.Base.ImageRef = &v1alpha1.BaseImageReference{Name: "base"}
	w.Image.Spec.Triggers.DisableAfterFailures = new(int32(2))
	for _, day := range []string{"2026-03-02T03:30:00Z", "2026-03-03T03:30:00Z"} {
		request := w.at(day).look().Request
		if request == nil {
			t.Fatalf("nothing is due at %s", day)
		}
		w.build(request, v1alpha1.BuildFailed)
		if decision := w.look(); decision.Disabled != (w.number == 3) {
			t.Errorf("after build %d the schedule has been disabled: %v", w.number, decision.Disabled)
		}
	}
	return w
}

func TestTooManyFailuresStopScheduleAndBase(t *testing.T) {
	w := failing(t)
	if w.look().Disabled {
		t.Error("told twice")
	}
	w.at("2026-03-04T04:00:00Z").settle()
	w.expect()
	if got := says(t, w.Image.Status, v1alpha1.ImageScheduleActive); got != "False TooManyFailures" || w.Image.Status.NextScheduleTime != nil {
		t.Errorf("ScheduleActive %s, next %v", got, w.Image.Status.NextScheduleTime)
	}
	stalled := meta.FindStatusCondition(w.Image.Status.Conditions, v1alpha1.ImageStalled)
	if says(t, w.Image.Status, v1alpha1.ImageStalled) != "True TooManyFailures" ||
		!strings.Contains(stalled.Message, "2 consecutive builds") || !strings.Contains(stalled.Message, `build successfully with "goldsmith build debian"`) {
		t.Errorf("Stalled %+v", stalled)
	}
	w.Image.Status.LastAttempted.BaseDigest = "one"
	o := based(w.Image, "two", w.Builds...)
	w.Image.Status.LastAttempted.InputsDigest = based(w.Image, "one").Resolved.InputsDigest
	if decision := Next(o); decision.Request != nil || decision.Reason != v1alpha1.ReasonTooManyFailures {
		t.Errorf("%s: request %+v", decision.Reason, decision.Request)
	}
	only := failing(t)
	only.Image.Spec.Triggers.Schedule, only.Image.Spec.Base.ImageRef, only.Image.Spec.Triggers.OnPackageChange = nil, nil, &v1alpha1.PackageTrigger{}
	only.Image.Status.Conditions = nil
	if !only.look().Disabled || says(t, only.look().Status, v1alpha1.ImageStalled) != "True TooManyFailures" {
		t.Errorf("with new packages as the only trigger: %+v", only.look().Status.Conditions)
	}
}

func TestAChangeOfTheSpecArmsTheScheduleAgain(t *testing.T) {
	w := failing(t)
	w.Image.Generation++
	if status := Next(w.Observed).Status; status.ConsecutiveFailures != 0 || says(t, status, v1alpha1.ImageScheduleActive) != "True Scheduled" {
		t.Errorf("%d failures, ScheduleActive %s", status.ConsecutiveFailures, says(t, status, v1alpha1.ImageScheduleActive))
	}
	w.Resolved = &v1alpha1.ResolvedInputs{InputsDigest: "B"}
	w.at("2026-03-04T12:00:00Z").settle()
	if len(w.asked) != 1 || w.asked[0] != "B:3" {
		t.Errorf("asked for %v", w.asked)
	}
	if got := says(t, w.Image.Status, v1alpha1.ImageScheduleActive); got != "True Scheduled" {
		t.Errorf("ScheduleActive %s", got)
	}
	w.asked = nil
	w.at("2026-03-05T03:30:00Z").settle()
	w.expect("2026-03-05T03:30:00Z")
}

func TestASuccessArmsTheScheduleAgain(t *testing.T) {
	w := failing(t)
	w.at("2026-03-04T12:00:00Z").build(&v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, RequestID: "please"}, v1alpha1.BuildSucceeded)
	w.settle() // today's time was while it was disabled
	w.expect()
	if w.Image.Status.ConsecutiveFailures != 0 {
		t.Errorf("%d failures", w.Image.Status.ConsecutiveFailures)
	}
	w.at("2026-03-05T03:30:00Z").settle()
	w.expect("2026-03-05T03:30:00Z")
}

func TestZeroFailuresIsNever(t *testing.T) {
	w := failing(t)
	w.Image.Spec.Triggers.DisableAfterFailures = new(int32(0))
	w.settle()
	if got := says(t, w.Image.Status, v1alpha1.ImageScheduleActive); got != "True Scheduled" {
		t.Errorf("ScheduleActive %s", got)
	}
}

func TestWithoutScheduleAndBaseThereIsNothingToDisable(t *testing.T) {
	image := newImage(func(i *v1alpha1.Image) { i.Spec.Triggers.DisableAfterFailures = new(int32(1)) })
	decision := Next(observed(image, "A", newBuild(1, v1alpha1.BuildFailed, "A")))
	if got := says(t, decision.Status, v1alpha1.ImageScheduleActive); got != "False NoSchedule" || decision.Disabled {
		t.Errorf("ScheduleActive %s, disabled %v", got, decision.Disabled)
	}
	if got := says(t, decision.Status, v1alpha1.ImageStalled); got != "True BuilderFailed" {
		t.Errorf("Stalled %s", got)
	}
}

func TestAFailureWithAScheduleThatComesStallsNothing(t *testing.T) {
	w := scheduled(t)
	w.Resolved = &v1alpha1.ResolvedInputs{InputsDigest: "B"}
	w.build(&v1alpha1.BuildRequest{Reason: v1alpha1.TriggerSpecChange}, v1alpha1.BuildFailed)
	w.settle()
	if got := says(t, w.Image.Status, v1alpha1.ImageStalled); got != "False Progressing" {
		t.Errorf("Stalled %s", got)
	}
	w.Image.Spec.Triggers.Schedule.Mode = v1alpha1.ScheduleIfChanged
	w.settle()
	if got := says(t, w.Image.Status, v1alpha1.ImageStalled); got != "True BuilderFailed" {
		t.Errorf("Stalled is %s, but nothing will change", got)
	}
}
