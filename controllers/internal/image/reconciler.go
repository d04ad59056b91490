// SPDX-License-Identifier: Apache-2.0

package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/controllers/internal/resolution"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// longestLook is the longest time between two looks at an Image that has something to come: what waits does not notice
// that the clock was set, or that the machine slept.
const longestLook = 10 * time.Minute

type reconciler struct {
	Options
	cache client.Reader
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
	after, err := r.reconcile(ctx, image)
	return reconciliation.Result("Image", request, ctrl.Result{RequeueAfter: min(after, longestLook)}, err)
}

// reconcile returns after which time to look again although nothing happened; 0 is never.
func (r *reconciler) reconcile(ctx context.Context, image *v1alpha1.Image) (time.Duration, error) {
	builds, err := r.builds(ctx, image)
	if err != nil {
		return 0, fmt.Errorf("list builds: %w", err)
	}
	now, err := r.sources(resolution.Cached(r.cache)).Of(ctx, image.Namespace, image.Spec.BuildInputs)
	if err != nil {
		return 0, fmt.Errorf("resolve inputs: %w", err)
	}
	decision := trigger.Next(trigger.Observed{
		Image: image, Builds: builds, LogsArchived: r.LogsArchived, BuildsRecorded: r.BuildsRecorded, Now: r.Clock.Now(),
		Resolved: now.Resolved, Unresolved: now.Unresolved, MayAppear: now.MayAppear,
	})
	status := decision.Status
	var refused error // by a quota or by the operator's limits: what is known is written all the same, and old builds are pruned
	if decision.Request != nil {
		answer, gone, err := r.ask(ctx, image, builds, decision)
		switch {
		case apierrors.IsForbidden(err) || apierrors.IsInvalid(err):
			refused = err
			r.Events.Event(image, corev1.EventTypeWarning, v1alpha1.EventBuildRefused, v1alpha1.CutMessage(err.Error()))
		case err != nil:
			return 0, err
		case answer:
			return soon(decision.After), nil
		default:
			status = gone
		}
	}
	if err := r.store(ctx, image, status, decision.Disabled); err != nil {
		return 0, err
	}
	return decision.After, errors.Join(refused, r.supersede(ctx, image, decision), r.prune(ctx, image, decision.Prune))
}

// soon is when to look again at an Image whose build will come back as an event: unless it is deleted before the cache has
// it.
func soon(after time.Duration) time.Duration {
	if after > 0 && after < time.Minute {
		return after
	}
	return time.Minute
}

func (r *reconciler) sources(bases resolution.Bases) resolution.Sources {
	return resolution.Sources{Kube: r.Kube, Bases: bases, Builders: r.Builders}
}

// builds are the Image's own, in the order of their numbers. They are shared with the cache and must not be changed.
func (r *reconciler) builds(ctx context.Context, image *v1alpha1.Image) ([]v1alpha1.ImageBuild, error) {
	list := &v1alpha1.ImageBuildList{}
	err := r.cache.List(ctx, list, client.InNamespace(image.Namespace), client.UnsafeDisableDeepCopy,
		client.MatchingFields{caches.BuildsByImage: string(image.UID)})
	slices.SortFunc(list.Items, func(a, b v1alpha1.ImageBuild) int { return cmp.Compare(number(&a), number(&b)) })
	return list.Items, err
}

// store writes the status if it says something new, and records events when it disables the schedule or stalls the Image.
func (r *reconciler) store(ctx context.Context, image *v1alpha1.Image, status v1alpha1.ImageStatus, disabled bool) error {
	if equality.Semantic.DeepEqual(&status, &image.Status) {
		return nil
	}
	next := image.DeepCopy()
	next.Status = status
	if _, err := r.Client.ImagesV1alpha1().Images(image.Namespace).UpdateStatus(ctx, next, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	if disabled {
		r.Events.Eventf(image, corev1.EventTypeWarning, v1alpha1.EventScheduleDisabled, "%d consecutive builds failed, so schedule and base start no more builds", status.ConsecutiveFailures)
	}
	if stalled := newlyStalled(image.Status.Conditions, status.Conditions); stalled != nil {
		r.Events.Event(image, corev1.EventTypeWarning, v1alpha1.EventStalled, v1alpha1.CutMessage(stalled.Reason+": "+stalled.Message))
	}
	return nil
}

// newlyStalled returns the condition Stalled if it is True and the stored one does not report the same. An Image that stalls again
// may never be stored as progressing, because a build can begin and end between two writes.
func newlyStalled(stored, next []metav1.Condition) *metav1.Condition {
	before, stalled := meta.FindStatusCondition(stored, v1alpha1.ImageStalled), meta.FindStatusCondition(next, v1alpha1.ImageStalled)
	if stalled == nil || stalled.Status != metav1.ConditionTrue {
		return nil
	}
	if before != nil && before.Status == stalled.Status && before.Message == stalled.Message {
		return nil
	}
	return stalled
}

// supersede cancels builds that wait for nothing. One that has started meanwhile, or has finished, is left alone.
func (r *reconciler) supersede(ctx context.Context, image *v1alpha1.Image, decision trigger.Decision) error {
	for _, build := range decision.Supersede {
		request := &v1alpha1.CancelRequest{SupersededBy: decision.SupersededBy}
		_, err := r.Client.ImagesV1alpha1().ImageBuilds(image.Namespace).Cancel(ctx, build.Name, request, metav1.CreateOptions{})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("cancel build %s, superseded by %s: %w", build.Name, decision.SupersededBy, err)
		}
	}
	return nil
}

// prune deletes old builds, but for those that channels have come to name, or that are held, since the Image was read. One
// that has changed itself is looked at again before it goes.
func (r *reconciler) prune(ctx context.Context, image *v1alpha1.Image, old []*v1alpha1.ImageBuild) error {
	for _, build := range old {
		live, err := r.Client.ImagesV1alpha1().Images(image.Namespace).Get(ctx, image.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		named := slices.ContainsFunc(live.Status.Channels, func(channel v1alpha1.ImageChannel) bool { return channel.Build == build.Name })
		if named || v1alpha1.UnderLegalHold(live) {
			continue
		}
		background := metav1.DeletePropagationBackground
		err = r.Client.ImagesV1alpha1().ImageBuilds(build.Namespace).Delete(ctx, build.Name, metav1.DeleteOptions{
			Preconditions:     &metav1.Preconditions{UID: &build.UID, ResourceVersion: &build.ResourceVersion},
			PropagationPolicy: &background,
		})
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return fmt.Errorf("delete old build %s: %w", build.Name, err)
		default:
			r.Metrics.Pruned(build, r.LogsArchived, r.BuildsRecorded)
		}
	}
	return nil
}

func number(build *v1alpha1.ImageBuild) int64 {
	if build.Spec.Number == nil {
		return 0
	}
	return *build.Spec.Number
}
