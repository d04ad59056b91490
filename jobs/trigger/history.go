// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/attestation"
)

// superseded returns the builds that need not run, because a newer build of the Image's own inputs also waits. A build with an
// attempt is not superseded. A one-off build neither supersedes nor is superseded, because no other build has its inputs. A build that tests the
// artifacts of another build supersedes none, because it makes nothing.
func superseded(o Observed) (older []*v1alpha1.ImageBuild, newest string) {
	if o.Image.Spec.RunPolicy != v1alpha1.RunPolicySerialLatestOnly {
		return nil, ""
	}
	for i := range slices.Backward(o.Builds) {
		build := &o.Builds[i]
		waits := !build.Status.Phase.Finished() && !build.Status.Phase.Active() && len(build.Status.Attempts) == 0
		switch {
		case !waits || build.Spec.CancelRequested != nil || build.DeletionTimestamp != nil || build.IsOneOff():
			continue
		case newest == "" && build.Spec.Retests != nil:
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

// buildsToDelete returns the finished builds to delete, the newest first: those over the limits of the history, and those that are too old.
// expiry is when the next build becomes too old.
func (o Observed) buildsToDelete(status *v1alpha1.ImageStatus) (old []*v1alpha1.ImageBuild, expiry time.Time) {
	history := o.Image.Spec.History
	succeeded, failed := *history.Succeeded, *history.Failed
	ttl := history.TTL
	if ttl == nil {
		ttl = &v1alpha1.HistoryTTL{}
	}
	for i := range slices.Backward(o.Builds) {
		build := &o.Builds[i]
		if !build.Status.Finished || o.isEvidence(build) {
			continue
		}
		room, limit := &failed, ttl.Failed
		if build.Status.Phase == v1alpha1.BuildSucceeded {
			room, limit = &succeeded, ttl.Succeeded
		}
		again, over := o.rebuild(i)
		if !again {
			*room--
			over = *room < 0
		}
		if v1alpha1.UnderLegalHold(o.Image) || v1alpha1.UnderLegalHold(build) || kept(status, build) {
			continue
		}
		if o.beingRetested(build) {
			continue
		}
		expires := expiryOf(build, limit)
		if over {
			expires = o.Now
		}
		if expires.IsZero() {
			continue
		}
		expires = o.afterVerdicts(afterAwaited(expires, build, o.LogsArchived, o.BuildsRecorded, false), build)
		if again := o.packagesAgain(build); again.After(expires) && build == newest(o.Builds, forPackages) {
			expires = again // until then, only the build tells that its updates are to start another one
		}
		switch {
		case !expires.After(o.Now):
			old = append(old, build)
		case expiry.IsZero() || expires.Before(expiry):
			expiry = expires
		}
	}
	return old, expiry
}

// isEvidence reports whether a build is revoked and has artifacts. Only the build tells that images that are based
// on it are wrong. It is kept until a user deletes or restores it, and takes no place in the history.
func (o Observed) isEvidence(build *v1alpha1.ImageBuild) bool {
	return v1alpha1.Revoked(build, o.Now) && len(build.Status.Artifacts) > 0
}

// rebuild reports whether the build at an index reproduces one that still exists. It takes no place in the history, because it would displace what it
// reproduces. It is spare if a newer build of the same phase reproduces that build, too, and the condition Reproduced of that build does not name it.
func (o Observed) rebuild(i int) (ok, spare bool) {
	of := o.reproducedBy(&o.Builds[i])
	if of == nil || of.Spec.Reproduces != nil { // a chain of rebuilds would have no end
		return false, false
	}
	return true, !attestation.Gave(&o.Builds[i], of) && slices.ContainsFunc(o.Builds[i+1:], func(newer v1alpha1.ImageBuild) bool {
		return o.reproducedBy(&newer) == of && newer.Status.Phase == o.Builds[i].Status.Phase
	})
}

// reproducedBy returns the build of the Image that a build reproduces, or nil.
func (o Observed) reproducedBy(build *v1alpha1.ImageBuild) *v1alpha1.ImageBuild {
	if build.Spec.Reproduces != nil {
		for i := range o.Builds {
			if o.Builds[i].UID == build.Spec.Reproduces.UID {
				return &o.Builds[i]
			}
		}
	}
	return nil
}

// afterVerdicts returns when a finished build that expires at a time may be deleted. A build that reproduces another build is kept, with that build,
// for at most awaitLimit, until the condition Reproduced of that build has the result.
func (o Observed) afterVerdicts(expires time.Time, build *v1alpha1.ImageBuild) time.Time {
	for i := range o.Builds {
		by := &o.Builds[i]
		of := o.reproducedBy(by)
		if of != nil && (by == build || of == build) && attestation.Verdict(by, of, o.Now) != nil {
			expires = afterAwaited(expires, by, false, false, true)
		}
	}
	return expires
}

// awaitLimit is how long a finished build is kept at least, if its logs are not archived, the build is not recorded, or a result of it is not stored.
const awaitLimit = 24 * time.Hour

// afterAwaited returns when a finished build that expires at a time may be deleted. If its logs or its record are not settled, or its result is not
// stored, the build is kept for awaitLimit.
func afterAwaited(expires time.Time, build *v1alpha1.ImageBuild, logsArchived, buildsRecorded, compares bool) time.Time {
	waits := logsArchived && !LogSettled(build) || buildsRecorded && !RecordSettled(build) || compares
	if !waits || build.Status.CompletionTime == nil {
		return expires
	}
	if limit := build.Status.CompletionTime.Add(awaitLimit); limit.After(expires) {
		return limit
	}
	return expires
}

// Promoting reports whether a promotion may still move a channel of the Image, as it is stored, to a build.
//
// Promotion and pruning cannot miss each other. A promotion (1) reads the Image, (2) stores its resource version in the build, and
// (3) writes the channel, unless the Image has another resource version by then: then it begins anew. Pruning (4) decides by the
// build at some resource version, (5) reads the Image from the API, and (6) deletes the build at that resource version. If (2)
// comes after (6), there is no build to promote. If (2) comes between (4) and (6), the build has another resource version, and the
// deletion is refused. If (2) comes before (4), the build names the Image of (1). If (5) reads the same resource version, (3) may
// follow: Promoting is true, and the build is kept. If (5) reads another version, (3) is done, and (5) has shown the channel, or
// (3) fails, and the promotion comes back to (2).
func Promoting(image *v1alpha1.Image, build *v1alpha1.ImageBuild) bool {
	return build.Annotations[v1alpha1.AnnotationPromotion] == image.ResourceVersion
}

// DirectExpiry returns when a build that was created directly may be deleted, if such builds are kept for ttl. It is zero for
// a build that has not finished, is under legal hold or is being deleted. It is also zero for a build of an Image, whose
// history decides. compares is true as long as the condition Reproduced of another build lacks the result of the build.
func DirectExpiry(build *v1alpha1.ImageBuild, ttl time.Duration, logsArchived, buildsRecorded, compares bool) time.Time {
	if build.Spec.ImageRef != nil || !build.Status.Finished || build.DeletionTimestamp != nil || v1alpha1.UnderLegalHold(build) {
		return time.Time{}
	}
	expires := expiryOf(build, &v1alpha1.Duration{Duration: ttl})
	if expires.IsZero() {
		return expires
	}
	return afterAwaited(expires, build, logsArchived, buildsRecorded, compares)
}

// LogSettled reports whether a build's logs are archived, damaged or expired, so that none is left to archive.
func LogSettled(build *v1alpha1.ImageBuild) bool {
	archived := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildLogArchived)
	return archived != nil && (archived.Status == metav1.ConditionTrue || archived.Reason == v1alpha1.ReasonLogExpired || archived.Reason == v1alpha1.ReasonLogDamaged)
}

// RecordSettled reports whether the database has recorded a build's final state, or refuses it for good.
func RecordSettled(build *v1alpha1.ImageBuild) bool {
	recorded := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildRecorded)
	return recorded != nil && (recorded.Status == metav1.ConditionTrue || recorded.Reason == v1alpha1.ReasonNotRecordable)
}

// expiryOf is when a build has been kept for limit. It is zero if there is no limit.
func expiryOf(build *v1alpha1.ImageBuild, limit *v1alpha1.Duration) time.Time {
	if limit == nil || build.Status.CompletionTime == nil {
		return time.Time{}
	}
	return build.Status.CompletionTime.Add(limit.Duration)
}

// kept reports whether a finished build is kept at any age: the latest successful build, a build of a channel, and a build that the
// status does not count yet. A build whose request has no UID recorded is also kept, because the same request would otherwise
// build again.
func kept(status *v1alpha1.ImageStatus, build *v1alpha1.ImageBuild) bool {
	n := number(build)
	return build.DeletionTimestamp != nil || n > status.CountedBuild ||
		status.LatestSuccessful != nil && status.LatestSuccessful.Number == n ||
		slices.ContainsFunc(status.Channels, func(channel v1alpha1.ImageChannel) bool { return channel.Build == build.Name }) ||
		slices.ContainsFunc(status.RecentRequests, func(record v1alpha1.BuildRequestRecord) bool { return record.Number == n && record.UID == "" })
}
