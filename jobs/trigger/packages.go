// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// A newer version of a package in the latest successful build starts a build. Whether one is due is decided from the stored status.packages
// alone, so that the server comes to the same result as the controller, which alone knows the archives.
//
// The dates of the release files of an archive, and no clock, tell which updates a build was started for: all that were in the archive then. So
// a build that does not install an update is not repeated for it, and no update is forgotten.

const (
	// packagesPrefix begins the IDs of requests for builds because of new packages.
	packagesPrefix = "packages:"
	// packageRetry is how long after a failure that is not the fault of the Image the same updates start another build.
	packageRetry = time.Hour
	// baseRecheck is when an Image that waits for its bases is decided on again, because no event tells that a base further away is not to be built after all.
	baseRecheck = 5 * time.Minute
	// holdRetry is when an Image that waits for builds of other Images is decided on again.
	holdRetry = 30 * time.Second
	// promotionLimit is how long after a build of a base the channel of an Image that follows it is expected to move.
	promotionLimit = 10 * time.Minute
	// maxBases is how many bases of an Image are looked at. The server refuses more.
	maxBases = 32
	// shownUpdates is how many updates a message has.
	shownUpdates = 3
	// shownAdvisories is how many advisories of an update a message has.
	shownAdvisories = 3
)

// Candidates are the newer versions of the packages in a build, in the archives that they came from.
type Candidates struct {
	// Build is the name of the build.
	Build string
	// Archives are the states of these archives.
	Archives []v1alpha1.ArchiveState
	// Updates are the newer versions, each with its archive. With Resolved, those of the resolve are among them.
	Updates []v1alpha1.PackageUpdate
	// Has reports whether the build has a version of a package. Updates do not tell of versions for which no archive was asked yet.
	Has func(name, version, architecture string) bool
	// Resolved is a resolve of the inputs of the build that has ended. If it is nil, what is stored of the last one stays.
	Resolved *v1alpha1.PackageResolve
	// Unchecked names packages of the build, or their sources, that nobody checks, for users. Empty if all are checked.
	Unchecked string
	// Partial is why some of that is unknown, for users: an archive cannot be checked, so that its stored state stays.
	Partial string
	// Unknown is why nothing is known, for users. The other fields are then empty.
	Unknown string
	// NotSupported is whether that is because the builder checks no archives.
	NotSupported bool
}

// IsPackageRequest reports whether a request ID has the form that the triggers use for new packages.
func IsPackageRequest(requestID string) bool {
	return Reserved(requestID) && strings.HasPrefix(requestID, packagesPrefix)
}

