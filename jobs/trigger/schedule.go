// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// schedule is the state of an Image's schedule.
type schedule struct {
	times Times
	// reason and message of the condition ScheduleActive, and since when it has them.
	reason, message string
	since           time.Time
	// due is the time of the schedule that has come and has no build yet. It is zero if there is none.
	due time.Time
	// expires is when due is too late. It is zero if due is zero or there is no deadline.
	expires time.Time
	// next is the start after due. It is zero if the schedule is not active.
	next time.Time
}

func (s schedule) active() bool {
	return s.reason == v1alpha1.ReasonScheduled
}

// disabled reports whether the schedule starts no builds although the Image asks for them.
func (s schedule) disabled() bool {
	return s.reason == v1alpha1.ReasonTooManyFailures || s.reason == v1alpha1.ReasonInvalidSchedule
}

// nextSchedule returns the state of the schedule. In the status it sets nextScheduleTime, and advances lastScheduleTime past a time
// that has its build, or whose deadline has passed.
func nextSchedule(o Observed, status *v1alpha1.ImageStatus) schedule {
	s := activity(o, status)
	status.NextScheduleTime = nil
	if !s.active() {
		return s
	}
	if last := status.LastScheduleTime; s.since.Equal(o.Now.Truncate(time.Second)) && last != nil && last.After(o.Now) {
		status.LastScheduleTime = nil // the clock was wrong, and a new schedule does not wait for that time
	}
	baseline := s.since
	if last := status.LastScheduleTime; last != nil && last.After(baseline) {
		baseline = last.Time
	}
	s.due, s.next = o.starts(s.times, baseline)
	if !s.next.IsZero() {
		status.NextScheduleTime = apiTime(s.next)
	}
	if s.due.IsZero() {
		return s
	}
	limit := o.startLimit(s.times, s.due)
	switch {
	case o.hasBuildFor(s.due), !limit.IsZero() && o.Now.After(limit):
		status.LastScheduleTime = apiTime(s.due)
		s.due = time.Time{}
	case !limit.IsZero():
		s.expires = limit.Add(time.Second)
	}
	return s
}

// activity returns whether the schedule starts builds, and since when.
func activity(o Observed, status *v1alpha1.ImageStatus) schedule {
	given := o.Image.Spec.Triggers.Schedule
	switch held := o.heldBack(status); {
	case held.reason == v1alpha1.ReasonTooManyFailures:
		return schedule{reason: held.reason, message: held.message}
	case given == nil:
		return schedule{reason: v1alpha1.ReasonNoSchedule}
	case o.Image.IsSuspended():
		return schedule{reason: v1alpha1.ReasonSuspended, message: "spec.suspend is true"}
	}
	times, err := ParseSchedule(given.Cron, given.TimeZone)
	if err != nil { // the rules or the time zones that the server knows have changed
		return schedule{
			reason:  v1alpha1.ReasonInvalidSchedule,
			message: fmt.Sprintf("spec.triggers.schedule.%v; until it is corrected, the schedule starts no builds", err),
		}
	}
	// The message names everything that the times depend on, so a changed message means changed times.
	s := schedule{
		times: times, since: o.Now.Truncate(time.Second),
		reason: v1alpha1.ReasonScheduled, message: fmt.Sprintf("builds start at %q in %s", given.Cron, given.TimeZone),
	}
	said := meta.FindStatusCondition(o.Image.Status.Conditions, v1alpha1.ImageScheduleActive)
	if said != nil && said.Status == metav1.ConditionTrue && said.Message == s.message {
		s.since = said.LastTransitionTime.Time
	}
	return s
}

// starts finds the last time of a schedule after a baseline whose start has come, and the next start. due is zero if there is none.
// If the clock was turned back before the baseline, no build is due until the clock reaches the baseline again.
func (o Observed) starts(times Times, baseline time.Time) (due, next time.Time) {
	from := baseline
	if o.Now.After(from) {
		from = o.Now
	}
	last, found := times.Last(baseline, o.Now)
	if found && o.start(times, last).After(o.Now) {
		// The jitter of last has not passed. The jitter of the time before has, because it ends before the next time.
		next = o.start(times, last)
		due, _ = times.Last(baseline, last.Add(-time.Second))
		return due, next
	}
	if upcoming := times.Next(from); !upcoming.IsZero() {
		next = o.start(times, upcoming)
	}
	return last, next
}

// start is when the build for a time of the schedule starts: at most the jitter later, and before the next time. It depends only on
// the Image and the time.
func (o Observed) start(times Times, at time.Time) time.Time {
	jitter := o.Image.Spec.Triggers.Schedule.Jitter.Duration
	if following := times.Next(at); !following.IsZero() {
		jitter = min(jitter, following.Sub(at)-time.Second)
	}
	seconds := uint64(max(jitter, 0) / time.Second)
	sum := sha256.Sum256([]byte(string(o.Image.UID) + " " + at.UTC().Format(time.RFC3339)))
	share := binary.BigEndian.Uint64(sum[:8]) % (seconds + 1)
	return at.Add(time.Duration(share) * time.Second) //nolint:gosec // share is at most the jitter
}

// startLimit returns until when the build of a time of the schedule can start. It is zero without a startingDeadline.
func (o Observed) startLimit(times Times, at time.Time) time.Time {
	deadline := o.Image.Spec.Triggers.Schedule.StartingDeadline
	if deadline == nil {
		return time.Time{}
	}
	return o.start(times, at).Add(deadline.Duration)
}

// hasBuildFor reports whether a time of the schedule has its build.
func (o Observed) hasBuildFor(at time.Time) bool {
	for i := range o.Builds {
		if trigger := o.Builds[i].Spec.Trigger; trigger != nil && trigger.RequestID == scheduleRequestID(at) {
			return true
		}
	}
	return false
}

const schedulePrefix = "schedule:"

// scheduleRequestID identifies the request for a build at a time of the schedule. After a crash, the repeated request of any
// controller gets the same build.
func scheduleRequestID(at time.Time) string {
	return schedulePrefix + at.UTC().Format(time.RFC3339)
}

// startOf returns when the build for a time of the schedule starts. It returns false if the text is no time, or the Image has no
// valid schedule.
func (o Observed) startOf(text string) (time.Time, bool) {
	given := o.Image.Spec.Triggers.Schedule
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || given == nil {
		return time.Time{}, false
	}
	times, err := ParseSchedule(given.Cron, given.TimeZone)
	if err != nil {
		return time.Time{}, false
	}
	return o.start(times, at), true
}
