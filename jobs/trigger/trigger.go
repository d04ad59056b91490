// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Observed is the known state of an Image. Next does not change it.
type Observed struct {
	// Image with its defaults, and the status that is stored.
	Image *v1alpha1.Image
	// Builds of the Image, in the order of their numbers.
	Builds []v1alpha1.ImageBuild
	// Resolved is what the inputs resolve to. It is nil if they do not resolve.
	Resolved *v1alpha1.ResolvedInputs
	// Unresolved is why the inputs do not resolve. It is nil if they do.
	Unresolved *v1alpha1.BuildFailure
	// MayAppear is true if the missing object may still appear without a change of the Image.
	MayAppear bool
	// BaseComing is whether the artifacts of the base may be about to change: BaseBuildPending of the base.
	BaseComing bool
	// RevokedFrom is when the scheduled revocation of the base takes effect. It is zero if none is scheduled.
	RevokedFrom time.Time
	// RevokedBases are the revoked builds that builds of the Image are based on, directly or through other builds, by the names of the former. A build
	// that is based on no revoked build has nil. A build has no entry if nobody knows.
	RevokedBases map[string]*v1alpha1.RevokedBase
	// Candidates are newer versions of the packages in the latest successful build. Nil keeps what status.packages has.
	Candidates *Candidates
	// Vulnerabilities are those of builds, by the UIDs of the builds: of those that Judged returns. Nil if the server has no advisories.
	Vulnerabilities map[types.UID]*Vulnerabilities
	// BasePackages is whether PackagesDue of the base, or of an Image that it is based on, or whether one of them is about to change.
	BasePackages bool
	// BaseFixes are the fixes in the status of the Image that base.imageRef names. Nil if it has none, or nobody knows.
	BaseFixes []v1alpha1.PackageFix
	// Hold is why a build because of new packages waits for those of other Images. Nil if it does not.
	Hold *Hold
	// LogsArchived is whether logs are archived. Before it is pruned, a finished build waits up to a day for its logs.
	LogsArchived bool
	// BuildsRecorded is whether builds are recorded in a database. Before it is pruned, a finished build waits up to a day for this.
	BuildsRecorded bool
	// Kept reports whether the server keeps the content with a digest. If it is nil, the server keeps no artifacts.
	Kept func(digest string) bool
	// Now is the current time.
	Now time.Time
}

// Decision is the result of Next.
type Decision struct {
	// Request is the request for the build that is due. It is nil if none is due. After a crash, Next returns the same request.
	Request *v1alpha1.BuildRequest
	// Reason is the reason of the trigger if a build is due. Otherwise it is the reason of the failure or condition that prevents a
	// build.
	Reason string
	// Message describes why a build is due, or why not and what to do.
	Message string
	// Changes of the inputs since the last attempted build, if that build still exists.
	Changes []v1alpha1.InputChange
	// Status is the status to store. It does not include the effects of Request: the next decision, or Gone, has them.
	Status v1alpha1.ImageStatus
	// Retests is the build whose artifacts the build that is due tests. It is nil if that build makes artifacts.
	Retests *v1alpha1.ImageBuild
	// Packages are the new packages for which Request asks. They are nil if it asks for another reason.
	Packages *v1alpha1.ImagePackages
	// Disabled is true if this status is the first to report too many consecutive failures, or an invalid schedule.
	Disabled bool
	// After is when to reconcile again without an event. 0 means never.
	After time.Duration
	// Supersede are the builds that need not run, because SupersededBy also waits.
	Supersede []*v1alpha1.ImageBuild
	// SupersededBy is the name of the newest build that waits. It is empty if Supersede is empty.
	SupersededBy string
	// Promote are the moves of channels that are due. They come before Prune, which may have their builds.
	Promote []Promotion
	// Prune are the finished builds that are too many or too old. They may be deleted once Status, which counts them, is stored.
	Prune []*v1alpha1.ImageBuild

	baseDigest  string    // of the base that Request builds on
	revision    string    // of the source that Request builds
	testsDigest string    // of the tests of the build that Request asks for
	start       time.Time // of the schedule that Request answers
	again       time.Time // when packages are decided on again without an event
}