// packagesRequestID identifies the request for a build with the packages of some states of archives, after the last attempted build.
func packagesRequestID(packages *v1alpha1.ImagePackages, attempted *v1alpha1.AttemptedBuild) string {
	var states strings.Builder
	for _, state := range packages.Archives {
		fmt.Fprintf(&states, "%s %s\n", state.Name, state.Date.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("%s%s:%d", packagesPrefix, contents.Digest([]byte(states.String())), attempted.Number)
}

// recordPackages sets status.packages from the candidates, if they are known, and from the builds that were started for earlier ones.
func (o Observed) recordPackages(status *v1alpha1.ImageStatus) {
	trigger, stored := o.Image.Spec.Triggers.OnPackageChange, status.Packages
	if trigger == nil {
		status.Packages = nil
		return
	}
	var attempted []v1alpha1.ArchiveState
	var lacks *v1alpha1.OutdatedPackages
	if stored != nil {
		attempted, lacks = stored.Attempted, stored.Outdated
	}
	build := newest(o.Builds, forPackages)
	if build != nil {
		if o.attemptedNothing(status, build) {
			attempted = build.Spec.Trigger.Packages.Attempted // as it was before the build
		} else {
			attempted = latestStates(attempted, build.Spec.Trigger.Packages.Archives)
		}
	}
	known := o.Candidates
	if known == nil || known.Unknown != "" {
		if stored != nil {
			known = &Candidates{Build: stored.Build, Archives: stored.Archives, Updates: stored.Updates, Resolved: stored.Resolved}
		}
	}
	if known == nil || known.Unknown != "" {
		return
	}
	all, resolved := withResolve(known, stored, build)
	next := &v1alpha1.ImagePackages{Build: known.Build, Archives: slices.Clone(known.Archives), Resolved: resolved, Outdated: lacks}
	slices.SortFunc(next.Archives, func(a, b v1alpha1.ArchiveState) int { return cmp.Compare(a.Name, b.Name) })
	for _, state := range attempted {
		if known.Partial != "" || slices.ContainsFunc(next.Archives, func(of v1alpha1.ArchiveState) bool { return of.Name == state.Name }) {
			next.Attempted = append(next.Attempted, state)
		}
	}
	for _, update := range all {
		if !selects(trigger, &update) || isAttempted(&update, next.Attempted) {
			continue
		}
		next.Updates = append(next.Updates, update)
	}
	next.UpdateCount, next.OtherCount = int32(len(next.Updates)), int32(len(all)-len(next.Updates)) //nolint:gosec // a lock has at most 20,000 packages
	slices.SortFunc(next.Updates, func(a, b v1alpha1.PackageUpdate) int {
		return cmp.Or(a.Since.Compare(b.Since.Time), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Architecture, b.Architecture),
			cmp.Compare(a.From, b.From), cmp.Compare(a.Archive, b.Archive))
	})
	next.Updates = next.Updates[:min(len(next.Updates), v1alpha1.MaxImageUpdates)]
	if known != o.Candidates { // the stored updates were cut, and counted before
		cut := stored.UpdateCount - int32(len(stored.Updates)) //nolint:gosec // at most MaxImageUpdates
		if len(next.Updates) > 0 {
			next.UpdateCount += cut
		}
		next.OtherCount = stored.OtherCount + stored.UpdateCount - next.UpdateCount
	}
	status.Packages = next
}

// IsResolved reports whether an update is that of a resolve: a package that a build would add or remove.
func IsResolved(update *v1alpha1.PackageUpdate) bool { return update.From == "" || update.To == "" }

// sameUpdate finds the update of the same versions.
func sameUpdate(updates []v1alpha1.PackageUpdate, of *v1alpha1.PackageUpdate) int {
	return slices.IndexFunc(updates, func(one v1alpha1.PackageUpdate) bool {
		return one.Name == of.Name && one.Architecture == of.Architecture && one.From == of.From && one.To == of.To
	})
}

// withResolve returns the updates of candidates, and the resolve of their build with its updates: that of the candidates, or else the stored one.
// Updates that an earlier resolve had keep their date, so that a build that did not make these changes is not repeated. Because those that a build was
// started for are not stored in the status, that build has them.
func withResolve(known *Candidates, stored *v1alpha1.ImagePackages, started *v1alpha1.ImageBuild) ([]v1alpha1.PackageUpdate, *v1alpha1.PackageResolve) {
	updates, resolved := slices.Clone(known.Updates), known.Resolved
	last := []*v1alpha1.ImagePackages{stored}
	if started != nil {
		last = append(last, started.Spec.Trigger.Packages)
	}
	ours := stored != nil && stored.Build == known.Build
	carries := ours && stored.Resolved != nil && (resolved == nil || resolved.Message != "")
	for _, packages := range last {
		if packages == nil || packages.Resolved == nil {
			continue
		}
		stays := carries && packages.Build == known.Build && packages.Resolved.Time.Equal(&stored.Resolved.Time)
		for i := range packages.Updates {
			update := &packages.Updates[i]
			switch at := sameUpdate(updates, update); {
			case !IsResolved(update):
			case at >= 0:
				updates[at].Since, updates[at].Archive = update.Since, update.Archive
			case stays:
				updates = append(updates, *update)
			}
		}
	}
	if resolved == nil && ours {
		resolved = stored.Resolved
	}
	return updates, resolved
}

// forPackages reports whether a build was started for new packages.
func forPackages(build *v1alpha1.ImageBuild) bool {
	return build.Spec.Trigger != nil && build.Spec.Trigger.Packages != nil
}

// packagesAgain returns when the updates that a build was started for may start another build, because it failed for a reason that is not the fault
// of the Image, such as a mirror in the middle of an update. It is zero if they start none.
func (o Observed) packagesAgain(build *v1alpha1.ImageBuild) time.Time {
	failure := build.Status.Failure
	if build.Status.Phase != v1alpha1.BuildFailed || failure == nil || build.Status.CompletionTime == nil {
		return time.Time{}
	}
	switch failure.Class {
	case v1alpha1.FailureInfrastructure, v1alpha1.FailureRegistry, v1alpha1.FailureTimeout:
		return build.Status.CompletionTime.Add(packageRetry)
	}
	return time.Time{}
}

// attemptedNothing reports whether the newest build that was started for new packages leaves them to another one: a newer build superseded it, or it may be
// repeated. That holds until a newer build has succeeded, or was started for packages and deleted, because the history may keep an older build for longer.
func (o Observed) attemptedNothing(status *v1alpha1.ImageStatus, build *v1alpha1.ImageBuild) bool {
	if latest := status.LatestSuccessful; latest != nil && latest.Number > number(build) {
		return false
	}
	if slices.ContainsFunc(status.RecentRequests, func(record v1alpha1.BuildRequestRecord) bool {
		return IsPackageRequest(record.RequestID) && record.Number > number(build) && record.UID != ""
	}) {
		return false
	}
	if failure := build.Status.Failure; failure != nil && failure.Reason == v1alpha1.ReasonSuperseded {
		return true
	}
	again := o.packagesAgain(build)
	return !again.IsZero() && !again.After(o.Now)
}

// latestStates returns the later state of each archive of two lists.
func latestStates(a, b []v1alpha1.ArchiveState) []v1alpha1.ArchiveState {
	latest := slices.Clone(a)
	for _, state := range b {
		at := slices.IndexFunc(latest, func(of v1alpha1.ArchiveState) bool { return of.Name == state.Name })
		switch {
		case at < 0:
			latest = append(latest, state)
		case state.Date.After(latest[at].Date.Time):
			latest[at] = state
		}
	}
	slices.SortFunc(latest, func(a, b v1alpha1.ArchiveState) int { return cmp.Compare(a.Name, b.Name) })
	return latest
}

// isAttempted reports whether an update was in its archive when a build was started for new packages.
func isAttempted(update *v1alpha1.PackageUpdate, attempted []v1alpha1.ArchiveState) bool {
	return slices.ContainsFunc(attempted, func(state v1alpha1.ArchiveState) bool {
		return state.Name == update.Archive && !update.Since.After(state.Date.Time)
	})
}

// updates returns the updates that are to start a build, at some time. They are those of the latest successful build.
func updates(status *v1alpha1.ImageStatus) []v1alpha1.PackageUpdate {
	if status.Packages == nil || status.LatestSuccessful == nil || status.Packages.Build != status.LatestSuccessful.Name {
		return nil
	}
	return status.Packages.Updates
}

// packagesTime returns when the first of some updates may start a build: once it is old enough, and a window is open. It is zero if no window opens.
func (o Observed) packagesTime(of []v1alpha1.PackageUpdate) time.Time {
	trigger := o.Image.Spec.Triggers.OnPackageChange
	at := of[0].Since.Add(trigger.MinimumAge.Duration)
	if at.Before(o.Now) {
		at = o.Now
	}
	window := trigger.Window
	if window == nil {
		return at
	}
	times, err := ParseSchedule(window.Cron, window.TimeZone)
	if err != nil {
		return time.Time{} // the rules or the time zones that the server knows have changed
	}
	if _, open := times.Last(at.Add(-window.Duration.Duration), at); open {
		return at
	}
	return times.Next(at)
}

// PackagesDue reports whether an Image would be built now because of new packages, so that a build of an Image that is based on it waits. It ignores
// the builds of the Image, whose status tells of them.
func PackagesDue(o Observed) bool {
	if o.Image.Spec.Triggers.OnPackageChange == nil || o.Image.IsSuspended() || o.tooManyFailures(&o.Image.Status) {
		return false
	}
	status := *o.Image.Status.DeepCopy()
	if status.InputsDigest == "" || o.testsChanged(&status) {
		return false // its inputs do not resolve, or a build without new packages is due, of which the status tells
	}
	if refused(&status) {
		return false
	}
	o.recordPackages(&status)
	of := updates(&status)
	if len(of) == 0 {
		return false
	}
	at := o.packagesTime(of)
	return !at.IsZero() && !at.After(o.Now)
}

// Follows reports whether a build of a base changes by itself what a channel names, and whether that is about to happen. The empty channel is the
// latest successful build.
func Follows(base *v1alpha1.Image, channel string, now time.Time) (ok, coming bool) {
	pending := BaseBuildPending(&v1alpha1.BaseImageReference{Name: base.Name}, base)
	if channel == "" {
		return true, pending
	}
	automatic := slices.ContainsFunc(base.Spec.Channels, func(rule v1alpha1.ChannelRule) bool {
		return rule.Name == channel && rule.Promote == v1alpha1.PromoteAutomatic
	})
	if !automatic {
		return false, false
	}
	last := base.Status.LatestSuccessful
	moved := last == nil || slices.ContainsFunc(base.Status.Channels, func(of v1alpha1.ImageChannel) bool { return of.Name == channel && of.Build == last.Name })
	return true, pending || !moved && now.Sub(last.CompletionTime.Time) < promotionLimit
}

// BaseComing reports whether a base of an Image with defaults, or an Image that it is based on, is due, will be, or is about to change. A build of the Image
// waits for it, so that each Image is built once. read returns the Image of a name, which it shares, or nil if it does not exist. due reports whether a
// base, which has its defaults, is built or will be.
func BaseComing(image *v1alpha1.Image, now time.Time, read func(name string) (*v1alpha1.Image, error), due func(base *v1alpha1.Image) (bool, error)) (bool, error) {
	for range maxBases {
		ref := image.Spec.Base.ImageRef
		if ref == nil || !*image.Spec.Triggers.OnBaseChange {
			return false, nil
		}
		found, err := read(ref.Name)
		if err != nil || found == nil {
			return false, err
		}
		base := found.DeepCopy()
		v1alpha1.SetObjectDefaults_Image(base)
		follows, coming := Follows(base, ref.Channel, now)
		if !follows || coming {
			return coming, nil
		}
		if is, err := due(base); is || err != nil {
			return is, err
		}
		image = base
	}
	return false, nil
}

// decidePackages decides whether a build is due because of new packages, unless other inputs start one. It returns false if no package starts
// a build. next is when to decide again without an event.
func (o Observed) decidePackages(d *Decision, status *v1alpha1.ImageStatus) (decided bool, next time.Time) {
	of := updates(status)
	if len(of) == 0 {
		return false, time.Time{}
	}
	if stored := o.Image.Status.Packages; !samePackages(stored, status.Packages) {
		next = o.Now // the server decides by what is stored
	}
	message := packagesMessage(of, status.Packages.UpdateCount)
	if why, at := o.packagesPrevention(of, status); why.reason != "" {
		d.Reason, d.Message = why.reason, message+", but "+why.message
		switch {
		case !next.IsZero():
		case !at.IsZero():
			next = at
		case why.reason == v1alpha1.ReasonWaitingForBase:
			next = o.Now.Add(baseRecheck)
		case o.Hold != nil:
			next = o.Now.Add(holdRetry)
		}
		return true, next
	}
	if !next.IsZero() {
		d.Reason, d.Message = v1alpha1.ReasonPackagesChanged, message
		return true, next
	}
	d.Reason, d.Message = string(v1alpha1.TriggerPackageChange), message
	d.Packages = status.Packages
	d.Request = &v1alpha1.BuildRequest{
		RequestID: packagesRequestID(status.Packages, status.LastAttempted), Reason: v1alpha1.TriggerPackageChange, Message: v1alpha1.CutMessage(message),
		Changes: d.Changes,
	}
	return true, time.Time{}
}

// packagesPrevention returns why some updates start no build now, and when they start one, if they wait for that time.
func (o Observed) packagesPrevention(of []v1alpha1.PackageUpdate, status *v1alpha1.ImageStatus) (why prevention, at time.Time) {
	if unfinished := newest(o.Builds, unfinishedAndCounts); unfinished != nil {
		return prevention{v1alpha1.ReasonBuildQueued, fmt.Sprintf("build %s may have them: wait until it has finished", unfinished.Name)}, time.Time{}
	}
	if why := o.preventionOf(v1alpha1.TriggerPackageChange, status); why.reason != "" {
		return why, time.Time{}
	}
	at = o.packagesTime(of)
	switch {
	case o.BaseComing || o.BasePackages:
		return prevention{v1alpha1.ReasonWaitingForBase, baseFirst(o.Image.Spec.Base.ImageRef.Name)}, time.Time{}
	case at.IsZero():
		return prevention{v1alpha1.ReasonPackagesChanged, "triggers.onPackageChange.window never opens: correct it, or ask for a build"}, at
	case at.After(o.Now):
		return prevention{v1alpha1.ReasonPackagesChanged, "the build starts at " + at.UTC().Format(time.RFC3339) + ": ask for a build to have it now"}, at
	case o.Hold != nil && o.Hold.Paused:
		return prevention{v1alpha1.ReasonRolloutPaused, o.Hold.Message}, time.Time{}
	case o.Hold != nil:
		return prevention{v1alpha1.ReasonPackagesChanged, o.Hold.Message}, time.Time{}
	}
	return prevention{}, time.Time{}
}

// nextPackages returns when updates that a failed build was started for may start another build.
func (o Observed) nextPackages() time.Time {
	if o.Image.Spec.Triggers.OnPackageChange == nil {
		return time.Time{}
	}
	if build := newest(o.Builds, forPackages); build != nil && o.packagesAgain(build).After(o.Now) {
		return o.packagesAgain(build)
	}
	return time.Time{}
}

func samePackages(a, b *v1alpha1.ImagePackages) bool {
	return a != nil && b != nil && a.Build == b.Build && slices.EqualFunc(a.Archives, b.Archives, sameState) && slices.EqualFunc(a.Attempted, b.Attempted, sameState) &&
		equality.Semantic.DeepEqual(a.Resolved, b.Resolved)
}

func sameState(a, b v1alpha1.ArchiveState) bool { return a.Name == b.Name && a.Date.Equal(&b.Date) }

// packagesMessage describes updates: the first of them, and how many more there are.
func packagesMessage(of []v1alpha1.PackageUpdate, count int32) string {
	message := "new packages: "
	if !slices.ContainsFunc(of, func(update v1alpha1.PackageUpdate) bool { return !IsResolved(&update) }) {
		message = "changed packages: "
	}
	return message + listUpdates(of, count)
}

// listUpdates lists updates: the first of them, and how many more there are.
func listUpdates(of []v1alpha1.PackageUpdate, count int32) string {
	var texts []string
	seen := map[string]bool{}
	for i := range of {
		if text := updateMessage(&of[i]); !seen[text] {
			seen[text] = true // of another architecture or archive
			texts = append(texts, text)
		}
	}
	shown := texts[:min(len(texts), shownUpdates)]
	list := strings.Join(shown, ", ")
	if more := len(texts) - len(shown) + int(count) - len(of); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// updateMessage describes an update, such as openssl 3.5.6-1 → 3.5.7-1 (CVE-2026-1234), or libfoo 1.2 would be added.
func updateMessage(update *v1alpha1.PackageUpdate) string {
	switch {
	case update.From == "":
		return fmt.Sprintf("%s %s would be added", update.Name, update.To)
	case update.To == "":
		return fmt.Sprintf("%s %s would be removed", update.Name, update.From)
	}
	text := fmt.Sprintf("%s %s → %s", update.Name, update.From, update.To)
	if len(update.Advisories) == 0 {
		return text
	}
	shown := update.Advisories[:min(len(update.Advisories), shownAdvisories)]
	text += " (" + strings.Join(shown, ", ")
	if more := len(update.Advisories) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + ")"
}

// outdatedPackages counts packages, such as 2 packages with newer versions.
func outdatedPackages(count int32) string {
	if count == 1 {
		return "1 package with a newer version"
	}
	return fmt.Sprintf("%d packages with newer versions", count)
}

// unfinishedForPackages reports whether a build was started for new packages, and has not finished.
func unfinishedForPackages(build *v1alpha1.ImageBuild) bool {
	return forPackages(build) && !build.Status.Finished
}

// changedPackages describes the updates that start a build, or those that an unfinished build was started for. It is empty if there are none.
func (c conditions) changedPackages() string {
	if of := updates(c.status); len(of) > 0 {
		return v1alpha1.CutMessage(packagesMessage(of, c.status.Packages.UpdateCount))
	}
	if build := newest(c.Builds, unfinishedForPackages); build != nil && c.Image.Spec.Triggers.OnPackageChange != nil {
		its := build.Spec.Trigger.Packages
		return v1alpha1.CutMessage(fmt.Sprintf("build %s has not finished, which has %s", build.Name, packagesMessage(its.Updates, its.UpdateCount)))
	}
	return ""
}

// setPackagesUpToDate sets whether the archives have newer versions of packages in the latest successful build.
func (c conditions) setPackagesUpToDate() {
	const kind = v1alpha1.ImagePackagesUpToDate
	if c.Image.Spec.Triggers.OnPackageChange == nil {
		c.status.Conditions = slices.DeleteFunc(c.status.Conditions, func(condition metav1.Condition) bool { return condition.Type == kind })
		return
	}
	latest, packages := c.status.LatestSuccessful, c.status.Packages
	set := func(status metav1.ConditionStatus, reason, message string) {
		if packages != nil && packages.Resolved != nil && packages.Resolved.Message != "" {
			message += fmt.Sprintf("; the resolve of %s failed: %s", packages.Resolved.Time.UTC().Format(time.RFC3339), packages.Resolved.Message)
		}
		c.set(kind, status, reason, v1alpha1.CutMessage(message))
	}
	changed := c.changedPackages()
	switch {
	case changed != "" && c.Hold != nil && c.Hold.Paused:
		set(metav1.ConditionFalse, v1alpha1.ReasonRolloutPaused, changed+", but "+c.Hold.Message)
	case changed != "":
		set(metav1.ConditionFalse, v1alpha1.ReasonPackagesChanged, changed)
	case latest == nil:
		set(metav1.ConditionUnknown, v1alpha1.ReasonNeverBuilt, "no build has succeeded yet")
	case c.Candidates != nil && c.Candidates.NotSupported:
		set(metav1.ConditionUnknown, v1alpha1.ReasonProbeNotSupported, c.Candidates.Unknown)
	case c.Candidates != nil && c.Candidates.Unknown != "":
		set(metav1.ConditionUnknown, v1alpha1.ReasonPackagesUnknown, c.Candidates.Unknown)
	case c.Candidates != nil && c.Candidates.Partial != "":
		set(metav1.ConditionUnknown, v1alpha1.ReasonPackagesUnknown, c.Candidates.Partial)
	case c.Candidates == nil: // the stored condition is that of the controller
	case packages != nil && packages.OtherCount > 0:
		set(metav1.ConditionFalse, v1alpha1.ReasonPackagesKept, fmt.Sprintf(
			"build %s has %s, and starts no build for them: triggers.onPackageChange.mode excludes them, or a build was started for them and did not install them",
			packages.Build, outdatedPackages(packages.OtherCount)))
	default:
		message := "no package of build " + latest.Name + " has a newer version in its archives"
		if ref := c.Image.Spec.Base.ImageRef; ref != nil {
			message += ", apart from packages of the base (image " + ref.Name + ")"
		}
		if c.Candidates.Unchecked != "" {
			message += "; nobody checks " + c.Candidates.Unchecked
		}
		set(metav1.ConditionTrue, v1alpha1.ReasonPackagesUnchanged, message)
	}
}
