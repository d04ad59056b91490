// SPDX-License-Identifier: Apache-2.0

package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/caches"
	"goldsmith.dev/goldsmith/controllers/reconciliation"
	"goldsmith.dev/goldsmith/controllers/resolution"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

type reconciler struct {
	reconciliation.Options
	cache cache.Cache
}

// Reconcile asks for a build if one is due; otherwise it brings status and history up to date. The build that it asked
// for comes back as an event.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	image := &v1alpha1.Image{}
	if err := r.cache.Get(ctx, request.NamespacedName, image); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if image.DeletionTimestamp != nil {
		return ctrl.Result{}, nil
	}
	v1alpha1.SetObjectDefaults_Image(image) // it has them, unless it was stored before there was such a field
	return reconciliation.Result("Image", request, ctrl.Result{}, r.reconcile(ctx, image))
}

func (r *reconciler) reconcile(ctx context.Context, image *v1alpha1.Image) error {
	builds, err := r.builds(ctx, image)
	if err != nil {
		return fmt.Errorf("listing builds: %w", err)
	}
	now, err := resolution.Of(ctx, r.Kube, r.Builders, image.Namespace, image.Spec.BuildInputs)
	if err != nil {
		return fmt.Errorf("resolving inputs: %w", err)
	}
	status := nextStatus(image, builds, now, metav1.NewTime(r.Clock.Now()))
	var refused error // by a quota, say: what is known is written all the same, and old builds go, for which it may wait
	if due(image, builds, status) {
		if unseen, err := r.unseenBuild(ctx, image, builds, status); err != nil || unseen {
			return err
		}
		asked, err := r.instantiate(ctx, image, builds, now, status.LastAttempted)
		switch {
		case apierrors.IsForbidden(err):
			refused = err
		case err != nil || asked:
			return err
		default:
			status.LastAttempted = forgotten(image, requestID(status.InputsDigest, status.LastAttempted), status.InputsDigest)
		}
	}
	if !equality.Semantic.DeepEqual(status, &image.Status) {
		next := image.DeepCopy()
		next.Status = *status
		if _, err := r.Client.ImagesV1alpha1().Images(image.Namespace).UpdateStatus(ctx, next, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("writing status: %w", err)
		}
	}
	return errors.Join(refused, r.prune(ctx, image, status, builds))
}

// builds are the Image's own, in the order of their numbers. They are shared with the cache and must not be changed.
func (r *reconciler) builds(ctx context.Context, image *v1alpha1.Image) ([]v1alpha1.ImageBuild, error) {
	list := &v1alpha1.ImageBuildList{}
	err := r.cache.List(ctx, list, client.InNamespace(image.Namespace), client.UnsafeDisableDeepCopy,
		client.MatchingFields{caches.BuildsByImage: string(image.UID)})
	slices.SortFunc(list.Items, func(a, b v1alpha1.ImageBuild) int { return cmp.Compare(number(&a), number(&b)) })
	return list.Items, err
}

// due says whether a build should be asked for: the inputs resolve and differ from those of the last attempted build,
// and no build that has not resolved its own yet could turn out to be the one.
func due(image *v1alpha1.Image, builds []v1alpha1.ImageBuild, status *v1alpha1.ImageStatus) bool {
	return triggered(image) && changed(status) && !slices.ContainsFunc(builds, func(b v1alpha1.ImageBuild) bool { return b.Status.Resolved == nil && !b.Status.Finished })
}

// triggered says whether builds start by themselves.
func triggered(image *v1alpha1.Image) bool {
	return !*image.Spec.Suspend && *image.Spec.Triggers.OnSpecChange
}

// changed says whether the inputs resolve, and differ from those of the last attempted build.
func changed(status *v1alpha1.ImageStatus) bool {
	return status.InputsDigest != "" && (status.LastAttempted == nil || status.LastAttempted.InputsDigest != status.InputsDigest)
}

