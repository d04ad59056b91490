// SPDX-License-Identifier: Apache-2.0

package state

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// revoked reports whether the build is revoked. An unfinished build then ends as a cancelled build does, but it never succeeds, even if its artifacts
// are made.
func (t *transition) revoked() bool { return v1alpha1.Revoked(t.Build, t.Now) }

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
		t.condition(v1alpha1.BuildRevoked, metav1.ConditionFalse, v1alpha1.ReasonRestored, stored.Message)
	}
}

// wasRevoked reports whether a build that is being cancelled was revoked, and perhaps restored since.
func (t *transition) wasRevoked() bool {
	return t.revoked() || meta.FindStatusCondition(t.Build.Status.Conditions, v1alpha1.BuildRevoked) != nil
}
