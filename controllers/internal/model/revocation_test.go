// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// revokeOrRestore revokes a build, now or later, or restores a build that is revoked.
func (w *environment) revokeOrRestore(build *v1alpha1.ImageBuild, how int) {
	next := *build
	if build.Status.Revoked == nil {
		next.Status.Revoked = &v1alpha1.Revocation{Time: w.time(), By: "person", Reason: "bad"}
		if how%4 == 0 {
			next.Status.Revoked.EffectiveTime = new(metav1.NewTime(w.time().Add(time.Duration(how%90) * time.Second)))
		}
	} else {
		next.Status.Revoked = nil
		next.Status.Conditions = slices.Clone(build.Status.Conditions)
		meta.SetStatusCondition(&next.Status.Conditions, metav1.Condition{
			Type: v1alpha1.BuildRevoked, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonRestored, Message: "restored by person", LastTransitionTime: w.time(),
		})
		w.cover.point("a build is restored")
	}
	put(w, &w.builds, &next)
	if build.Spec.ImageRef != nil {
		w.truth.moved[build.Spec.ImageRef.Name]++
		w.othersMove(build.Spec.ImageRef.Name)
	}
}

// isRevoked reports whether a build is revoked for everybody, whatever their clocks tell.
func (w *environment) isRevoked(build *v1alpha1.ImageBuild) bool {
	return v1alpha1.Revoked(build, w.now.Add(-longestTurnBack))
}

// revocation is that of the build that a reference to a base selects, if it is in effect.
func (w *environment) revocation(ref *v1alpha1.BaseImageReference, base *v1alpha1.Image) *v1alpha1.Revocation {
	name, _ := inputs.SelectedBuild(ref, base)
	build, _ := w.builds.get(name)
	if revoked := inputs.RevocationOf(name, base, build); revoked.InEffect(w.now) {
		return revoked
	}
	return nil
}

// checkRevoked holds that a build that is revoked does not succeed, and that no build takes a revoked build as its base, or starts with it. A write may have been
// decided on before something else happened: the server refuses it only if the build itself has changed.
func (w *environment) checkRevoked(build *v1alpha1.ImageBuild, before, after *v1alpha1.ImageBuildStatus) {
	switch failure := after.Failure; {
	case after.Phase == v1alpha1.BuildSucceeded && before.Phase != v1alpha1.BuildSucceeded && w.isRevoked(build):
		w.broken("%s is revoked, and succeeds", build.Name)
	case failure != nil && failure.Reason == v1alpha1.ReasonRevoked && after.Phase != v1alpha1.BuildCancelled:
		w.broken("%s was revoked, and is %s", build.Name, after.Phase)
	}
	if w.faults.interjected || w.arrivesLate {
		return
	}
	if of := build.Spec.Retests; of != nil {
		tested, ok := w.builds.get(of.Name)
		if ok && tested.UID == of.UID && w.isRevoked(tested) && before.Phase != v1alpha1.BuildTesting && after.Phase == v1alpha1.BuildTesting {
			w.broken("%s tests the artifacts of %s again, which is revoked", build.Name, tested.Name)
		}
		return // it uses the artifacts of the tested build, and not the base
	}
	begins := before.Resolved == nil || len(before.Attempts) == 0 && len(after.Attempts) > 0
	if !begins || after.Resolved == nil || after.Resolved.Base == nil || build.Spec.Reproduces != nil {
		return
	}
	base, ok := w.builds.get(after.Resolved.Base.Name)
	if ok && inputs.IsBase(base, after.Resolved.Base) && w.isRevoked(base) {
		w.broken("%s resolves its base to %s, which is revoked", build.Name, base.Name)
	}
}

// checkRevocations holds that everything tells in the end which builds are revoked.
func (w *environment) checkRevocations() {
	for _, build := range w.builds.all {
		condition := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildRevoked)
		switch told := condition != nil && condition.Status == metav1.ConditionTrue; {
		case condition != nil && condition.Status == metav1.ConditionUnknown, told != v1alpha1.Revoked(build, w.now):
			w.broken("%s is revoked %t, and its condition is %+v", build.Name, v1alpha1.Revoked(build, w.now), condition)
		case told && build.Status.Phase == v1alpha1.BuildSucceeded:
			w.cover.point("a successful build is revoked")
		}
	}
	for _, image := range w.images.all {
		latest := image.Status.LatestSuccessful
		if latest == nil || image.DeletionTimestamp != nil {
			continue
		}
		build, ok := w.builds.get(latest.Name)
		if !ok || build.Spec.ImageRef == nil || build.Spec.ImageRef.UID != image.UID {
			continue
		}
		base, whole := inputs.RevokedBase(build, func(name string) *v1alpha1.ImageBuild {
			found, _ := w.builds.get(name)
			return found
		}, w.now)
		switch {
		case base != nil && (latest.RevokedBase == nil || latest.RevokedBase.Name != base.Name), base == nil && whole && latest.RevokedBase != nil:
			w.broken("%s is based on the revoked build %v, and its image tells %v", build.Name, base, latest.RevokedBase)
		case base == nil && latest.RevokedBase != nil && w.isRestored(latest.RevokedBase.Name):
			w.broken("%s was restored, and the image of %s tells that it is revoked", latest.RevokedBase.Name, build.Name)
		case base != nil:
			w.cover.point("an image tells that its base is revoked")
		}
	}
}

// isRestored reports whether a build exists, and is not revoked.
func (w *environment) isRestored(name string) bool {
	build, ok := w.builds.get(name)
	return ok && !v1alpha1.Revoked(build, w.now)
}
