// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// recordRevocations records in the status of an Image which of the builds that it names are revoked, or are based on a revoked build. It keeps what is
// known of deleted builds.
func (o Observed) recordRevocations(status *v1alpha1.ImageStatus) {
	if latest := status.LatestSuccessful; latest != nil {
		latest.Revoked = o.revocation(latest.Name, latest.Revoked)
		if base, known := o.RevokedBases[latest.Name]; known {
			latest.RevokedBase = base
		}
	}
	for i := range status.Channels {
		channel := &status.Channels[i]
		channel.Revoked = o.revocation(channel.Build, channel.Revoked)
	}
}

// revocation returns the revocation of a build. recorded is what the Image has recorded of it.
func (o Observed) revocation(name string, recorded *v1alpha1.Revocation) *v1alpha1.Revocation {
	build := o.buildNamed(name)
	switch {
	case build == nil:
		return recorded
	case build.Status.Revoked == nil && recorded != nil && !restored(build, recorded):
		return recorded // the build is that of an outdated cache, and may have been revoked and deleted since
	}
	return build.Status.Revoked
}

// restored reports whether a build was restored since it had a revocation.
func restored(build *v1alpha1.ImageBuild, revoked *v1alpha1.Revocation) bool {
	condition := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildRevoked)
	return condition != nil && condition.Reason == v1alpha1.ReasonRestored && !condition.LastTransitionTime.Before(&revoked.Time)
}

// revoked describes the revocation of the latest successful build, if it is in effect. Otherwise it is empty.
func (o Observed) revoked(status *v1alpha1.ImageStatus) string {
	latest := status.LatestSuccessful
	if latest == nil || !latest.Revoked.InEffect(o.Now) {
		return ""
	}
	return v1alpha1.CutMessage(fmt.Sprintf("build %s is revoked: change the image or build it again, or take that back: goldsmith unrevoke %[1]s. It was %s",
		latest.Name, latest.Revoked.Explain()))
}

// OnRevokedBase tells on which revoked build the latest successful build is based. It is empty if it is based on none.
func OnRevokedBase(latest *v1alpha1.SuccessfulBuild) string {
	if latest == nil || latest.RevokedBase == nil {
		return ""
	}
	base := latest.RevokedBase
	return v1alpha1.CutMessage(fmt.Sprintf("build %s is based on build %s: a new build is needed once the base is another build. That was %s",
		latest.Name, base.Name, base.Revocation.Explain()))
}

// nextRevocation returns when the latest successful build or the base is revoked. It is zero if neither is scheduled.
func (o Observed) nextRevocation(status *v1alpha1.ImageStatus) time.Time {
	next := o.RevokedFrom
	if latest := status.LatestSuccessful; latest != nil {
		if at := latest.Revoked.Pending(o.Now); next.IsZero() || !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return next
}
