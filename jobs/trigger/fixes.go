// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// A fix is a build that was the first of its Image to have newer versions of packages. Only builds that are known to lack a version beforehand, and
// to have it afterwards, are fixes: if the packages of a build are unknown, the next build with known packages decides. A fix that is stored stays,
// because the builds before it are pruned.

// maxFixedChannels is how many channels a fix has at most. Half of them have an earlier fix, so that channels with ever new names leave room for them.
const maxFixedChannels = 16

// recordFixes sets status.fixes, and status.packages.outdated.
func (o Observed) recordFixes(status *v1alpha1.ImageStatus) {
	if fix := o.recordOutdated(status); fix != nil {
		addFix(status, *fix)
	}
	for _, fix := range o.inheritedFixes(status.Fixes) {
		addFix(status, fix)
	}
	slices.SortFunc(status.Fixes, func(a, b v1alpha1.PackageFix) int { return cmp.Compare(b.Number, a.Number) })
	status.Fixes = status.Fixes[:min(len(status.Fixes), v1alpha1.MaxImageFixes)]
	o.recordChannels(status.Fixes)
}

// addFix adds a fix. Several fixes of one build are one fix, since the oldest of them.
func addFix(status *v1alpha1.ImageStatus, fix v1alpha1.PackageFix) {
	at := slices.IndexFunc(status.Fixes, func(of v1alpha1.PackageFix) bool { return of.Build == fix.Build })
	switch {
	case at < 0:
		status.Fixes = append(status.Fixes, fix)
	case fix.Since.Before(&status.Fixes[at].Since):
		status.Fixes[at].Since = fix.Since
	}
}

// recordOutdated sets since when the latest successful build lacks newer versions. It returns that build if it has versions that the build before it
// is known to lack.
func (o Observed) recordOutdated(status *v1alpha1.ImageStatus) (fix *v1alpha1.PackageFix) {
	known, latest := o.Candidates, status.LatestSuccessful
	if status.Packages == nil || known == nil || known.Unknown != "" || latest == nil || known.Build != latest.Name {
		return nil
	}
	last := status.Packages.Outdated
	var since *metav1.Time
	var lacked []v1alpha1.PackageUpdate
	for i := range known.Updates {
		update := &known.Updates[i]
		if !o.outdates(update) {
			continue
		}
		lacked = append(lacked, *update)
		if since == nil || update.Since.Before(since) {
			since = &update.Since
		}
	}
	same := last != nil && last.Build == known.Build
	switch {
	case known.Partial != "" && last != nil && (!same || since == nil):
		return nil // an archive that is not known may have the version
	case same && since != nil && last.Since.Before(since) && (known.Partial != "" || !o.isWithdrawn(last, lacked)):
		since = &last.Since // a later version has replaced the one that was there first
	case last != nil && !same && !o.isOlder(latest.Name, last.Build):
		fix = o.installed(last, latest)
	}
	status.Packages.Outdated = nil
	if since != nil {
		status.Packages.Outdated = &v1alpha1.OutdatedPackages{Since: *since, Build: known.Build}
	}
	return fix
}

// isWithdrawn reports whether the date since which a build is outdated is known to be that of updates that it lacks no longer: their versions vanished, or
// the mode excludes them. lacked are the updates that it lacks now.
func (o Observed) isWithdrawn(last *v1alpha1.OutdatedPackages, lacked []v1alpha1.PackageUpdate) bool {
	all := append(o.lackedBy(last.Build), o.Candidates.Updates...) // a package that is held back is only among the latter
	dated := slices.DeleteFunc(all, func(update v1alpha1.PackageUpdate) bool { return !update.Since.Equal(&last.Since) })
	return len(dated) > 0 && !slices.ContainsFunc(dated, func(update v1alpha1.PackageUpdate) bool { return isLacked(lacked, &update) })
}

// isLacked reports whether a build with updates lacks what an earlier build lacked: it has the version of that build, or is to get the version that
// the earlier build was to get.
func isLacked(updates []v1alpha1.PackageUpdate, update *v1alpha1.PackageUpdate) bool {
	return slices.ContainsFunc(updates, func(of v1alpha1.PackageUpdate) bool {
		return of.Name == update.Name && of.Architecture == update.Architecture && (of.From == update.From || of.To == update.To)
	})
}

// isOlder reports whether a build tests artifacts again that are older than another build.
func (o Observed) isOlder(build, than string) bool {
	for range o.Builds { // artifacts can be tested again many times
		retest := o.buildNamed(build)
		if retest == nil || retest.Spec.Retests == nil {
			break
		}
		build = retest.Spec.Retests.Name
	}
	made, _ := numberIn(build, o.Image.Name)
	after, _ := numberIn(than, o.Image.Name)
	return made < after
}

// outdates reports whether a build that lacks an update is outdated.
func (o Observed) outdates(update *v1alpha1.PackageUpdate) bool {
	return selects(o.Image.Spec.Triggers.OnPackageChange, update) && !IsResolved(update)
}

// selects reports whether a trigger starts builds for an update.
func selects(trigger *v1alpha1.PackageTrigger, update *v1alpha1.PackageUpdate) bool {
	return trigger.Mode != v1alpha1.PackagesSecurity || update.Security || IsResolved(update)
}

