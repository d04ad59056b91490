// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/images"
	"goldsmith.dev/goldsmith/apiserver/images/validation"
)

// Rerunner gives an Image another build, of what an earlier one was made from. It is the Image's instantiate
// subresource, which alone gives numbers to builds.
type Rerunner interface {
	// Rerun returns the build of a request, which it creates unless it was created before. earlier has an imageRef.
	Rerun(ctx context.Context, earlier *images.ImageBuild, request *images.RerunRequest, options *metav1.CreateOptions) (runtime.Object, error)
}

// rerunREST is the rerun subresource: it asks the Image of a build for another one like it.
type rerunREST struct {
	builds rest.Getter
	scope  *builder.Scope
}

var (
	_ rest.NamedCreater    = &rerunREST{}
	_ rest.StorageMetadata = &rerunREST{}
)

// New returns an empty RerunRequest.
func (r *rerunREST) New() runtime.Object { return &images.RerunRequest{} }

// Destroy does nothing: the storage is the main resource's, which closes it.
func (r *rerunREST) Destroy() {}

// ProducesMIMETypes adds none.
func (r *rerunREST) ProducesMIMETypes(string) []string { return nil }

// ProducesObject says that the answer is a build.
func (r *rerunREST) ProducesObject(string) any { return v1alpha1.ImageBuild{} }

// Create returns the build of a request, which it creates unless it was created before.
func (r *rerunREST) Create(ctx context.Context, name string, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	request, ok := object.(*images.RerunRequest)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("rerunning imagebuild %s takes a RerunRequest, not a %T", name, object))
	}
	if errs := validation.RerunRequest(request, name); len(errs) > 0 {
		return nil, apierrors.NewInvalid(images.Kind("RerunRequest"), name, errs)
	}
	if validate != nil {
		if err := validate(ctx, request.DeepCopy()); err != nil {
			return nil, err
		}
	}
	build, err := getBuild(ctx, r.builds, name)
	if err != nil {
		return nil, err
	}
	if build.Spec.ImageRef == nil {
		return nil, apierrors.NewInvalid(images.Kind("RerunRequest"), name, field.ErrorList{
			field.Invalid(field.NewPath("metadata", "name"), name, "was created directly, as a build of no Image: create it again, under another name"),
		})
	}
	rerunner, ok := r.scope.Storage(images.Resource("images"), "instantiate").(Rerunner)
	if !ok {
		return nil, apierrors.NewInternalError(fmt.Errorf("rerunning imagebuild %s: images are not served", name))
	}
	return rerunner.Rerun(ctx, build, request, options)
}
