// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// superseded are the builds that need not run, because a newer one of the Image's own inputs waits as well. A build with an
// attempt stays. A one-off build neither supersedes nor is superseded, because no other build is made from its inputs.
func superseded(o Observed) (older []*v1alpha1.ImageBuild, newest string) {
	if o.Image.Spec.RunPolicy != v1alpha1.RunPolicySerialLatestOnly {
		return nil, ""
	}
	for i := range slices.Backward(o.Builds) {
		build := &o.Builds[i]
		waits := !build.Status.Phase.Finished() && !build.Status.Phase.Active() && len(build.Status.Attempts) == 0
		switch {
		case !waits || build.Spec.CancelRequested != nil || build.DeletionTimestamp != nil || !build.Counts():
			continue
		case newest == "":
			newest = build.Name
		default:
			older = append(older, build)
		}
	}
	if older == nil {
		return nil, ""
	}
	return older, newest
}

// old are the finished builds over the limits, and those older than is wanted, the newest first; and when the next one
// will be.
func (o Observed) old(status *v1alpha1.ImageStatus) (old []*v1alpha1.ImageBuild, expiry time.Time) {
	history := o.Image.Spec.History
	succeeded, failed := *history.Succeeded, *history.Failed
	ttl := history.TTL
	if ttl == nil {
		ttl = &v1alpha1.HistoryTTL{}
	}
	for i := range slices.Backward(o.Builds) {
		build := &o.Builds[i]
		if !build.Status.Finished {
			continue
		}
		room, limit := &failed, ttl.Failed
		if build.Status.Phase == v1alpha1.BuildSucceeded {
			room, limit = &succeeded, ttl.Succeeded
		}
		*room--
		if v1alpha1.UnderLegalHold(o.Image) || v1alpha1.UnderLegalHold(build) || kept(status, build) {
			continue
		}
		expires := expiryOf(build, limit)
		if *room < 0 {
			expires = o.Now
		}
		if expires.IsZero() {
			continue
		}
		expires = afterAwaited(expires, build, o.LogsArchived, o.BuildsRecorded)
		switch {
		case !expires.After(o.Now):
			old = append(old, build)
		case expiry.IsZero() || expires.Before(expiry):
			expiry = expires
		}
	}
	return old, expiry
}

// awaitLimit is how long a finished build is kept, at least, for its logs to be archived and for itself to be recorded.
const awaitLimit = 24 * time.Hour

// afterAwaited returns when a finished build that expires at a time may be deleted: not before its logs and its record are
// settled, for which it is kept for awaitLimit.
func afterAwaited(expires time.Time, build *v1alpha1.ImageBuild, logsArchived, buildsRecorded bool) time.Time {
	waits := logsArchived && !LogSettled(build) || buildsRecorded && !RecordSettled(build)
	if !waits || build.Status.CompletionTime == nil {
		return expires
	}
	if limit := build.Status.CompletionTime.Add(awaitLimit); limit.After(expires) {
		return limit
	}
	return expires
}

// DirectExpiry returns when a build that was created directly may be deleted, if such builds are kept for ttl. It is zero for a
// build that has not finished, is under legal hold or is being deleted, and for a build of an Image: its history decides that.
func DirectExpiry(build *v1alpha1.ImageBuild, ttl time.Duration, logsArchived, buildsRecorded bool) time.Time {
	if build.Spec.ImageRef != nil || !build.Status.Finished || build.DeletionTimestamp != nil || v1alpha1.UnderLegalHold(build) {
		return time.Time{}
	}
	expires := expiryOf(build, &metav1.Duration{Duration: ttl})
	if expires.IsZero() {
		return expires
	}
	return afterAwaited(expires, build, logsArchived, buildsRecorded)
}

// LogSettled says whether there is nothing left to archive of a build's logs: they are in the archive, or expired.
func LogSettled(build *v1alpha1.ImageBuild) bool {
	archived := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildLogArchived)
	return archived != nil && (archived.Status == metav1.ConditionTrue || archived.Reason == v1alpha1.ReasonLogExpired)
}

// RecordSettled says whether there is nothing left to record of a build's end: the database has it, or never takes it.
func RecordSettled(build *v1alpha1.ImageBuild) bool {
	recorded := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildRecorded)
	return recorded != nil && (recorded.Status == metav1.ConditionTrue || recorded.Reason == v1alpha1.ReasonNotRecordable)
}

// expiryOf is when a build has been kept long enough; zero if it never has.
func expiryOf(build *v1alpha1.ImageBuild, limit *metav1.Duration) time.Time {
	if limit == nil || build.Status.CompletionTime == nil {
		return time.Time{}
	}
	return build.Status.CompletionTime.Add(limit.Duration)
}

// kept says whether a finished build stays, however old it is: the latest successful one, one that a channel names, and
// one that the status still has to take in. Among these is one whose UID is not recorded: asked for again it would be
// built again.
func kept(status *v1alpha1.ImageStatus, build *v1alpha1.ImageBuild) bool {
	n := number(build)
	return build.DeletionTimestamp != nil || n > status.CountedBuild ||
		status.LatestSuccessful != nil && status.LatestSuccessful.Number == n ||
		slices.ContainsFunc(status.Channels, func(channel v1alpha1.ImageChannel) bool { return channel.Build == build.Name }) ||
		slices.ContainsFunc(status.RecentRequests, func(record v1alpha1.BuildRequestRecord) bool { return record.Number == n && record.UID == "" })
}
