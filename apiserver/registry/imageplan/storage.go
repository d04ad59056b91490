// SPDX-License-Identifier: Apache-2.0

package imageplan

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Options are the options of plans.
type Options struct {
	// Builders reads the builders that the operator allows, which are the same as for the controllers. It is called once, before
	// the server serves. Defaults to none.
	Builders func() (inputs.Builders, error)
	// Clock tells the time. Defaults to the real one.
	Clock clock.PassiveClock
	// Policy is the operator's policy. Defaults to allowing everything but Kueue.
	Policy validation.Policy
	// Kept reports whether the server keeps the content with a digest. If it is nil, the server keeps no artifacts.
	Kept func(digest string) bool
	// Archives reads Archives. If it is nil, plans do not report when archives were checked.
	Archives rest.Getter
	// Queue returns what a build that were created now would wait for, or "". If it is nil, plans do not tell.
	Queue func(ctx context.Context, build *v1alpha1.ImageBuild) (string, error)
}

// NewStorage creates the resource imageplans.
func NewStorage(scope *resources.Scope, from *image.REST, builds *imagebuild.Store, options Options) (*REST, error) {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	planner := &planner{scope: scope, images: from, builds: builds, sources: from.Sources(), clock: options.Clock, policy: options.Policy, kept: options.Kept,
		archives: options.Archives, queue: options.Queue}
	if options.Builders != nil {
		var err error
		if planner.builders, err = options.Builders(); err != nil {
			return nil, fmt.Errorf("read builders: %w", err)
		}
	}
	handler := resources.NewCreateOnly(resources.CreateOnly[*v1alpha1.ImagePlan]{
		New:      func() *v1alpha1.ImagePlan { return &v1alpha1.ImagePlan{} },
		Singular: "imageplan",
		Answer:   planner.answer,
	})
	return &REST{CreateOnlyHandler: handler, planner: planner}, nil
}

// REST is the resource imageplans.
type REST struct {
	*resources.CreateOnlyHandler[*v1alpha1.ImagePlan]
	planner *planner
}

// answer plans an Image as it would be applied. If the user may not get the Image of this name, the plan is the same whether
// the Image exists or not, and contains only the reason.
func (p *planner) answer(ctx context.Context, plan *v1alpha1.ImagePlan) (runtime.Object, error) {
	if plan.Name == "" {
		return nil, invalid("", field.ErrorList{field.Required(field.NewPath("metadata", "name"), "name the Image, which need not exist")})
	}
	forbidden, err := p.mayNotGet(ctx, storedImages, apirequest.NamespaceValue(ctx), plan.Name, "the comparison with the stored Image")
	if err != nil {
		return nil, err
	}
	var before *v1alpha1.Image
	if forbidden == nil {
		if before, err = store.Get[*v1alpha1.Image](ctx, p.images, plan.Name); err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
	}
	image, errs := p.applied(ctx, plan, before)
	if len(errs) > 0 {
		return nil, invalid(plan.Name, errs)
	}
	if forbidden != nil {
		return p.refuse(image, forbidden)
	}
	hidden, errs := p.checkCycle(ctx, image)
	if len(errs) > 0 {
		return nil, invalid(plan.Name, errs)
	}
	for _, text := range validation.InputWarnings(&image.Spec.BuildInputs, field.NewPath("spec")) {
		warning.AddWarning(ctx, "", text)
	}
	for _, text := range validation.TestWarnings(image.Spec.Tests, nil, p.clock.Now(), field.NewPath("spec", "tests")) {
		warning.AddWarning(ctx, "", text)
	}
	return p.plan(ctx, image, hidden)
}

// checkCycle refuses an Image whose base leads back to it. The search ends at an Image that the user may not get, which
// hidden reports.
func (p *planner) checkCycle(ctx context.Context, planned *v1alpha1.Image) (hidden *v1alpha1.BuildFailure, errs field.ErrorList) {
	errs = image.ValidateBases(planned, func(name string) (*v1alpha1.Image, error) {
		forbidden, err := p.mayNotGetBase(ctx, planned.Namespace, name)
		if err != nil {
			return nil, err
		}
		if forbidden != nil {
			hidden = forbidden
			return nil, apierrors.NewNotFound(v1alpha1.Resource("images"), name)
		}
		return store.Get[*v1alpha1.Image](ctx, p.images, name)
	})
	return hidden, errs
}

// applied is the Image as it would be if the plan's spec were applied. stored is nil if the Image does not exist. The plan's
// metadata is checked as the metadata of an Image, and has no other effect.
func (p *planner) applied(ctx context.Context, plan *v1alpha1.ImagePlan, stored *v1alpha1.Image) (*v1alpha1.Image, field.ErrorList) {
	planned := &v1alpha1.Image{Spec: plan.Spec, ObjectMeta: metav1.ObjectMeta{
		Name: plan.Name, Namespace: apirequest.NamespaceValue(ctx), Generation: 1,
		Labels: plan.Labels, Annotations: plan.Annotations, Finalizers: plan.Finalizers,
	}}
	if stored == nil {
		return planned, append(image.Validate(planned), p.policy.Image(planned)...)
	}
	errs := apivalidation.ValidateObjectMeta(&planned.ObjectMeta, true, apivalidation.NameIsDNSLabel, field.NewPath("metadata"))
	planned = stored.DeepCopy()
	planned.Spec, planned.Labels = plan.Spec, plan.Labels
	if !sameSpec(planned, stored) {
		planned.Generation++
	}
	return planned, append(errs, p.scope.Ratchet(planned, stored, func(object runtime.Object) field.ErrorList {
		planned := object.(*v1alpha1.Image)
		return append(image.ValidateUpdate(planned, stored), p.policy.Image(planned)...)
	})...)
}

func invalid(name string, errs field.ErrorList) error {
	return apierrors.NewInvalid(v1alpha1.Kind("ImagePlan").GroupKind(), name, errs)
}
