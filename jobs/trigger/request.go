// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// decide decides whether a build is due, and why. In the status it advances lastScheduleTime past a time that needs no build. It
// requests one build at a time. A time of the schedule comes first, because its build also has the changed inputs.
func (o Observed) decide(d *Decision, status *v1alpha1.ImageStatus, s schedule) {
	switch {
	case o.Unresolved != nil:
		// A time of the schedule waits for the inputs until the next time comes, or its deadline passes.
		d.Reason, d.Message = string(o.Unresolved.Reason), o.Unresolved.Message
		return
	case !s.due.IsZero() && o.Image.Spec.Triggers.Schedule.Mode == v1alpha1.ScheduleIfChanged:
		if pending := o.pending(); pending != nil {
			waitFor(d, pending)
			return
		}
		switch {
		case inputsChanged(status):
			s.ask(d)
			return
		case o.decideTests(d, status, true):
			return
		}
		status.LastScheduleTime = apiTime(s.due)
	case !s.due.IsZero():
		s.ask(d)
		return
	}
	o.decideChange(d, status)
}

// decideChange decides whether a build is due because the inputs have changed.
func (o Observed) decideChange(d *Decision, status *v1alpha1.ImageStatus) {
	attempted := status.LastAttempted
	if !inputsChanged(status) {
		if o.decideTests(d, status, false) {
			return
		}
		var decided bool
		if decided, d.again = o.decidePackages(d, status); decided {
			return
		}
		d.Reason = v1alpha1.ReasonInputsUnchanged
		d.Message = fmt.Sprintf("the inputs are those of the last attempted build, %s", BuildName(o.Image.Name, attempted.Number))
		if o.lastBuildAbandoned(status) {
			d.Message += ", which was cancelled or deleted: ask for a build"
		} else if missing := o.missing(status); missing != "" && newest(o.Builds, unfinishedAndCounts) == nil {
			d.Message += ", but " + missing
		} else if revoked := o.revoked(status); revoked != "" && newest(o.Builds, unfinishedAndCounts) == nil {
			d.Message += ", but " + revoked
		} else if o.testsChanged(status) {
			d.Message += ", whose tests were others, but no build of these inputs has artifacts that could be tested: ask for a build"
		}
		if held := o.heldBack(status); held.reason != "" {
			d.Reason, d.Message = held.reason, held.message+"; "+d.Message
		}
		return
	}
	reason, message := o.change(status)
	switch why := o.preventionOf(reason, status); {
	case why.reason != "":
		if _, d.again = o.decidePackages(d, status); d.Request == nil { // which a trigger that is off does not hold up
			d.Reason, d.Message = why.reason, message+", but "+why.message
		}
	default:
		if pending := o.pending(); pending != nil {
			waitFor(d, pending)
			return
		}
		d.Reason, d.Message = string(reason), message
		d.baseDigest, d.revision = o.Resolved.BaseDigest, inputs.Revision(o.Resolved.Source)
		d.Request = &v1alpha1.BuildRequest{RequestID: requestID(status.InputsDigest, attempted), Reason: reason, Message: message, Changes: d.Changes}
	}
}

// change returns why the inputs have to be built: they differ from those of the last attempt, or their last build attempted nothing.
func (o Observed) change(status *v1alpha1.ImageStatus) (v1alpha1.TriggerReason, string) {
	last, attempted := status.LastFinished, status.LastAttempted
	if attempted == nil || attempted.InputsDigest != "" {
		return o.difference(attempted, status)
	}
	var since *v1alpha1.AttemptedBuild
	if earlier := o.comparedBuild(attempted); earlier != nil {
		since = o.attempt(earlier)
	} else if latest := status.LatestSuccessful; latest != nil { // it was deleted
		since = &v1alpha1.AttemptedBuild{Number: latest.Number, InputsDigest: latest.InputsDigest}
	}
	reason, message := o.difference(since, status)
	same := since != nil && since.InputsDigest == status.InputsDigest
	switch failed := last != nil && last.Number == attempted.Number; {
	case failed && same:
		return reason, ending(last) + " before it built anything"
	case failed:
		return reason, ending(last) + " before it built anything: " + message
	case same: // the build was cancelled before its other inputs were resolved
		return reason, "the inputs differ from those of build " + BuildName(o.Image.Name, attempted.Number)
	}
	return reason, message
}

