// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	ctrl "sigs.k8s.io/controller-runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/resolution"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// errNotDue means that the server requests no such build now. Its clock may be behind, or an object has changed meanwhile.
var errNotDue = errors.New("the server requests no such build now")

// ask requests the build that is due. It returns true if an event of the build, or of a build that the cache lacks, will follow.
// Otherwise the build was deleted, and ask returns the status to store.
func (r *reconciler) ask(ctx context.Context, image *v1alpha1.Image, builds []v1alpha1.ImageBuild, decision trigger.Decision) (bool, v1alpha1.ImageStatus, error) {
	live, err := r.confirm(ctx, image, decision.Status.InputsDigest)
	if err != nil {
		return false, v1alpha1.ImageStatus{}, err
	}
	if unseen, err := r.hasUncachedBuild(ctx, live, builds, decision.Status); err != nil || unseen {
		return unseen, v1alpha1.ImageStatus{}, err
	}
	build, err := r.Client.ImagesV1alpha1().Images(image.Namespace).Instantiate(ctx, image.Name, decision.Request, metav1.CreateOptions{})
	switch {
	case apierrors.IsGone(err):
		return false, decision.DeletedStatus(live.Status.RecentRequests), nil
	case apierrors.IsConflict(err):
		ctrl.LoggerFrom(ctx).Info("the server refused the request for a build: trying again", "error", err)
		return false, v1alpha1.ImageStatus{}, errNotDue
	case err != nil:
		return false, v1alpha1.ImageStatus{}, fmt.Errorf("request a build: %w", err)
	}
	r.Events.Eventf(image, corev1.EventTypeNormal, v1alpha1.EventBuildCreated, "build %s: %s", build.Name, decision.Message)
	return true, v1alpha1.ImageStatus{}, nil
}

// confirm returns the stored Image if the decision was based on it and on its current base. Otherwise it returns a conflict,
// and the Image is reconciled again with a newer cache.
func (r *reconciler) confirm(ctx context.Context, image *v1alpha1.Image, inputsDigest string) (*v1alpha1.Image, error) {
	conflict := func(text string) error {
		return apierrors.NewConflict(v1alpha1.Resource("images"), image.Name, errors.New(text))
	}
	live, err := r.Client.ImagesV1alpha1().Images(image.Namespace).Get(ctx, image.Name, metav1.GetOptions{})
	switch {
	case err != nil:
		return nil, err
	case live.UID != image.UID || live.ResourceVersion != image.ResourceVersion:
		return nil, conflict("the image has changed since the decision to build")
	case image.Spec.Base.ImageRef == nil:
		return live, nil
	}
	now, err := r.sources(resolution.FromAPI(r.Client)).ResolveImage(ctx, image, r.Clock.Now())
	switch {
	case err != nil:
		return nil, fmt.Errorf("resolve inputs: %w", err)
	case now.Resolved == nil || now.Resolved.InputsDigest != inputsDigest:
		return nil, conflict("the base has changed since the decision to build")
	}
	return live, nil
}

// hasUncachedBuild reports whether a build exists that the cache does not have yet. It may be the build that seems to be due. The
// Image is reconciled again when the cache has it.
func (r *reconciler) hasUncachedBuild(ctx context.Context, live *v1alpha1.Image, builds []v1alpha1.ImageBuild, status v1alpha1.ImageStatus) (bool, error) {
	known := status.CountedBuild
	if status.LastAttempted != nil {
		known = max(known, status.LastAttempted.Number)
	}
	if len(builds) > 0 {
		known = max(known, number(&builds[len(builds)-1]))
	}
	if live.Status.BuildCounter <= known {
		return false, nil
	}
	ofImage := fields.OneTermEqualSelector("spec.imageRef.uid", string(live.UID))
	stored, err := r.Client.ImagesV1alpha1().ImageBuilds(live.Namespace).List(ctx, metav1.ListOptions{FieldSelector: ofImage.String()})
	if err != nil {
		return false, fmt.Errorf("list the builds of image %s: %w", live.Name, err)
	}
	return slices.ContainsFunc(stored.Items, func(build v1alpha1.ImageBuild) bool { return number(&build) > known }), nil
}
