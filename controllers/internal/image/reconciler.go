// SPDX-License-Identifier: Apache-2.0

package image

import (
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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/controllers/internal/resolution"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// maxRequeueAfter is the longest time until an Image with a pending event is reconciled again. A timer does not notice that the
// clock was set, or that the machine slept.
const maxRequeueAfter = 10 * time.Minute

// askAgain is when a request for a build is repeated that the server did not find due.
const askAgain = time.Second

type reconciler struct {
	Options
	cache client.Reader
}

// Reconcile requests a build if one is due. Otherwise it brings the status and the history up to date. An event of the
// requested build follows.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	image := &v1alpha1.Image{}
	if err := r.cache.Get(ctx, request.NamespacedName, image); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if image.DeletionTimestamp != nil {
		return ctrl.Result{}, nil
	}
	v1alpha1.SetObjectDefaults_Image(image) // of fields that were added after the Image was stored
	after, err := r.reconcile(ctx, image)
	return reconciliation.Result("Image", request, ctrl.Result{RequeueAfter: min(after, maxRequeueAfter)}, err)
}

// reconcile returns when to reconcile again without an event. 0 means never.
func (r *reconciler) reconcile(ctx context.Context, image *v1alpha1.Image) (time.Duration, error) {
	builds, err := caches.BuildsOf(ctx, r.cache, image)
	if err != nil {
		return 0, err
	}
	look, stored, err := r.checkSource(ctx, image, builds)
	if stored || err != nil {
		return look, err
	}
	now, err := r.sources(resolution.FromCache(r.cache)).ResolveImage(ctx, image, r.Clock.Now())
	if err != nil {
		return 0, fmt.Errorf("resolve inputs: %w", err)
	}
	observed := trigger.Observed{
		Image: image, Builds: builds, LogsArchived: r.LogsArchived, BuildsRecorded: r.BuildsRecorded, Kept: r.Kept, Now: r.Clock.Now(),
		Resolved: now.Resolved, Unresolved: now.Unresolved, MayAppear: now.MayAppear, BaseComing: now.BaseComing, RevokedFrom: now.RevokedFrom,
		RevokedBases: r.revokedBases(ctx, image, builds), BaseFixes: r.baseFixes(ctx, image),
	}
	if r.Vulnerabilities != nil {
		observed.Vulnerabilities = r.Vulnerabilities.Known(client.ObjectKeyFromObject(image))
	}
	again, err := r.packages(ctx, &observed)
	if err != nil {
		return 0, err
	}
	decision := trigger.Next(observed)
	if due := decision.Packages; due != nil && r.Packages != nil {
		if observed.Hold, err = r.Packages.Hold(ctx, image, due.Updates); err != nil {
			return 0, fmt.Errorf("find the builds of other images for new packages: %w", err)
		}
		if observed.Hold != nil {
			decision = trigger.Next(observed)
		}
	}
	for _, again := range []time.Duration{look, again} {
		if again > 0 && (decision.After == 0 || again < decision.After) {
			decision.After = again
		}
	}
	status := decision.Status
	var refused error // with ReasonBuildRefused: the status is still written, and old builds are pruned
	if decision.Request != nil {
		answer, gone, err := r.ask(ctx, image, builds, decision)
		switch {
		case apierrors.IsForbidden(err) || apierrors.IsInvalid(err):
			refused = err
			status = observed.RefusedStatus(status, apierrors.IsInvalid(err), err.Error())
			r.Events.Event(image, corev1.EventTypeWarning, v1alpha1.EventBuildRefused, v1alpha1.CutMessage(err.Error()))
		case errors.Is(err, errNotDue):
			decision.After = askAgain
		case err != nil:
			return 0, err
		case answer:
			return recheckAfter(decision.After), nil
		default:
			status = gone
		}
	}
	if err := r.store(ctx, image, status, decision.Disabled); err != nil {
		return 0, err
	}
	err = errors.Join(refused, r.supersede(ctx, image, decision))
	if failed := r.promote(ctx, image, decision.Promote); failed != nil {
		return decision.After, errors.Join(err, failed) // without pruning, because a channel may get one of the old builds
	}
	return decision.After, errors.Join(err, r.prune(ctx, image, decision.Prune))
}

// packages adds the newer versions of packages to what is known of an Image. It returns when to look again without an event.
func (r *reconciler) packages(ctx context.Context, observed *trigger.Observed) (again time.Duration, err error) {
	if r.Packages == nil || observed.Image.Spec.Triggers.OnPackageChange == nil {
		return 0, nil
	}
	if observed.Candidates, again, err = r.Packages.Candidates(ctx, observed.Image, observed.Builds); err != nil {
		return 0, fmt.Errorf("find new packages: %w", err)
	}
	if observed.BasePackages, err = r.Packages.BaseComing(ctx, observed.Image); err != nil {
		return 0, fmt.Errorf("find new packages of the base: %w", err)
	}
	return again, nil
}

// baseFixes returns the fixes of the base of an Image.
func (r *reconciler) baseFixes(ctx context.Context, image *v1alpha1.Image) []v1alpha1.PackageFix {
	ref, base := image.Spec.Base.ImageRef, &v1alpha1.Image{}
	if ref == nil {
		return nil
	}
	if err := r.cache.Get(ctx, client.ObjectKey{Namespace: image.Namespace, Name: ref.Name}, base, client.UnsafeDisableDeepCopy); err != nil {
		return nil // the cache fails for no other reason than that the base does not exist
	}
	return base.Status.Fixes
}

