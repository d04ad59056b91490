// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/dryrun"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/registry/templateaccess"
)

// imageAttributes describes the write of an Image, as a write by a client of the resource images would be described. object is nil for a
// deletion, old for a creation.
func (r *REST) imageAttributes(ctx context.Context, name string, object, old *v1alpha1.Image, operation admission.Operation,
	options runtime.Object, dryRun []string) admission.Attributes {
	user, _ := apirequest.UserFrom(ctx)
	return admission.NewAttributesRecord(orNil(object), orNil(old), v1alpha1.Kind("Image"), apirequest.NamespaceValue(ctx), name,
		v1alpha1.SchemeGroupVersion.WithResource("images"), "", operation, options, dryrun.IsDryRun(dryRun), user)
}

// orNil returns an interface that is nil if the pointer is.
func orNil(image *v1alpha1.Image) runtime.Object {
	if image == nil {
		return nil
	}
	return image
}

// granting returns a context in which the objects that the kind's template names need no permissions of the user: the author of the kind
// has granted them to its users.
func (r *REST) granting(ctx context.Context) context.Context {
	return templateaccess.Granting(ctx, &r.kind.Template().BuildInputs)
}

// mutate runs the mutating admission of Images, which can change the Image.
func (r *REST) mutate(ctx context.Context, attributes admission.Attributes) error {
	return subresource.Mutate(r.granting(ctx), r.admission, attributes, r.objects)
}

// validation returns the validating admission of both resources for an object that is created or deleted: that of Images, and then that of
// the kind, which the library's handlers pass to a storage.
func (r *REST) validation(attributes admission.Attributes, ofKind rest.ValidateObjectFunc) rest.ValidateObjectFunc {
	ofImages := rest.AdmissionToValidateObjectFunc(r.admission, attributes, r.objects)
	return func(ctx context.Context, object runtime.Object) error {
		if err := ofImages(r.granting(ctx), object); err != nil {
			return err
		}
		return r.validateView(ctx, object, ofKind)
	}
}

func (r *REST) validateView(ctx context.Context, object runtime.Object, ofKind rest.ValidateObjectFunc) error {
	if ofKind == nil {
		return nil
	}
	view, err := r.written(object)
	if err != nil {
		return err
	}
	return ofKind(ctx, view)
}

// updateValidation is validation for an object that is changed.
func (r *REST) updateValidation(attributes admission.Attributes, ofKind rest.ValidateObjectUpdateFunc) rest.ValidateObjectUpdateFunc {
	ofImages := rest.AdmissionToValidateObjectUpdateFunc(r.admission, attributes, r.objects)
	return func(ctx context.Context, object, old runtime.Object) error {
		if err := ofImages(r.granting(ctx), object, old); err != nil {
			return err
		}
		if ofKind == nil {
			return nil
		}
		view, err := r.written(object)
		if err != nil {
			return err
		}
		before, err := r.written(old)
		if err != nil {
			return err
		}
		return ofKind(ctx, view, before)
	}
}

// deleteValidation is validation for an object that is deleted. An Image that is no longer of the kind is not found.
func (r *REST) deleteValidation(attributes admission.Attributes, ofKind rest.ValidateObjectFunc) rest.ValidateObjectFunc {
	ofImages := rest.AdmissionToValidateObjectDeleteFunc(r.admission, attributes, r.objects)
	return func(ctx context.Context, object runtime.Object) error {
		image, err := store.As[*v1alpha1.Image](object)
		if err != nil {
			return err
		}
		if !r.kind.Owns(image) {
			return apierrors.NewNotFound(r.resource(), image.Name)
		}
		if err := ofImages(ctx, object); err != nil {
			return err
		}
		return r.validateView(ctx, object, ofKind)
	}
}
