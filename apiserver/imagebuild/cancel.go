// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/images"
	"goldsmith.dev/goldsmith/apiserver/images/validation"
)

// cancelREST is the cancel subresource: it records the request to cancel a build, once.
type cancelREST struct {
	builds *genericregistry.Store
	clock  clock.PassiveClock
}

var (
	_ rest.NamedCreater    = &cancelREST{}
	_ rest.StorageMetadata = &cancelREST{}
)

func newCancelREST(builds *builder.Store, scheme *runtime.Scheme, clock clock.PassiveClock) *cancelREST {
	store := *builds.Store
	// The default strategy counts the generation up and lets the spec change, as only this subresource may.
	store.UpdateStrategy = builder.NewDefaultStrategy(scheme, v1alpha1.SchemeGroupVersion)
	return &cancelREST{builds: &store, clock: clock}
}

// New returns an empty CancelRequest.
func (r *cancelREST) New() runtime.Object { return &images.CancelRequest{} }

// Destroy does nothing: the storage is the main resource's, which closes it.
func (r *cancelREST) Destroy() {}

// ProducesMIMETypes adds none.
func (r *cancelREST) ProducesMIMETypes(string) []string { return nil }

// ProducesObject says that the answer is the build.
func (r *cancelREST) ProducesObject(string) any { return v1alpha1.ImageBuild{} }

// Create asks for the build to be cancelled and returns it. A build that has finished, or is being cancelled already,
// is returned as it is.
func (r *cancelREST) Create(ctx context.Context, name string, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	request, ok := object.(*images.CancelRequest)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("cancelling imagebuild %s takes a CancelRequest, not a %T", name, object))
	}
	if errs := validation.CancelRequest(request, name); len(errs) > 0 {
		return nil, apierrors.NewInvalid(images.Kind("CancelRequest"), name, errs)
	}
	if validate != nil {
		if err := validate(ctx, request.DeepCopy()); err != nil {
			return nil, err
		}
	}
	cancel := rest.DefaultUpdatedObjectInfo(nil, func(ctx context.Context, _, old runtime.Object) (runtime.Object, error) {
		stored, err := asBuild(old)
		if err != nil {
			return nil, err
		}
		build := stored.DeepCopy()
		if build.Spec.CancelRequested == nil && !build.Status.Phase.Finished() {
			build.Spec.CancelRequested = &images.CancelRequested{
				Time:   metav1.NewTime(r.clock.Now()).Rfc3339Copy(),
				By:     userName(ctx),
				Reason: request.Reason,
			}
		}
		return build, nil
	})
	build, _, err := r.builds.Update(ctx, name, cancel, nil, nil, false, &metav1.UpdateOptions{DryRun: options.DryRun})
	return build, err
}
