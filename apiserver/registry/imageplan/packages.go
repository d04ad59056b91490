// SPDX-License-Identifier: Apache-2.0

package imageplan

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// storedArchives are the Archives, which are cluster-scoped.
var storedArchives = v1alpha1.SchemeGroupVersion.WithResource("archives")

// packages describes what newer versions of packages do. It returns nil for an Image without triggers.onPackageChange.
func (p *planner) packages(ctx context.Context, observed trigger.Observed, decision trigger.Decision) (*v1alpha1.PackagesPlan, error) {
	plan := trigger.PlanPackages(observed, decision)
	if plan == nil || decision.Status.Packages == nil {
		return plan, nil
	}
	archives, err := p.archivesOf(ctx, decision.Status.Packages)
	if err != nil {
		return nil, err
	}
	for i, archive := range archives {
		last := archive.Status.LastCheckTime
		if i == 0 || plan.CheckTime != nil && last.Before(plan.CheckTime) {
			plan.CheckTime = last
		}
		if ready := meta.FindStatusCondition(archive.Status.Conditions, v1alpha1.ArchiveReady); ready != nil && ready.Status == metav1.ConditionFalse {
			plan.Message += fmt.Sprintf("; archive %s cannot be checked: %s", archive.Name, ready.Message)
		}
	}
	return plan, nil
}

// archivesOf returns the archives of packages, or none if one of them does not exist, or the user may not get it.
func (p *planner) archivesOf(ctx context.Context, of *v1alpha1.ImagePackages) (archives []*v1alpha1.Archive, err error) {
	for i := range of.Archives {
		name := of.Archives[i].Name
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
		archives = append(archives, archive)
	}
	return archives, nil
}

// basePackages reports whether a base of an Image is built before the Image because of new packages, as the stored status of the bases tells.
func (p *planner) basePackages(ctx context.Context, image *v1alpha1.Image) (bool, error) {
	if image.Spec.Triggers.OnPackageChange == nil {
		return false, nil
	}
	now := p.clock.Now()
	read := func(name string) (*v1alpha1.Image, error) { return p.sources.Base(ctx, name) }
	return trigger.BaseComing(image, now, read, func(base *v1alpha1.Image) (bool, error) {
		return trigger.PackagesDue(trigger.Observed{Image: base, Now: now}), nil
	})
}
