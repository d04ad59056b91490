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
	"goldsmith.dev/goldsmith/apiserver/stored"
	"goldsmith.dev/goldsmith/apiserver/subresource"
)

// Rerunner gives an Image another build, of what an earlier one was made from. It is the Image's instantiate
// subresource, which alone gives numbers to builds.
type Rerunner interface {
	// Rerun returns the build of a request, which it creates unless it was created before. earlier has an imageRef.
	Rerun(ctx context.Context, earlier *images.ImageBuild, request *images.RerunRequest, options *metav1.CreateOptions) (runtime.Object, error)
}

// reruns serves the rerun subresource: it asks the Image of a build for another one like it.
type reruns struct {
	builds rest.Getter
	scope  *builder.Scope
}

func newRerun(builds rest.Getter, scope *builder.Scope) *subresource.Action[images.RerunRequest, *images.RerunRequest] {
	r := &reruns{builds: builds, scope: scope}
	return subresource.NewAction("rerunning imagebuild %s takes a RerunRequest", v1alpha1.ImageBuild{},
		subresource.Valid(images.Kind("RerunRequest"), validation.RerunRequest), r.rerun)
}

// rerun returns the build of a request, which it creates unless it was created before.
func (r *reruns) rerun(ctx context.Context, name string, request *images.RerunRequest, options *metav1.CreateOptions) (runtime.Object, error) {
	build, err := stored.GetBuild(ctx, r.builds, name)
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
