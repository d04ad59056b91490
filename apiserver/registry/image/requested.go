// SPDX-License-Identifier: Apache-2.0

package image

import (
	"cmp"
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
)

// Request answers a build that a user creates as the subresource instantiate or rerun answers a request, with the same
// permissions. Clients that only create and patch objects, such as Argo CD, request builds so.
func (r *requests) Request(ctx context.Context, wanted *v1alpha1.ImageBuild, options *metav1.CreateOptions) (runtime.Object, error) {
	kind, trigger := v1alpha1.Kind("ImageBuild").GroupKind(), field.NewPath("spec", "trigger")
	defaults := &v1alpha1.ImageBuild{}
	v1alpha1.SetObjectDefaults_ImageBuild(defaults)
	if errs := imagebuild.ValidateRequested(wanted, &defaults.Spec); len(errs) > 0 {
		return nil, apierrors.NewInvalid(kind, wanted.GenerateName, errs)
	}
	image, asked := wanted.Spec.ImageRef, cmp.Or(wanted.Spec.Trigger, &v1alpha1.BuildTrigger{})
	invalid := func(errs field.ErrorList) error {
		return subresource.Invalid(kind, wanted.GenerateName, below(trigger, errs))
	}
	if asked.RerunOf == "" {
		if err := subresource.CheckMayCreate(ctx, r.scope, "images", "instantiate", image.Name); err != nil {
			return nil, err
		}
		request := &v1alpha1.BuildRequest{
			RequestID: asked.RequestID, Reason: cmp.Or(asked.Reason, v1alpha1.TriggerManual), Message: asked.Message,
			Parameters: asked.Parameters,
		}
		if err := r.admit(ctx, image.Name, request, options, invalid); err != nil {
			return nil, err
		}
		return r.build(ctx, image.Name, image.UID, request, options)
	}
	if err := subresource.CheckMayCreate(ctx, r.scope, "imagebuilds", "rerun", asked.RerunOf); err != nil {
		return nil, err
	}
	request := &v1alpha1.RerunRequest{RequestID: asked.RequestID, Message: asked.Message}
	err := subresource.Created{
		Kind: v1alpha1.Kind("RerunRequest"), Resource: "imagebuilds", Subresource: "rerun", Name: asked.RerunOf, Object: request, Options: options,
	}.Admit(ctx, r.scope, func() error { return invalid(ValidateRerunRequest(request, asked.RerunOf)) })
	if err != nil {
		return nil, err
	}
	earlier, err := r.earlier(ctx, asked.RerunOf, "")
	if err != nil {
		return nil, err
	}
	if ref := earlier.Spec.ImageRef; ref == nil || ref.Name != image.Name || image.UID != "" && image.UID != ref.UID {
		return nil, apierrors.NewInvalid(kind, wanted.GenerateName, field.ErrorList{
			field.Invalid(trigger.Child("rerunOf"), asked.RerunOf, "is not a build of Image "+image.Name+": name a build of the Image"),
		})
	}
	return r.rerun(ctx, earlier, request, options)
}

// below sets the path of the object in which the fields of a request are.
func below(path *field.Path, errs field.ErrorList) field.ErrorList {
	for _, err := range errs {
		err.Field = path.Child(err.Field).String()
	}
	return errs
}