// installed returns a successful build as a fix if it has newer versions than an earlier one, which was outdated. A package that is held back has the
// version that it had, and keeps no other package from being a fix.
func (o Observed) installed(last *v1alpha1.OutdatedPackages, latest *v1alpha1.SuccessfulBuild) *v1alpha1.PackageFix {
	since, stored := metav1.Time{}, o.Image.Status.Packages.Archives
	whole := !slices.ContainsFunc(o.Candidates.Updates, func(update v1alpha1.PackageUpdate) bool {
		unknown := !slices.ContainsFunc(stored, func(state v1alpha1.ArchiveState) bool { return state.Name == update.Archive })
		return o.outdates(&update) && (unknown || isAttempted(&update, stored)) // which was there for the earlier build, too, or may have been
	})
	dated := !slices.ContainsFunc(o.Candidates.Updates, func(update v1alpha1.PackageUpdate) bool {
		return o.outdates(&update) || update.Since.Equal(&last.Since) // the mode may exclude it since then
	})
	for _, update := range o.lackedBy(last.Build) {
		stays := isLacked(o.Candidates.Updates, &update) || o.Candidates.Has(update.Name, update.From, update.Architecture)
		whole, dated = whole && !stays, dated || update.Since.Equal(&last.Since)
		if !stays && (since.IsZero() || update.Since.Before(&since)) {
			since = update.Since
		}
	}
	if whole && dated && o.buildNamed(last.Build) != nil { // else the package of that date may be held back, and have an even newer version, or not be asked for
		since = last.Since
	}
	if since.IsZero() {
		return nil
	}
	return &v1alpha1.PackageFix{Build: latest.Name, Number: latest.Number, Since: since, ReadyTime: latest.CompletionTime}
}

// lackedBy returns the updates that a build is known to lack: those that are to start a build, and those that a build was started for.
func (o Observed) lackedBy(build string) (all []v1alpha1.PackageUpdate) {
	stored := []*v1alpha1.ImagePackages{o.Image.Status.Packages}
	for i := range o.Builds {
		if forPackages(&o.Builds[i]) {
			stored = append(stored, o.Builds[i].Spec.Trigger.Packages)
		}
	}
	for _, packages := range stored {
		if packages == nil || packages.Build != build {
			continue
		}
		for i := range packages.Updates {
			if update := packages.Updates[i]; !IsResolved(&update) {
				all = append(all, update)
			}
		}
	}
	return all
}

// inheritedFixes returns the builds that were the first to be based on a fix of the base. stored are the fixes that are known.
func (o Observed) inheritedFixes(stored []v1alpha1.PackageFix) (found []v1alpha1.PackageFix) {
	ref := o.Image.Spec.Base.ImageRef
	if ref == nil {
		return nil
	}
	for i := range o.BaseFixes {
		fix := &o.BaseFixes[i]
		var before int64
		for j := range o.Builds {
			build := &o.Builds[j]
			base, ok := baseNumber(build, ref.Name)
			if build.Status.Phase != v1alpha1.BuildSucceeded || !build.Counts() || !ok {
				continue
			}
			if base < fix.Number {
				before = number(build)
				continue
			}
			if build.Status.CompletionTime.Before(&fix.ReadyTime) {
				continue // of another Image, which had the name of the base before
			}
			if before > 0 && !o.counted(fix, before, stored) {
				found = append(found, v1alpha1.PackageFix{Build: build.Name, Number: number(build), Since: fix.Since, ReadyTime: *build.Status.CompletionTime})
			}
			break
		}
	}
	return found
}

// counted reports whether a fix of the base is known already: by a build after another one, which is the last that is based on an older build of the
// base, although this build was deleted since then.
func (o Observed) counted(fix *v1alpha1.PackageFix, after int64, stored []v1alpha1.PackageFix) bool {
	if len(stored) == v1alpha1.MaxImageFixes && fix.ReadyTime.Before(&stored[len(stored)-1].ReadyTime) {
		return true // it may be one of those that were dropped
	}
	return slices.ContainsFunc(stored, func(of v1alpha1.PackageFix) bool {
		return of.Since.Equal(&fix.Since) && o.buildNamed(of.Build) == nil || of.Number > after && !fix.Since.Before(&of.Since)
	})
}

// baseNumber returns the number of the build of the Image with a name that a build is based on.
func baseNumber(build *v1alpha1.ImageBuild, base string) (number int64, ok bool) {
	if build.Status.Resolved == nil || build.Status.Resolved.Base == nil {
		return 0, false
	}
	return numberIn(build.Status.Resolved.Base.Name, base)
}

// numberIn returns the number in the name of a build of an Image. The build may be deleted.
func numberIn(build, image string) (number int64, ok bool) {
	digits, ok := strings.CutPrefix(build, image+"-")
	number, err := strconv.ParseInt(digits, 10, 64)
	return number, ok && err == nil
}

// recordChannels adds to fixes, the newest first, the channels that have them. A channel that moves back later had its fixes. A channel that has no fix yet
// gets only the newest one that its build has, because nobody knows since when there is a channel of this name. If it has a fix, it was at a build
// without those after it.
func (o Observed) recordChannels(fixes []v1alpha1.PackageFix) {
	for i := range o.Image.Status.Channels {
		channel := &o.Image.Status.Channels[i]
		build := o.buildNamed(channel.Build)
		if build == nil || build.IsOneOff() {
			continue
		}
		newest := slices.IndexFunc(fixes, func(fix v1alpha1.PackageFix) bool { return fix.Number <= number(build) })
		if newest < 0 {
			continue
		}
		end, room := newest+1, maxFixedChannels/2
		for j := range fixes {
			if hasFix(&fixes[j], channel.Name) {
				end, room = j, maxFixedChannels
			}
		}
		for j := newest; j < end; j++ {
			if fix := &fixes[j]; len(fix.Channels) < room && !hasFix(fix, channel.Name) {
				fix.Channels = append(fix.Channels, v1alpha1.FixedChannel{Name: channel.Name, Time: channel.Time})
			}
		}
	}
}

// hasFix reports whether a channel has a fix.
func hasFix(fix *v1alpha1.PackageFix, channel string) bool {
	return slices.ContainsFunc(fix.Channels, func(of v1alpha1.FixedChannel) bool { return of.Name == channel })
}