// revokedBases returns the revoked build that the latest successful build is based on, by the name of the latter.
func (r *reconciler) revokedBases(ctx context.Context, image *v1alpha1.Image, builds []v1alpha1.ImageBuild) map[string]*v1alpha1.RevokedBase {
	find := func(name string) *v1alpha1.ImageBuild {
		build := &v1alpha1.ImageBuild{}
		if err := r.cache.Get(ctx, client.ObjectKey{Namespace: image.Namespace, Name: name}, build, client.UnsafeDisableDeepCopy); err != nil {
			return nil // the cache fails for no other reason than that the build does not exist
		}
		return build
	}
	build := trigger.LatestSuccessful(builds)
	if build == nil {
		return nil
	}
	revoked, whole := inputs.RevokedBase(build, find, r.Clock.Now())
	if revoked != nil {
		return map[string]*v1alpha1.RevokedBase{build.Name: {Name: revoked.Name, Revocation: *revoked.Status.Revoked.DeepCopy()}}
	}
	if latest := image.Status.LatestSuccessful; !whole && latest != nil && latest.RevokedBase != nil {
		known, of := find(latest.RevokedBase.Name), latest.RevokedBase
		// It is restored, whichever build beyond it was deleted. A build that was created since the revocation only has its name.
		whole = known != nil && !v1alpha1.Revoked(known, r.Clock.Now()) && known.CreationTimestamp.Before(&of.Revocation.Time)
	}
	if whole {
		return map[string]*v1alpha1.RevokedBase{build.Name: nil}
	}
	return nil
}

// recheckAfter is when to reconcile an Image again whose requested build should follow as an event. No event follows if the build is
// deleted before the cache has it.
func recheckAfter(after time.Duration) time.Duration {
	if after > 0 && after < time.Minute {
		return after
	}
	return time.Minute
}

func (r *reconciler) sources(bases resolution.Bases) resolution.Sources {
	return resolution.Sources{Kube: r.Kube, Bases: bases, Clock: r.Clock, Builders: r.Builders, Kept: r.Kept}
}

// store writes the status if it has changed, and records events when it disables the schedule or stalls the Image.
func (r *reconciler) store(ctx context.Context, image *v1alpha1.Image, status v1alpha1.ImageStatus, disabled bool) error {
	if equality.Semantic.DeepEqual(&status, &image.Status) {
		return nil
	}
	patch, err := reconciliation.StatusPatch(image, v1alpha1.Image{}, &image.Status, &status)
	if err != nil {
		return err
	}
	if _, err := r.Client.ImagesV1alpha1().Images(image.Namespace).Patch(ctx, image.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	r.Metrics.CountFixes(image.Status.Fixes, status.Fixes)
	if disabled {
		active := meta.FindStatusCondition(status.Conditions, v1alpha1.ImageScheduleActive)
		r.Events.Event(image, corev1.EventTypeWarning, v1alpha1.EventScheduleDisabled, v1alpha1.CutMessage(active.Message))
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

// supersede cancels superseded builds. It ignores a build that has started or finished meanwhile.
func (r *reconciler) supersede(ctx context.Context, image *v1alpha1.Image, decision trigger.Decision) error {
	for _, build := range decision.Supersede {
		request := &v1alpha1.CancelRequest{SupersededBy: decision.SupersededBy}
		_, err := r.Client.ImagesV1alpha1().ImageBuilds(image.Namespace).Cancel(ctx, build.Name, request, metav1.CreateOptions{})
		if err != nil && !notfound.Object(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("cancel build %s, superseded by %s: %w", build.Name, decision.SupersededBy, err)
		}
	}
	return nil
}

// prune deletes old builds. It skips a build if the Image as it is stored now has a channel for it, may get one, or is under
// legal hold. It deletes none if the Image has another spec or UID by now, because an event of the Image follows. The deletion of a build that
// has changed is a conflict, and the Image is reconciled again.
func (r *reconciler) prune(ctx context.Context, image *v1alpha1.Image, old []*v1alpha1.ImageBuild) error {
	for _, build := range old {
		live, err := r.Client.ImagesV1alpha1().Images(image.Namespace).Get(ctx, image.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if live.UID != image.UID || live.Generation != image.Generation {
			return nil
		}
		named := slices.ContainsFunc(live.Status.Channels, func(channel v1alpha1.ImageChannel) bool { return channel.Build == build.Name })
		if named || trigger.Promoting(live, build) || v1alpha1.UnderLegalHold(live) {
			continue
		}
		background := metav1.DeletePropagationBackground
		err = r.Client.ImagesV1alpha1().ImageBuilds(build.Namespace).Delete(ctx, build.Name, metav1.DeleteOptions{
			Preconditions:     &metav1.Preconditions{UID: &build.UID, ResourceVersion: &build.ResourceVersion},
			PropagationPolicy: &background,
		})
		switch {
		case notfound.Object(err):
		case err != nil:
			return fmt.Errorf("delete old build %s: %w", build.Name, err)
		default:
			r.Metrics.Pruned(build, r.LogsArchived, r.BuildsRecorded)
		}
	}
	return nil
}

func number(build *v1alpha1.ImageBuild) int64 { return ptr.Deref(build.Spec.Number, 0) }