// comparedBuild returns the build with whose inputs the present ones are compared: the last attempted build or, if it attempted nothing, the
// newest build before it that attempted its inputs. It is nil if that build was deleted, or if its inputs were never resolved.
func (o Observed) comparedBuild(attempted *v1alpha1.AttemptedBuild) *v1alpha1.ImageBuild {
	return newest(o.Builds, func(build *v1alpha1.ImageBuild) bool {
		if build.Status.Resolved == nil || build.IsOneOff() || failedWithoutInputs(build) {
			return false
		}
		return number(build) == attempted.Number || attempted.InputsDigest == "" && number(build) < attempted.Number
	})
}

// cause is one of the differences between the inputs and those of an attempted build.
type cause struct {
	reason  v1alpha1.TriggerReason
	message string
}

// difference returns how the inputs differ from those of an attempted build, which is nil if there is none. Several causes can hold, such as a commit and
// a base. The first counts that may start a build, so that a trigger that is off holds up no other.
func (o Observed) difference(attempted *v1alpha1.AttemptedBuild, status *v1alpha1.ImageStatus) (v1alpha1.TriggerReason, string) {
	if attempted == nil {
		return v1alpha1.TriggerCreated, "the image was never built"
	}
	causes := o.causes(attempted)
	first := max(0, slices.IndexFunc(causes, func(c cause) bool { return o.preventionOf(c.reason, status).reason == "" }))
	return causes[first].reason, causes[first].message
}

// causes returns the differences from an attempted build: at least one, in their order.
func (o Observed) causes(attempted *v1alpha1.AttemptedBuild) (causes []cause) {
	spec, build := o.Image.Spec.BuildInputs, BuildName(o.Image.Name, attempted.Number)
	base, revision := o.Resolved.BaseDigest, inputs.Revision(o.Resolved.Source)
	sourceMoved := revision != "" && attempted.SourceRevision != "" && attempted.SourceRevision != revision
	baseMoved := spec.Base.ImageRef != nil && attempted.BaseDigest != "" && attempted.BaseDigest != base
	if sourceMoved {
		revision = attempted.SourceRevision
	}
	if baseMoved {
		base = attempted.BaseDigest
	}
	if !sourceMoved && !baseMoved || inputs.Digest(spec, inputs.Files(spec, o.Resolved), base, revision) != attempted.InputsDigest {
		causes = append(causes, cause{v1alpha1.TriggerSpecChange, "the inputs differ from those of build " + build})
	}
	if sourceMoved {
		causes = append(causes, cause{v1alpha1.TriggerSourceChange, fmt.Sprintf("the source has changed since build %s: %s → %s", build,
			inputs.ShortRevision(attempted.SourceRevision), inputs.RevisionText(o.Resolved.Source))})
	}
	if baseMoved {
		causes = append(causes, cause{v1alpha1.TriggerBaseChange, fmt.Sprintf("the base (image %s) has changed since build %s", baseName(spec.Base.ImageRef), build)})
	}
	return causes
}

func baseName(ref *v1alpha1.BaseImageReference) string {
	if ref.Channel == "" {
		return ref.Name
	}
	return ref.Name + ", channel " + ref.Channel
}

// prevention is why changed inputs start no build.
type prevention struct{ reason, message string }

func (o Observed) preventionOf(reason v1alpha1.TriggerReason, status *v1alpha1.ImageStatus) prevention {
	triggers := o.Image.Spec.Triggers
	switch {
	case o.Image.IsSuspended():
		return prevention{v1alpha1.ReasonSuspended, "spec.suspend is true: set it to false, or ask for a build"}
	case reason == v1alpha1.TriggerBaseChange && !*triggers.OnBaseChange:
		return prevention{v1alpha1.ReasonSuspended, "triggers.onBaseChange is false: ask for a build"}
	case reason == v1alpha1.TriggerSourceChange && !*triggers.OnSourceChange:
		return prevention{v1alpha1.ReasonSuspended, "triggers.onSourceChange is false: ask for a build"}
	case (reason == v1alpha1.TriggerBaseChange || reason == v1alpha1.TriggerPackageChange) && o.tooManyFailures(status):
		return prevention{v1alpha1.ReasonTooManyFailures, o.failedTooOften(status)}
	case (reason == v1alpha1.TriggerCreated || reason == v1alpha1.TriggerSpecChange || reason == v1alpha1.TriggerTestsChange) && !*triggers.OnSpecChange:
		return prevention{v1alpha1.ReasonSuspended, "triggers.onSpecChange is false: ask for a build"}
	}
	return prevention{}
}

