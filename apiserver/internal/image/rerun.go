// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/apiserver/internal/images/validation"
	"goldsmith.dev/goldsmith/apiserver/internal/subresource"
)

// Rerun returns the subresource rerun of builds: it asks the Image of a build, which alone gives numbers to builds, for another
// one like it.
func (s *Store) Rerun() *subresource.Action[images.RerunRequest, *images.RerunRequest] {
	return subresource.NewAction("rerunning imagebuild %s takes a RerunRequest", v1alpha1.ImageBuild{},
		subresource.Valid(images.Kind("RerunRequest"), validation.RerunRequest), s.instantiate.rerunBuildOf)
}

// rerunBuildOf returns the build of a request, which it creates unless it was created before.
func (r *instantiateREST) rerunBuildOf(ctx context.Context, name string, request *images.RerunRequest, options *metav1.CreateOptions) (runtime.Object, error) {
	build, err := r.builds.GetBuild(ctx, name)
	if err != nil {
		return nil, err
	}
	if build.Spec.ImageRef == nil {
		return nil, apierrors.NewInvalid(images.Kind("RerunRequest"), name, field.ErrorList{
			field.Invalid(field.NewPath("metadata", "name"), name, "was created directly, as a build of no Image: create it again, under another name"),
		})
	}
	return r.rerun(ctx, build, request, options)
}
