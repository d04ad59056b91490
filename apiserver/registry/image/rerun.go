// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
)

const rerunResource = "imagebuilds/rerun"

// rerunREST is the subresource rerun of builds.
type rerunREST struct {
	*subresource.Action[v1alpha1.RerunRequest, *v1alpha1.RerunRequest]
}

var _ rest.SubresourceObjectMetaPreserver = rerunREST{}

// PreserveRequestObjectMetaSystemFieldsOnSubresourceCreate keeps the uid of a request, which is the uid of the build, as the
// uid of a Binding is that of the pod.
func (rerunREST) PreserveRequestObjectMetaSystemFieldsOnSubresourceCreate() bool { return true }

// Rerun returns the subresource rerun of builds. It instantiates the Image of the build, because only instantiate gives
// numbers to builds.
func (r *requests) Rerun() rest.Storage {
	return rerunREST{subresource.NewAction(rerunResource, v1alpha1.ImageBuild{},
		subresource.Valid(v1alpha1.Kind("RerunRequest").GroupKind(), ValidateRerunRequest), r.rerunBuildOf)}
}

// rerunBuildOf returns the build of a request, which it creates unless it was created before.
func (r *requests) rerunBuildOf(ctx context.Context, name string, request *v1alpha1.RerunRequest, options *metav1.CreateOptions) (runtime.Object, error) {
	build, err := r.earlier(ctx, name, request.UID)
	if err != nil {
		return nil, err
	}
	if build.Spec.ImageRef == nil {
		return nil, apierrors.NewInvalid(v1alpha1.Kind("RerunRequest").GroupKind(), name, field.ErrorList{
			field.Invalid(field.NewPath("metadata", "name"), name, "is not a build of an Image: create an ImageBuild with the same inputs and a new name"),
		})
	}
	return r.rerun(ctx, build, request, options)
}

// earlier returns the requested build: the existing build or, by its UID, the record of a deleted build.
func (r *requests) earlier(ctx context.Context, name string, uid types.UID) (*v1alpha1.ImageBuild, error) {
	build, err := r.builds.GetBuild(ctx, name)
	switch {
	case uid == "" || err == nil && build.UID == uid:
		return build, err
	case err != nil && !apierrors.IsNotFound(err):
		return nil, err
	}
	recorded, err := history.ReadBuild(ctx, r.Records, rerunResource, name, uid)
	switch {
	case err != nil:
		return nil, err
	case recorded.Summarized:
		return nil, apierrors.NewResourceExpired(fmt.Sprintf("imagebuild %q with UID %s cannot be rerun: the record no longer has the contents of its files, "+
			"because history.fileRetention of the image has passed: request a new build of the image, or rerun a later build", name, uid))
	}
	return recorded.ImageBuild, nil
}
