// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// canceller serves the cancel subresource: it records the request to cancel a build, once.
type canceller struct {
	builds store.Store[*v1alpha1.ImageBuild]
	clock  clock.PassiveClock
}

func newCancel(builds *resources.Store, scheme *runtime.Scheme, clock clock.PassiveClock) *subresource.Action[v1alpha1.CancelRequest, *v1alpha1.CancelRequest] {
	// The default strategy increments the generation and allows changes of the spec, which only this subresource makes.
	c := &canceller{builds: store.Of[*v1alpha1.ImageBuild](builds.WithUpdateStrategy(resources.NewDefaultStrategy(scheme, v1alpha1.SchemeGroupVersion))), clock: clock}
	return subresource.NewAction("imagebuilds/cancel", v1alpha1.ImageBuild{},
		subresource.Valid(v1alpha1.Kind("CancelRequest").GroupKind(), ValidateCancelRequest), c.cancel)
}

// cancel requests the cancellation of a build and returns the build. A build that has finished, or is being cancelled
// already, is not changed. If the request is to supersede the build, a started build is not changed either.
func (c *canceller) cancel(ctx context.Context, name string, request *v1alpha1.CancelRequest, options *metav1.CreateOptions) (runtime.Object, error) {
	return c.builds.Update(ctx, name, options.DryRun, func(ctx context.Context, build *v1alpha1.ImageBuild) error {
		switch {
		case build.Spec.CancelRequested != nil, build.Status.Phase.Finished():
			return nil
		case request.SupersededBy == "":
		case !waits(build):
			return nil
		default:
			if err := c.checkNewer(ctx, build, request.SupersededBy); err != nil {
				return err
			}
		}
		build.Spec.CancelRequested = &v1alpha1.CancelRequested{Reason: request.Reason, SupersededBy: request.SupersededBy}
		sign(ctx, c.clock, build.Spec.CancelRequested)
		return nil
	})
}

// sign sets the time and the user of a new request to cancel a build.
func sign(ctx context.Context, clock clock.PassiveClock, request *v1alpha1.CancelRequested) {
	request.Time, request.By = metav1.NewTime(clock.Now()).Rfc3339Copy(), resources.UserName(ctx)
}

// waits reports whether a build has no attempt yet.
func waits(build *v1alpha1.ImageBuild) bool {
	phase := build.Status.Phase
	return (phase == v1alpha1.BuildPending || phase == v1alpha1.BuildQueued) && len(build.Status.Attempts) == 0
}

// checkNewer refuses a request unless the superseding build is a newer build of the same Image. If that build is being
// cancelled or deleted, the error is a Conflict, because the client has not seen this yet.
func (c *canceller) checkNewer(ctx context.Context, build *v1alpha1.ImageBuild, name string) error {
	invalid := func(problem string) error {
		return apierrors.NewInvalid(v1alpha1.Kind("CancelRequest").GroupKind(), build.Name, field.ErrorList{
			field.Invalid(field.NewPath("supersededBy"), name, problem),
		})
	}
	if build.Spec.ImageRef == nil || build.Spec.Number == nil {
		return invalid(fmt.Sprintf("remove supersededBy: %s is not a build of an Image, and no build can supersede it", build.Name))
	}
	newer, err := c.builds.Get(ctx, name)
	switch {
	case apierrors.IsNotFound(err):
		return invalid("build not found: name a newer build of the same Image")
	case err != nil:
		return fmt.Errorf("cancel imagebuild %s: read imagebuild %s: %w", build.Name, name, err)
	case newer.Spec.ImageRef == nil || newer.Spec.ImageRef.UID != build.Spec.ImageRef.UID:
		return invalid(fmt.Sprintf("must be a build of the same Image: name a newer build of Image %s", build.Spec.ImageRef.Name))
	case newer.Spec.Number == nil || *newer.Spec.Number <= *build.Spec.Number:
		return invalid(fmt.Sprintf("must be a newer build of the Image: name a build with a number greater than %d", *build.Spec.Number))
	case newer.Spec.CancelRequested != nil, newer.DeletionTimestamp != nil, newer.Status.Phase == v1alpha1.BuildCancelled:
		return apierrors.NewConflict(v1alpha1.Resource("imagebuilds"), build.Name,
			fmt.Errorf("build %s, the value of supersededBy, is being cancelled or deleted: set supersededBy to the newest build of the Image, then try again", name))
	}
	return nil
}
