// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// PlanPackages describes what newer versions of packages do for an Image with triggers.onPackageChange, and the decision about that Image. It
// returns nil for other Images. It does not set CheckTime.
func PlanPackages(o Observed, d Decision) *v1alpha1.PackagesPlan {
	if o.Image.Spec.Triggers.OnPackageChange == nil {
		return nil
	}
	of := updates(&d.Status)
	if len(of) == 0 {
		return o.planWithoutUpdates(d)
	}
	plan := &v1alpha1.PackagesPlan{Updates: of, UpdateCount: d.Status.Packages.UpdateCount}
	why, at := o.packagesPrevention(of, &d.Status)
	switch {
	case d.Request != nil && d.Retests == nil:
		plan.Reason, plan.Message = d.Reason, "a build with them would start now"
	case o.Unresolved != nil:
		plan.Reason, plan.Message = d.Reason, "no build starts until the inputs resolve"
	case why.reason == "":
		plan.Reason, plan.Message = v1alpha1.ReasonPackagesChanged, "a build with them starts next"
	default:
		plan.Reason, plan.Message = why.reason, why.message
		if !at.IsZero() {
			plan.StartTime = apiTime(at)
		}
	}
	return plan
}

// StoredHold returns why a build of an Image waits for a paused rollout, as its stored status tells, or nil. Only the controller knows the builds of
// other Images.
func StoredHold(image *v1alpha1.Image) *Hold {
	stored := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImagePackagesUpToDate)
	if stored == nil || stored.Reason != v1alpha1.ReasonRolloutPaused {
		return nil
	}
	_, message, _ := strings.Cut(stored.Message, ", but ")
	return &Hold{Paused: true, Message: cmp.Or(message, "builds of other images with the same packages failed")}
}

// planWithoutUpdates describes why no version starts a build: by the stored condition, because only the controller knows the archives.
func (o Observed) planWithoutUpdates(d Decision) *v1alpha1.PackagesPlan {
	if build := newest(o.Builds, unfinishedForPackages); build != nil {
		its := build.Spec.Trigger.Packages
		return &v1alpha1.PackagesPlan{
			Reason: unfinishedReason(build.Status.Phase), Message: fmt.Sprintf("build %s was started for them, and has not finished", build.Name),
			Updates: its.Updates, UpdateCount: its.UpdateCount,
		}
	}
	if again := o.nextPackages(); !again.IsZero() {
		return &v1alpha1.PackagesPlan{
			Reason: v1alpha1.ReasonPackagesKept, StartTime: apiTime(again),
			Message: fmt.Sprintf("build %s failed, and is no fault of the image: its packages can start another build at %s",
				newest(o.Builds, forPackages).Name, again.UTC().Format(time.RFC3339)),
		}
	}
	if stored := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ImagePackagesUpToDate); stored != nil {
		return &v1alpha1.PackagesPlan{Reason: stored.Reason, Message: stored.Message}
	}
	return &v1alpha1.PackagesPlan{
		Reason:  v1alpha1.ReasonPackagesUnknown,
		Message: fmt.Sprintf("the controller has not compared the packages of build %s with their archives yet", d.Status.LatestSuccessful.Name),
	}
}
