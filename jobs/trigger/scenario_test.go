// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// scenario is an Image with a schedule, its builds, and a clock. It stores each decision, and runs each requested build.
type scenario struct {
	Observed
	t      *testing.T
	asked  []string // request IDs
	number int64
}

// scheduled is a scenario whose inputs were built, with a schedule at 03:30 each day, seen first at 2026-03-01T12:00:00Z.
func scheduled(t *testing.T, change ...func(*v1alpha1.Schedule)) *scenario {
	schedule := &v1alpha1.Schedule{Cron: "30 3 * * *"}
	for _, c := range change {
		c(schedule)
	}
	w := &scenario{t: t, number: 1}
	w.Observed = observed(newImage(func(i *v1alpha1.Image) {
		i.Spec.Triggers.Schedule = schedule
		v1alpha1.SetObjectDefaults_Image(i)
	}), "A", newBuild(1, v1alpha1.BuildSucceeded, "A"))
	if decision := w.look(); decision.Request != nil {
		t.Fatalf("request %+v", decision.Request)
	}
	return w
}

// at sets the clock.
func (w *scenario) at(text string) *scenario {
	w.t.Helper()
	w.Now = at(w.t, text)
	return w
}

// look decides, and stores the status if the decision requests no build.
func (w *scenario) look() Decision {
	decision := Next(w.Observed)
	if decision.Request == nil {
		w.Image.Status = decision.Status
	}
	return decision
}

// settle looks until nothing is asked for. Builds that are asked for succeed at once.
func (w *scenario) settle() {
	w.t.Helper()
	for range 10 {
		decision := w.look()
		if decision.Request == nil {
			return
		}
		w.asked = append(w.asked, decision.Request.RequestID)
		w.build(decision.Request, v1alpha1.BuildSucceeded)
	}
	w.t.Fatalf("asks for ever: %v", w.asked)
}

func (w *scenario) build(request *v1alpha1.BuildRequest, phase v1alpha1.BuildPhase) {
	w.number++
	build := newBuild(w.number, phase, w.Resolved.InputsDigest)
	build.Spec.ImageGeneration = new(w.Image.Generation)
	build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: request.Reason, RequestID: request.RequestID}
	if request.Reason == v1alpha1.TriggerPackageChange { // as the server sets it
		build.Spec.Trigger.Packages = w.Image.Status.Packages.DeepCopy()
	}
	w.Builds = append(w.Builds, build)
}

// expect wants these times of the schedule, in UTC, to have been asked for since the last time.
func (w *scenario) expect(times ...string) {
	w.t.Helper()
	for i := range times {
		times[i] = "schedule:" + times[i]
	}
	if got, want := fmt.Sprint(w.asked), fmt.Sprint(times); got != want {
		w.t.Errorf("at %s it has asked for %s, want %s", w.Now, got, want)
	}
	w.asked = nil
}