// heldBack is why an Image whose inputs have not changed will start no build by itself. Its reason is empty if nothing holds the Image back.
func (o Observed) heldBack(status *v1alpha1.ImageStatus) prevention {
	switch {
	case o.Image.IsSuspended():
		return o.preventionOf(v1alpha1.TriggerSpecChange, status)
	case o.tooManyFailures(status) && o.isTriggered():
		return prevention{v1alpha1.ReasonTooManyFailures, o.failedTooOften(status)}
	}
	return prevention{}
}

func (s schedule) ask(d *Decision) {
	d.Reason, d.Message = string(v1alpha1.TriggerSchedule), "the schedule was due at "+s.due.In(s.times.zone).Format(time.RFC3339)
	d.start = s.due
	d.Request = &v1alpha1.BuildRequest{RequestID: scheduleRequestID(s.due), Reason: v1alpha1.TriggerSchedule, Message: d.Message, Changes: d.Changes}
}

func waitFor(d *Decision, pending *v1alpha1.ImageBuild) {
	d.Reason, d.Message = v1alpha1.ReasonBuildQueued, fmt.Sprintf("build %s may have the same inputs: wait until its inputs are resolved", pending.Name)
}

// inputsChanged reports whether the inputs resolve, and differ from those of the last attempted build.
func inputsChanged(status *v1alpha1.ImageStatus) bool {
	return status.InputsDigest != "" && (status.LastAttempted == nil || status.LastAttempted.InputsDigest != status.InputsDigest)
}

// changes returns the changes since the last attempt, if its build still exists.
func (o Observed) changes(status *v1alpha1.ImageStatus) []v1alpha1.InputChange {
	if status.LastAttempted == nil || !inputsChanged(status) {
		return nil
	}
	build := o.comparedBuild(status.LastAttempted)
	if build == nil {
		return nil
	}
	return inputs.Diff(inputs.NewSnapshot(build.Spec.Inputs, build.Status.Resolved), inputs.NewSnapshot(o.Image.Spec.BuildInputs, o.Resolved))
}

// requestID identifies the request for a build of these inputs after the last attempted build. After a crash, the repeated request
// gets the same build. A return to earlier inputs is a new request.
func requestID(digest string, attempted *v1alpha1.AttemptedBuild) string {
	after := int64(0)
	if attempted != nil {
		after = attempted.Number
	}
	return fmt.Sprintf("%s:%d", digest, after)
}

// reserved matches the IDs of requestID, scheduleRequestID, testsRequestID and packagesRequestID.
var reserved = regexp.MustCompile(`^(schedule:|(tests:|packages:)?sha256:[0-9a-f]{64}:[0-9]+$|tests:none:[0-9]+$)`)

// Reserved reports whether only triggers use request IDs of this form.
func Reserved(requestID string) bool {
	return reserved.MatchString(requestID)
}

// Requests reports whether a build with this reserved request ID is due. For a time of the schedule that has started, Requests
// decides as of that start. So it agrees with a controller whose clock is behind.
func Requests(o Observed, requestID string) bool {
	if text, is := strings.CutPrefix(requestID, schedulePrefix); is {
		start, ok := o.startOf(text)
		if !ok || start.After(o.Now) {
			return false
		}
		o.Now = start
	}
	request := Next(o).Request
	return request != nil && request.RequestID == requestID
}

// BuildName returns the name of an Image's build.
func BuildName(image string, number int64) string {
	return fmt.Sprintf("%s-%d", image, number)
}
