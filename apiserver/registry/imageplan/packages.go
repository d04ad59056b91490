// SPDX-License-Identifier: Apache-2.0

package imageplan

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// maxBases is how many bases of an Image are looked at. The server refuses more.
const maxBases = 32

// storedArchives are the Archives, which are cluster-scoped.
var storedArchives = v1alpha1.SchemeGroupVersion.WithResource("archives")

// packages describes what newer versions of packages do. It returns nil for an Image without triggers.onPackageChange.
func (p *planner) packages(ctx context.Context, observed trigger.Observed, decision trigger.Decision) (plan *v1alpha1.PackagesPlan, err error) {
	plan = trigger.PlanPackages(observed, decision)
	if plan != nil && decision.Status.Packages != nil {
		plan.CheckTime, err = p.checkTime(ctx, decision.Status.Packages.Archives)
	}
	return plan, err
}

// checkTime returns when the archive that was checked last was checked last. It is nil if an archive was not checked, or the user may not get it.
func (p *planner) checkTime(ctx context.Context, states []v1alpha1.ArchiveState) (oldest *metav1.Time, err error) {
	for i := range states {
		name := states[i].Name
		if forbidden, err := p.mayNotGet(ctx, storedArchives, "", name, "the time of its last check"); forbidden != nil || err != nil {
			return nil, err
		}
		archive, err := store.Get[*v1alpha1.Archive](ctx, p.archives, name)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		last := archive.Status.LastCheckTime
		if last == nil {
			return nil, nil
		}
		if oldest == nil || last.Before(oldest) {
			oldest = last
		}
	}
	return oldest, nil
}

// basePackages reports whether a base of an Image is built before the Image because of new packages, as the stored status of the bases tells.
func (p *planner) basePackages(ctx context.Context, image *v1alpha1.Image) (bool, error) {
	if image.Spec.Triggers.OnPackageChange == nil {
		return false, nil
	}
	for range maxBases {
		ref := image.Spec.Base.ImageRef
		if ref == nil || !*image.Spec.Triggers.OnBaseChange {
			return false, nil
		}
		base, err := p.sources.Base(ctx, ref.Name)
		if err != nil || base == nil {
			return false, err
		}
		base = base.DeepCopy() // the storage returns shared objects
		v1alpha1.SetObjectDefaults_Image(base)
		now := p.clock.Now()
		follows, coming := trigger.Follows(base, ref.Channel, now)
		if !follows || coming {
			return coming, nil
		}
		if trigger.PackagesDue(trigger.Observed{Image: base, Now: now}) {
			return true, nil
		}
		image = base
	}
	return false, nil
}
