// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/jobs/catalog/metadata"
)

// Delete deletes the Image of an object.
func (r *REST) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions) (runtime.Object, bool, error) {
	image, err := r.owned(ctx, name)
	if err != nil {
		return nil, false, err
	}
	own := options.DeepCopy()
	if requested := options.Preconditions; requested != nil {
		if err := r.checkDeletion(image, requested); err != nil {
			return nil, false, err
		}
		if requested.UID != nil {
			own.Preconditions.UID = &image.UID
		}
	}
	attributes := r.imageAttributes(ctx, name, nil, nil, admission.Delete, options, options.DryRun)
	result, now, err := r.images.Delete(ctx, name, r.deleteValidation(attributes, validate), own)
	if err != nil {
		return nil, false, err
	}
	result, err = r.deleted(result)
	return result, now, err
}

// checkDeletion checks preconditions with the messages of the library, which would name the Image.
func (r *REST) checkDeletion(image *v1alpha1.Image, requested *metav1.Preconditions) error {
	var err error
	if uid := metadata.ViewUID(image.UID); requested.UID != nil && *requested.UID != uid {
		err = fmt.Errorf("the UID in the precondition (%s) does not match the UID in record (%s). The object might have been deleted and then recreated", *requested.UID, uid)
	} else if requested.ResourceVersion != nil && *requested.ResourceVersion != image.ResourceVersion {
		err = fmt.Errorf("the ResourceVersion in the precondition (%s) does not match the ResourceVersion in record (%s). The object might have been modified",
			*requested.ResourceVersion, image.ResourceVersion)
	}
	if err == nil {
		return nil
	}
	kind := r.kind.GroupVersionKind()
	return apierrors.NewConflict(schema.GroupResource{Group: kind.Group, Resource: kind.Kind}, image.Name, err)
}

// deleted returns the answer to a deletion in the terms of the kind.
func (r *REST) deleted(result runtime.Object) (runtime.Object, error) {
	switch result := result.(type) {
	case *v1alpha1.Image: // finalizers delay the deletion
		return r.written(result)
	case *metav1.Status:
		if result.Details != nil {
			result.Details.UID = metadata.ViewUID(result.Details.UID)
		}
	}
	return result, nil
}

// DeleteCollection deletes the Images of the selected objects.
func (r *REST) DeleteCollection(ctx context.Context, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions,
	listOptions *internalversion.ListOptions) (runtime.Object, error) {
	selected, err := r.selected(listOptions)
	if err != nil {
		return nil, err
	}
	attributes := r.imageAttributes(ctx, "", nil, nil, admission.Delete, options, options.DryRun)
	object, err := r.images.DeleteCollection(ctx, r.deleteValidation(attributes, validate), options, selected)
	if err != nil {
		return nil, err
	}
	images, err := store.As[*v1alpha1.ImageList](object)
	if err != nil {
		return nil, err
	}
	return r.listOf(images)
}