// unseenBuild says whether there is a build that the cache does not have yet: it may be the one that seems to be due,
// and looking at the Image again when it is seen will tell.
func (r *reconciler) unseenBuild(ctx context.Context, image *v1alpha1.Image, builds []v1alpha1.ImageBuild, status *v1alpha1.ImageStatus) (bool, error) {
	live, err := r.Client.ImagesV1alpha1().Images(image.Namespace).Get(ctx, image.Name, metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	if live.UID != image.UID || live.Generation != image.Generation {
		return true, nil
	}
	known := int64(0)
	if status.LastAttempted != nil {
		known = status.LastAttempted.Number
	}
	if len(builds) > 0 {
		known = max(known, number(&builds[len(builds)-1]))
	}
	if live.Status.BuildCounter <= known {
		return false, nil
	}
	newest, err := r.Client.ImagesV1alpha1().ImageBuilds(image.Namespace).Get(ctx, fmt.Sprintf("%s-%d", image.Name, live.Status.BuildCounter), metav1.GetOptions{})
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return newest.Spec.ImageRef != nil && newest.Spec.ImageRef.UID == image.UID, nil
}

// requestID names the request for a build of these inputs after the last attempted build: asked for again after a
// crash it is the same build, and going back to earlier inputs is another one.
func requestID(digest string, attempted *v1alpha1.AttemptedBuild) string {
	after := int64(0)
	if attempted != nil {
		after = attempted.Number
	}
	return fmt.Sprintf("%s:%d", digest, after)
}

// instantiate asks for a build. It returns false if the one that was asked for has been deleted since.
func (r *reconciler) instantiate(ctx context.Context, image *v1alpha1.Image, builds []v1alpha1.ImageBuild, now resolution.Resolution, attempted *v1alpha1.AttemptedBuild) (bool, error) {
	request := &v1alpha1.BuildRequest{
		RequestID: requestID(now.Resolved.InputsDigest, attempted),
		Reason:    v1alpha1.TriggerCreated,
		Message:   "nothing was built yet",
	}
	if attempted != nil {
		request.Reason = v1alpha1.TriggerSpecChange
		request.Message = fmt.Sprintf("the inputs differ from those of build %d", attempted.Number)
		for i := range builds {
			if number(&builds[i]) == attempted.Number {
				before := inputs.Snapshot{Inputs: builds[i].Spec.Inputs, Files: inputs.Files(builds[i].Spec.Inputs, builds[i].Status.Resolved)}
				request.Changes = inputs.Diff(before, inputs.Snapshot{Inputs: image.Spec.BuildInputs, Files: inputs.Files(image.Spec.BuildInputs, now.Resolved)})
			}
		}
	}
	build, err := r.Client.ImagesV1alpha1().Images(image.Namespace).Instantiate(ctx, image.Name, request, metav1.CreateOptions{})
	switch {
	case apierrors.IsGone(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("asking for a build: %w", err)
	}
	r.Events.Eventf(image, corev1.EventTypeNormal, v1alpha1.EventBuildCreated, "build %s: %s", build.Name, request.Message)
	return true, nil
}

// forgotten is the attempted build for a request whose build was deleted before its outcome got here. Whoever deleted
// it did not want it: it is not built again for the same inputs.
func forgotten(image *v1alpha1.Image, requestID, digest string) *v1alpha1.AttemptedBuild {
	for _, record := range image.Status.RecentRequests {
		if record.RequestID == requestID {
			return &v1alpha1.AttemptedBuild{Number: record.Number, InputsDigest: digest}
		}
	}
	return image.Status.LastAttempted
}

// prune deletes the oldest finished builds over the limits. The latest successful build stays, and so does one whose
// UID is not in the status yet: a repeated request for it would build it again.
func (r *reconciler) prune(ctx context.Context, image *v1alpha1.Image, status *v1alpha1.ImageStatus, builds []v1alpha1.ImageBuild) error {
	for _, build := range excess(image, status, builds) {
		background := metav1.DeletePropagationBackground
		err := r.Client.ImagesV1alpha1().ImageBuilds(build.Namespace).Delete(ctx, build.Name, metav1.DeleteOptions{
			Preconditions:     metav1.NewUIDPreconditions(string(build.UID)),
			PropagationPolicy: &background,
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("deleting old build %s: %w", build.Name, err)
		}
	}
	return nil
}

// excess are the finished builds over the limits.
func excess(image *v1alpha1.Image, status *v1alpha1.ImageStatus, builds []v1alpha1.ImageBuild) []*v1alpha1.ImageBuild {
	succeeded, failed := *image.Spec.History.Succeeded, *image.Spec.History.Failed
	var over []*v1alpha1.ImageBuild
	for i := len(builds) - 1; i >= 0; i-- {
		build := &builds[i]
		room := &failed
		if build.Status.Phase == v1alpha1.BuildSucceeded {
			room = &succeeded
		}
		if !build.Status.Finished {
			continue
		}
		if *room--; *room >= 0 {
			continue
		}
		latest := status.LatestSuccessful != nil && status.LatestSuccessful.Number == number(build)
		if build.DeletionTimestamp == nil && !latest && !awaitsUID(status, build) {
			over = append(over, build)
		}
	}
	return over
}

func awaitsUID(status *v1alpha1.ImageStatus, build *v1alpha1.ImageBuild) bool {
	return slices.ContainsFunc(status.RecentRequests, func(record v1alpha1.BuildRequestRecord) bool {
		return record.Number == number(build) && record.UID == ""
	})
}

func number(build *v1alpha1.ImageBuild) int64 {
	if build.Spec.Number == nil {
		return 0
	}
	return *build.Spec.Number
}