// Next decides whether a build is due, and what the Image's status reports.
func Next(o Observed) Decision {
	status := nextStatus(o)
	schedule := nextSchedule(o, &status)
	d := Decision{Changes: o.changes(&status), testsDigest: o.testsDigest()}
	o.decide(&d, &status, schedule)
	setConditions(o, &status, schedule, d.Request != nil)
	d.Disabled = schedule.disabled() && !hasScheduleReason(&o.Image.Status, schedule.reason)
	d.Supersede, d.SupersededBy = superseded(o)
	d.Promote = o.promotions()
	var expiry time.Time
	d.Prune, expiry = o.buildsToDelete(&status)
	d.After = o.untilFirst(schedule.next, schedule.expires, expiry, o.nextRevocation(&status), d.again, o.nextPackages())
	d.Status = status
	return d
}

// untilFirst is the time until the first of some times, or 0 if there is none.
func (o Observed) untilFirst(times ...time.Time) (after time.Duration) {
	for _, next := range times {
		if in := max(next.Sub(o.Now), time.Millisecond); !next.IsZero() && (after == 0 || in < after) {
			after = in
		}
	}
	return after
}

// DeletedStatus returns the status to store if the server answers the request that its build was deleted. A deleted build is not built again
// for the same inputs, or the same time of the schedule. records are the Image's stored requests.
func (d Decision) DeletedStatus(records []v1alpha1.BuildRequestRecord) v1alpha1.ImageStatus {
	status := *d.Status.DeepCopy()
	if !d.start.IsZero() {
		status.LastScheduleTime = apiTime(d.start)
		return status
	}
	if d.Packages != nil {
		status.Packages.Attempted = latestStates(status.Packages.Attempted, d.Packages.Archives)
		return status
	}
	for _, record := range records {
		if d.Request != nil && record.RequestID == d.Request.RequestID {
			status.LastAttempted = &v1alpha1.AttemptedBuild{
				Number: record.Number, InputsDigest: status.InputsDigest, BaseDigest: d.baseDigest, TestsDigest: d.testsDigest, SourceRevision: d.revision,
			}
		}
	}
	return status
}

// pending finds a build of the Image's own inputs that has not resolved them yet. No build is requested meanwhile, because this build may
// resolve to the same inputs.
func (o Observed) pending() *v1alpha1.ImageBuild {
	for i := range o.Builds {
		if build := &o.Builds[i]; build.Status.Resolved == nil && !build.Status.Finished && !build.IsOneOff() {
			return build
		}
	}
	return nil
}

// followsBase reports whether a changed base starts builds. It ignores suspend and failures.
func (o Observed) followsBase() bool {
	return o.Image.Spec.Base.ImageRef != nil && *o.Image.Spec.Triggers.OnBaseChange
}

// isTriggered reports whether the Image asks for builds that too many failures prevent. It ignores suspend.
func (o Observed) isTriggered() bool {
	return o.Image.Spec.Triggers.Schedule != nil || o.Image.Spec.Triggers.OnPackageChange != nil || o.followsBase()
}

// tooManyFailures reports whether so many consecutive builds failed that schedule, base and new packages start no more builds.
func (o Observed) tooManyFailures(status *v1alpha1.ImageStatus) bool {
	limit := *o.Image.Spec.Triggers.DisableAfterFailures
	return limit > 0 && status.ConsecutiveFailures >= limit
}

// failedTooOften is the message of ReasonTooManyFailures.
func (o Observed) failedTooOften(status *v1alpha1.ImageStatus) string {
	return fmt.Sprintf("%d consecutive builds failed, so neither the schedule, nor the base, nor new packages start builds: change the spec, or build successfully with \"goldsmith build %s\"",
		status.ConsecutiveFailures, o.Image.Name)
}

// apiTime is a time in whole seconds, as the API stores it.
func apiTime(at time.Time) *metav1.Time {
	kept := metav1.NewTime(at.UTC().Truncate(time.Second))
	return &kept
}

func number(build *v1alpha1.ImageBuild) int64 { return ptr.Deref(build.Spec.Number, 0) }
