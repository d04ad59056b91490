// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestABuildStartsAtEachTime(t *testing.T) {
	w := scheduled(t)
	w.at("2026-03-02T03:29:59Z").settle()
	w.expect()
	if next := w.Image.Status.NextScheduleTime; next == nil || !next.Equal(&metav1.Time{Time: at(t, "2026-03-02T03:30:00Z")}) {
		t.Errorf("next %v", next)
	}
	if after := w.look().After; after != time.Second {
		t.Errorf("reconciles again after %s", after)
	}
	w.at("2026-03-02T03:30:00Z")
	decision := w.look()
	if request := decision.Request; request.Reason != v1alpha1.TriggerSchedule || decision.Reason != "Schedule" || !strings.Contains(request.Message, "2026-03-02T03:30:00Z") {
		t.Errorf("request %+v", request)
	}
	if decision.Status.LastScheduleTime != nil {
		t.Error("the time is dealt with before there is an answer")
	}
	w.settle()
	w.expect("2026-03-02T03:30:00Z")
	if last := w.Image.Status.LastScheduleTime; last == nil || !last.Equal(&metav1.Time{Time: at(t, "2026-03-02T03:30:00Z")}) {
		t.Errorf("last %v", last)
	}
	w.at("2026-03-03T03:30:01Z").settle()
	w.expect("2026-03-03T03:30:00Z")
}

func TestAfterAnAbsenceOnlyTheLastTimeIsMadeUpFor(t *testing.T) {
	w := scheduled(t)
	w.at("2031-03-05T02:00:00Z").settle()
	w.expect("2031-03-04T03:30:00Z")
}

func TestTimesBeforeTheScheduleAreNotMissed(t *testing.T) {
	w := scheduled(t)
	w.Image.Spec.Triggers.Schedule.Cron, w.Image.Generation = "0 6 * * *", 5
	w.at("2026-03-02T12:00:00Z").settle() // the old schedule has missed a time, and the new schedule was set after six
	w.expect()
	w.Image.Spec.Triggers.Schedule.TimeZone, w.Image.Generation = "Asia/Tokyo", 6
	w.at("2026-03-03T22:00:00Z").settle() // six o'clock in Tokyo was an hour ago
	w.expect()
	w.at("2026-03-04T21:00:00Z").settle()
	w.expect("2026-03-04T21:00:00Z")
	w.Image.Spec.Triggers.Schedule.Jitter, w.Image.Generation = &v1alpha1.Duration{Duration: time.Minute}, 7
	w.at("2026-03-06T12:00:00Z").settle() // the times are the same
	w.expect("2026-03-05T21:00:00Z")
}

func TestTimesWhileSuspendedAreNotMissed(t *testing.T) {
	w := scheduled(t)
	w.Image.Spec.Suspend = new(true)
	w.at("2026-03-01T13:00:00Z").settle()
	if got := says(t, w.Image.Status, v1alpha1.ImageScheduleActive); got != "False Suspended" || w.Image.Status.NextScheduleTime != nil {
		t.Errorf("ScheduleActive %s, next %v", got, w.Image.Status.NextScheduleTime)
	}
	w.at("2026-03-02T12:00:00Z").settle()
	w.Image.Spec.Suspend = new(false)
	w.settle()
	w.expect()
	if got := says(t, w.Image.Status, v1alpha1.ImageScheduleActive); got != "True Scheduled" {
		t.Errorf("ScheduleActive %s", got)
	}
	w.at("2026-03-03T03:30:00Z").settle()
	w.expect("2026-03-03T03:30:00Z")
}

func TestACrashBeforeTheStatusIsWrittenStartsNothingTwice(t *testing.T) {
	w := scheduled(t).at("2026-03-02T03:31:00Z")
	first := w.look().Request
	if again := w.at("2026-03-02T03:40:00Z").look().Request; again.RequestID != first.RequestID {
		t.Errorf("requests %q and %q", first.RequestID, again.RequestID)
	}
	w.build(first, v1alpha1.BuildPending) // asked for, and the answer is lost
	w.Builds[1].Status.Resolved = nil
	if again := w.look(); again.Request != nil || again.Status.LastScheduleTime == nil {
		t.Errorf("request %+v, last %v", again.Request, again.Status.LastScheduleTime)
	}
}

func TestAScheduledBuildThatWasDeletedIsNotStartedAgain(t *testing.T) {
	w := scheduled(t).at("2026-03-02T03:31:00Z")
	w.Image.Status = w.look().DeletedStatus(nil)
	w.settle()
	w.expect()
	w.at("2026-03-03T03:31:00Z").settle()
	w.expect("2026-03-03T03:30:00Z")
}

