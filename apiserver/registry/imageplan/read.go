// SPDX-License-Identifier: Apache-2.0

package imageplan

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// resolve resolves the inputs of an Image as the controllers do, if the user may read the objects that they refer to.
func (p *planner) resolve(ctx context.Context, image *v1alpha1.Image) (*v1alpha1.ResolvedInputs, *v1alpha1.BuildFailure, error) {
	given, found := image.Spec.BuildInputs, inputs.Found{Source: image.Status.Source, Kept: p.kept}
	if refused := p.builders.Check(&given); refused != nil {
		return nil, refused, nil
	}
	if source := given.Source; source != nil && source.ConfigMapRef != nil {
		forbidden, err := p.mayNotGet(ctx, configMaps, image.Namespace, source.ConfigMapRef.Name, "source.configMapRef")
		if forbidden != nil || err != nil {
			return nil, forbidden, err
		}
		found.ConfigMap, err = p.sources.ConfigMap(ctx, image.Namespace, source.ConfigMapRef.Name)
		if err != nil {
			return nil, nil, err
		}
	}
	if ref := given.Base.ImageRef; ref != nil {
		forbidden, err := p.mayNotGetBase(ctx, image.Namespace, ref.Name)
		if forbidden != nil || err != nil {
			return nil, forbidden, err
		}
		base, err := p.sources.Base(ctx, ref.Name)
		if err != nil {
			return nil, nil, err
		}
		found.Base = base
		if found.Revoked, err = p.sources.Revoked(ctx, ref, base); err != nil {
			return nil, nil, err
		}
	}
	resolved, unresolved := inputs.Resolve(given, found)
	if unresolved == nil {
		unresolved = p.builders.CheckTests(inputs.NextBuild(image, metav1.NewTime(p.clock.Now())))
	}
	if unresolved == nil {
		unresolved = inputs.CheckTestFiles(image.Spec.Tests, given, resolved)
	}
	if unresolved != nil {
		if unresolved.Reason == v1alpha1.ReasonSourceUnresolved {
			unresolved = inputs.ImageNotChecked(image, inputs.CheckFollows+" after the image is stored")
		}
		return nil, unresolved, nil
	}
	return resolved, nil, nil
}

// The resources that plans read with the permissions of the server, and only for users with permission to read them.
var (
	configMaps   = corev1.SchemeGroupVersion.WithResource("configmaps")
	storedImages = v1alpha1.SchemeGroupVersion.WithResource("images")
)

// mayNotGetBase returns a failure if the user may not get a base Image, or nil.
func (p *planner) mayNotGetBase(ctx context.Context, namespace, name string) (*v1alpha1.BuildFailure, error) {
	return p.mayNotGet(ctx, storedImages, namespace, name, "base.imageRef")
}

// mayNotGet returns a failure if the user may not get an object that the plan would reveal, or nil. The failure does not
// reveal whether the object exists. role is what the plan needs the object for.
func (p *planner) mayNotGet(ctx context.Context, resource schema.GroupVersionResource, namespace, name, role string) (*v1alpha1.BuildFailure, error) {
	user := resources.UserName(ctx)
	allowed, err := p.scope.UserMayGet(ctx, resource, "", namespace, name)
	switch {
	case err != nil:
		return nil, apierrors.NewInternalError(fmt.Errorf("check whether %s may get %s %s/%s: %w", user, resource.Resource, namespace, name, err))
	case allowed:
		return nil, nil
	}
	return &v1alpha1.BuildFailure{Class: v1alpha1.FailureConfig, Reason: reasonForbidden, Message: fmt.Sprintf(
		"user %q may not get %s %q in namespace %q, which the plan needs for %s; an administrator can grant the permission", user, resource.Resource, name, namespace, role)}, nil
}
