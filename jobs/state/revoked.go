// SPDX-License-Identifier: Apache-2.0

package state

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// revoked reports whether the build is revoked. An unfinished build then ends as a cancelled build does, but it never succeeds, even if its artifacts
// are made.
func (t *transition) revoked() bool { return v1alpha1.Revoked(t.Build, t.Now) }

// endRemade ends a build as cancelled if a revoked build has one of its artifacts, and reports whether it did. A build that reproduces another build does
// not end so, because it is to make the same artifacts.
func (t *transition) endRemade(artifacts []v1alpha1.Artifact) bool {
	for i := range t.Revoked {
		of := &t.Revoked[i]
		if t.Build.Spec.Reproduces != nil || !v1alpha1.Revoked(of, t.Now) || !inputs.Overlap(artifacts, of.Status.Artifacts) {
			continue
		}
		remedy := "goldsmith unrevoke " + of.Name
		if of.UID == "" { // it may be deleted, and another build may have its name
			remedy = "delete its RevokedArtifact"
		}
		t.finish(v1alpha1.BuildCancelled, v1alpha1.ReasonRevoked.Failure(
			"an artifact is one of build %s, which is revoked: change the image, or take that back: %s. It was %s", of.Name, remedy, of.Status.Revoked.Explain()))
		return true
	}
	return false
}

// inheritRevocation schedules the revocation of a build that succeeds with that of the builds with which it shares an artifact, unless its revocation is
// scheduled already.
func (t *transition) inheritRevocation() {
	for i := range t.Revoked {
		of := &t.Revoked[i]
		own, other := t.status.Revoked, of.Status.Revoked
		earlier := t.Build.Status.Revoked == nil && !other.InEffect(t.Now) && (own == nil || other.Since().Before(own.Since()))
		if earlier && inputs.Overlap(t.status.Artifacts, of.Status.Artifacts) {
			t.status.Revoked = other.DeepCopy()
			t.status.Revoked.Origin = of.Name
		}
	}
}

// reportRevocation sets the condition Revoked, and reconciles the build when its revocation takes effect. After a restore the condition is Unknown,
// with the message to keep.
func (t *transition) reportRevocation() {
	revoked := t.Build.Status.Revoked
	stored := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildRevoked)
	switch {
	case revoked.InEffect(t.Now):
		t.condition(v1alpha1.BuildRevoked, metav1.ConditionTrue, string(v1alpha1.ReasonRevoked), v1alpha1.CutMessage(revoked.Explain()))
	case revoked != nil:
		t.condition(v1alpha1.BuildRevoked, metav1.ConditionFalse, v1alpha1.ReasonRevocationScheduled,
			v1alpha1.CutMessage("from "+revoked.Since().UTC().Format(time.RFC3339)+" on: "+revoked.Explain()))
		if left := revoked.Since().Sub(t.Now); t.after == 0 || left < t.after {
			t.after = left
		}
	case stored != nil && stored.Status != metav1.ConditionFalse:
		restored := stored.LastTransitionTime // by the clock of the server, as the time of the revocation
		t.condition(v1alpha1.BuildRevoked, metav1.ConditionFalse, v1alpha1.ReasonRestored, stored.Message)
		meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildRevoked).LastTransitionTime = restored
	}
}

// wasRevoked reports whether a build that is being cancelled was revoked, and perhaps restored since.
func (t *transition) wasRevoked() bool {
	condition := meta.FindStatusCondition(t.Build.Status.Conditions, v1alpha1.BuildRevoked)
	return t.revoked() || condition != nil && condition.Reason != v1alpha1.ReasonRevocationScheduled
}