func TestAClockThatJumpsStartsNothingTwice(t *testing.T) {
	w := scheduled(t)
	w.at("2026-03-10T04:00:00Z").settle()
	w.expect("2026-03-10T03:30:00Z")
	last := w.Image.Status.LastScheduleTime.DeepCopy()
	for _, earlier := range []string{"2026-03-02T03:30:00Z", "2026-03-10T03:30:00Z", "2026-03-10T03:29:00Z", "2026-03-10T04:00:00Z"} {
		w.at(earlier).settle()
		w.expect()
		if !w.Image.Status.LastScheduleTime.Equal(last) {
			t.Errorf("at %s the last time is %s", earlier, w.Image.Status.LastScheduleTime)
		}
		if next := w.Image.Status.NextScheduleTime; !next.Equal(&metav1.Time{Time: at(t, "2026-03-11T03:30:00Z")}) {
			t.Errorf("at %s the next time is %s", earlier, next)
		}
	}
	w.at("2026-03-11T03:30:00Z").settle()
	w.expect("2026-03-11T03:30:00Z")
}

func TestStartsAreLateByTheJitter(t *testing.T) {
	image := newImage()
	image.Spec.Triggers.Schedule = &v1alpha1.Schedule{Jitter: &v1alpha1.Duration{Duration: 10 * time.Minute}}
	hourly, minutely := parse(t, "0 * * * *", "UTC"), parse(t, "* * * * *", "UTC")
	moment, different := at(t, "2026-03-01T12:00:00Z"), map[time.Duration]bool{}
	for i := range 100 {
		image.UID = types.UID(fmt.Sprint(i))
		o := observed(image, "A")
		delay := o.start(hourly, moment).Sub(moment)
		if delay < 0 || delay > 10*time.Minute || delay != o.start(hourly, moment).Sub(moment) {
			t.Errorf("a delay of %s", delay)
		}
		different[delay] = true
		if delay := o.start(minutely, moment).Sub(moment); delay < 0 || delay >= time.Minute {
			t.Errorf("a delay of %s reaches over the next time", delay)
		}
	}
	if len(different) < 50 {
		t.Errorf("100 images have %d delays", len(different))
	}
}

func TestAStartWithJitterIsWaitedFor(t *testing.T) {
	w := scheduled(t, func(s *v1alpha1.Schedule) {
		s.Cron, s.Jitter = "0 * * * *", &v1alpha1.Duration{Duration: 50 * time.Minute}
	})
	times := parse(t, "0 * * * *", "UTC")
	one, two := at(t, "2026-03-01T13:00:00Z"), at(t, "2026-03-01T14:00:00Z")
	w.Now = w.start(times, one).Add(-time.Second)
	w.settle()
	w.expect()
	if next := w.Image.Status.NextScheduleTime; !next.Time.Equal(w.start(times, one)) || !w.start(times, one).After(one) {
		t.Errorf("next %s, the time is %s", next, one)
	}
	w.Now = two // the first was missed, and the second has not come
	if w.start(times, two).Equal(two) {
		t.Fatal("no jitter")
	}
	w.settle()
	w.expect("2026-03-01T13:00:00Z")
	w.Now = w.start(times, two)
	w.settle()
	w.expect("2026-03-01T14:00:00Z")
}

func TestAStartThatIsTooLateIsNone(t *testing.T) {
	late := func(s *v1alpha1.Schedule) {
		s.StartingDeadline, s.Jitter = &v1alpha1.Duration{Duration: time.Hour}, &v1alpha1.Duration{Duration: 3 * time.Hour}
	}
	w := scheduled(t, late)
	start := w.start(parse(t, "30 3 * * *", "UTC"), at(t, "2026-03-02T03:30:00Z"))
	w.Now = start.Add(time.Hour)
	if decision := w.look(); decision.Request == nil || decision.After != time.Second {
		t.Errorf("in time, and nothing is due, or nobody looks again in time: %s", decision.After)
	}
	w.Now = start.Add(time.Hour + time.Second)
	w.settle()
	w.expect()
	if w.Image.Status.LastScheduleTime == nil {
		t.Error("a time that is too late is not dealt with")
	}
}

