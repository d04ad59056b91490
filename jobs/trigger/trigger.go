// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Observed is what is known about an Image. Nothing in it is changed.
type Observed struct {
	// Image with its defaults, and the status that is stored.
	Image *v1alpha1.Image
	// Builds of the Image, in the order of their numbers.
	Builds []v1alpha1.ImageBuild
	// Resolved is what its inputs resolve to; nil if they do not.
	Resolved *v1alpha1.ResolvedInputs
	// Unresolved is why they do not; nil if they do.
	Unresolved *v1alpha1.BuildFailure
	// MayAppear is true if what is missing may still come without anybody changing the Image.
	MayAppear bool
	// LogsArchived is whether logs are archived: a finished build waits for that before it is pruned, for a day.
	LogsArchived bool
	// BuildsRecorded is whether builds are recorded in a database, for which a finished build waits in the same way.
	BuildsRecorded bool
	// Now is the time.
	Now time.Time
}

// Decision is what follows from what is known.
type Decision struct {
	// Request is the build that is due; nil if none is. Asked for again, after a crash, it is the same request.
	Request *v1alpha1.BuildRequest
	// Reason in one word: that of the trigger where a build is due, otherwise why none is, as the reason of a failure or
	// of a condition.
	Reason string
	// Message for people: why, or why not and what to do.
	Message string
	// Changes of the inputs since the last attempted build, as far as that one is still there.
	Changes []v1alpha1.InputChange
	// Status is what the status should say. It says nothing of the request: what follows from that one's build, or from
	// that it was deleted (Gone), comes with the next decision.
	Status v1alpha1.ImageStatus
	// Disabled is true if this status is the first to say that too many builds in a row have failed.
	Disabled bool
	// After is when to look again although nothing happened; 0 is never.
	After time.Duration
	// Supersede are the builds that need not run, because SupersededBy waits as well.
	Supersede []*v1alpha1.ImageBuild
	// SupersededBy is the name of the newest build that waits. Empty if Supersede is.
	SupersededBy string
	// Prune are the finished builds that are too many or too old. They may go once Status is stored: it counts them.
	Prune []*v1alpha1.ImageBuild

	baseDigest string    // of what Request is for
	start      time.Time // of the schedule, that Request is for
}

// Next decides.
func Next(o Observed) Decision {
	status := nextStatus(o)
	schedule := nextSchedule(o, &status)
	d := Decision{Changes: o.changes(&status)}
	o.decide(&d, &status, schedule)
	setConditions(o, &status, schedule, d.Request != nil)
	d.Disabled = schedule.reason == v1alpha1.ReasonTooManyFailures && !saysDisabled(&o.Image.Status)
	d.Supersede, d.SupersededBy = superseded(o)
	var expiry time.Time
	d.Prune, expiry = o.old(&status)
	d.After = o.after(schedule.next, expiry)
	d.Status = status
	return d
}

// after is how long it takes until the first of some times; 0 if there is none.
func (o Observed) after(times ...time.Time) (after time.Duration) {
	for _, next := range times {
		if in := max(next.Sub(o.Now), time.Millisecond); !next.IsZero() && (after == 0 || in < after) {
			after = in
		}
	}
	return after
}

// Gone is what the status should say instead once the request was answered with that its build was deleted. Whoever
// deleted it did not want it: it is not built again for the same inputs, or the same time. records are the Image's
// requests as they are stored.
func (d Decision) Gone(records []v1alpha1.BuildRequestRecord) v1alpha1.ImageStatus {
	status := *d.Status.DeepCopy()
	if !d.start.IsZero() {
		status.LastScheduleTime = stored(d.start)
		return status
	}
	for _, record := range records {
		if d.Request != nil && record.RequestID == d.Request.RequestID {
			status.LastAttempted = &v1alpha1.AttemptedBuild{Number: record.Number, InputsDigest: status.InputsDigest, BaseDigest: d.baseDigest}
		}
	}
	return status
}

// pending finds a build of the Image's own inputs that has not resolved them yet: it may turn out to be the one that
// seems to be due.
func (o Observed) pending() *v1alpha1.ImageBuild {
	for i := range o.Builds {
		if build := &o.Builds[i]; build.Status.Resolved == nil && !build.Status.Finished && build.Counts() {
			return build
		}
	}
	return nil
}

func (o Observed) suspended() bool {
	return *o.Image.Spec.Suspend
}

// followsBase says whether builds start when the base moves, but for suspend and failures.
func (o Observed) followsBase() bool {
	return o.Image.Spec.Base.ImageRef != nil && *o.Image.Spec.Triggers.OnBaseChange
}

// tooManyFailures says whether so many builds in a row have failed that schedule and base start no more.
func (o Observed) tooManyFailures(status *v1alpha1.ImageStatus) bool {
	limit := *o.Image.Spec.Triggers.DisableAfterFailures
	return limit > 0 && status.ConsecutiveFailures >= limit
}

// stored is a time as the API keeps it: in whole seconds.
func stored(at time.Time) *metav1.Time {
	kept := metav1.NewTime(at.UTC().Truncate(time.Second))
	return &kept
}

func number(build *v1alpha1.ImageBuild) int64 {
	if build.Spec.Number == nil {
		return 0
	}
	return *build.Spec.Number
}