func TestIfChangedBuildsOnlyWhatHasChanged(t *testing.T) {
	w := scheduled(t, func(s *v1alpha1.Schedule) { s.Mode = v1alpha1.ScheduleIfChanged })
	w.Image.Spec.Triggers.OnSpecChange = new(false)
	w.at("2026-03-02T03:30:00Z").settle()
	w.expect()
	if w.Image.Status.LastScheduleTime == nil {
		t.Error("the time is not dealt with")
	}
	w.Resolved = &v1alpha1.ResolvedInputs{InputsDigest: "B"}
	w.at("2026-03-02T12:00:00Z").settle()
	w.expect()
	if got := says(t, w.Image.Status, v1alpha1.ImageStalled); got != "False Progressing" {
		t.Errorf("Stalled is %s, but the schedule starts a build", got)
	}
	w.at("2026-03-03T03:30:00Z").settle()
	w.expect("2026-03-03T03:30:00Z")
}

func TestIfChangedWaitsForABuildThatMayBeTheOne(t *testing.T) {
	w := scheduled(t, func(s *v1alpha1.Schedule) { s.Mode = v1alpha1.ScheduleIfChanged })
	w.Resolved = &v1alpha1.ResolvedInputs{InputsDigest: "B"}
	w.build(&v1alpha1.BuildRequest{RequestID: "manual"}, v1alpha1.BuildPending)
	w.Builds[1].Status.Resolved = nil
	if decision := w.at("2026-03-02T03:30:00Z").look(); decision.Request != nil || decision.Status.LastScheduleTime != nil || decision.Reason != v1alpha1.ReasonBuildQueued {
		t.Errorf("%s: request %+v, last %v", decision.Reason, decision.Request, decision.Status.LastScheduleTime)
	}
	w.Builds[1].Status.Resolved = w.Resolved
	w.settle()
	w.expect()
	if w.Image.Status.LastScheduleTime == nil {
		t.Error("the time is not dealt with")
	}
}

func TestATimeAndAChangeAreOneBuild(t *testing.T) {
	w := scheduled(t)
	w.Resolved = &v1alpha1.ResolvedInputs{InputsDigest: "B"}
	w.at("2026-03-02T03:30:00Z").settle()
	w.expect("2026-03-02T03:30:00Z")
}

func TestATimeWaitsForInputsThatDoNotResolve(t *testing.T) {
	for reason, mayAppear := range map[v1alpha1.FailureReason]bool{v1alpha1.ReasonSourceNotFound: true, v1alpha1.ReasonInvalidParameters: false} {
		w := scheduled(t)
		resolved := w.Resolved
		w.Resolved, w.Unresolved, w.MayAppear = nil, &v1alpha1.BuildFailure{Reason: reason}, mayAppear
		w.at("2026-03-02T03:30:00Z").settle()
		w.at("2026-03-03T03:30:00Z").settle()
		w.expect()
		if stalled := meta.IsStatusConditionTrue(w.Image.Status.Conditions, v1alpha1.ImageStalled); stalled == mayAppear {
			t.Errorf("%s: the image is stalled: %t", reason, stalled)
		}
		w.Resolved, w.Unresolved = resolved, nil
		w.at("2026-03-03T12:00:00Z").settle()
		w.expect("2026-03-03T03:30:00Z")
	}
}

func TestAnInvalidScheduleStallsTheImageAndIsReportedOnce(t *testing.T) {
	w := scheduled(t)
	w.Image.Spec.Triggers.Schedule.TimeZone = "localtime"
	decision := Next(w.Observed)
	for _, kind := range []string{v1alpha1.ImageScheduleActive, v1alpha1.ImageStalled} {
		said := meta.FindStatusCondition(decision.Status.Conditions, kind)
		if said.Reason != v1alpha1.ReasonInvalidSchedule || !strings.HasPrefix(said.Message, "spec.triggers.schedule.timeZone: must be a time zone") {
			t.Errorf("%s %+v", kind, said)
		}
	}
	if !decision.Disabled {
		t.Error("nothing reports that the schedule starts no builds")
	}
	w.Image.Status = decision.Status
	if Next(w.Observed).Disabled {
		t.Error("it is reported twice")
	}
}

func TestDaylightSavingStartsEachDayOnce(t *testing.T) {
	w := scheduled(t, func(s *v1alpha1.Schedule) { s.Cron, s.TimeZone = "30 2 * * *", "Europe/Berlin" })
	for w.at("2026-03-27T12:00:00Z"); w.Now.Before(at(t, "2026-03-31T00:00:00Z")); w.Now = w.Now.Add(10 * time.Minute) {
		w.settle()
	}
	w.expect("2026-03-27T01:30:00Z", "2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z") // none on the 29th
	for w.at("2026-10-24T12:00:00Z"); w.Now.Before(at(t, "2026-10-26T12:00:00Z")); w.Now = w.Now.Add(10 * time.Minute) {
		w.settle()
	}
	w.expect("2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z") // once on the 25th
}
