// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/state"
)

// observe collects the input of the state machine, from the caches or, if the observation is live, from the API. If the API has a
// newer version of the build, observe returns that version instead.
func (r *reconciler) observe(ctx context.Context, build *v1alpha1.ImageBuild, seen *observation) (observed state.Observed, stale *v1alpha1.ImageBuild, err error) {
	observed = state.Observed{Build: build, Rejected: seen.rejected, Results: r.Results, Now: r.Clock.Now()}
	if state.Waits(build) {
		return observed, nil, r.observeUnstarted(ctx, &observed)
	}
	if !build.Status.Phase.Finished() {
		_, observed.Unresolved = r.Builders.Lookup(render.BuilderOf(build, build.Status.CurrentAttempt))
	}
	if observed.Revoked, err = r.revoked(ctx, build); err != nil || len(build.Status.Attempts) == 0 {
		return observed, nil, err
	}
	if seen.live && !seen.fresh {
		live, err := r.Client.ImagesV1alpha1().ImageBuilds(build.Namespace).Get(ctx, build.Name, metav1.GetOptions{})
		if err != nil {
			return observed, nil, err
		}
		seen.fresh = true
		if live.ResourceVersion != build.ResourceVersion {
			return observed, live, nil
		}
	}
	if err := r.observeAttempt(ctx, &observed, &build.Status.Attempts[len(build.Status.Attempts)-1], seen); err != nil {
		return observed, nil, err
	}
	if observed.NeedsRefusal() {
		err = r.observeRefusal(ctx, &observed, seen)
	}
	return observed, nil, err
}

// revoked returns the builds whose artifacts an unfinished build must not have, because they are revoked, or will be: builds of its Image, and builds that
// made revoked artifacts of the namespace. They are shared with the cache.
func (r *reconciler) revoked(ctx context.Context, build *v1alpha1.ImageBuild) ([]v1alpha1.ImageBuild, error) {
	if build.Status.Phase.Finished() {
		return nil, nil
	}
	artifacts, list, image := &v1alpha1.RevokedArtifactList{}, &v1alpha1.ImageBuildList{}, &v1alpha1.Image{}
	if err := r.cache.List(ctx, artifacts, client.InNamespace(build.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the revoked artifacts of namespace %s: %w", build.Namespace, err)
	}
	ref := build.Spec.ImageRef
	if ref == nil {
		return inputs.RevokedBuilds(nil, nil, artifacts.Items), nil
	}
	err := r.cache.List(ctx, list, client.InNamespace(build.Namespace), client.UnsafeDisableDeepCopy, client.MatchingFields{caches.BuildsByImage: string(ref.UID)})
	if err != nil {
		return nil, fmt.Errorf("list the builds of image %s: %w", ref.Name, err)
	}
	switch err := r.cache.Get(ctx, client.ObjectKey{Namespace: build.Namespace, Name: ref.Name}, image, client.UnsafeDisableDeepCopy); {
	case client.IgnoreNotFound(err) != nil:
		return nil, fmt.Errorf("get image %s: %w", ref.Name, err)
	case err != nil || image.UID != ref.UID:
		image = nil
	}
	return inputs.RevokedBuilds(image, list.Items, artifacts.Items), nil
}

// observeAttempt finds the Job and the pods of an attempt.
func (r *reconciler) observeAttempt(ctx context.Context, observed *state.Observed, attempt *v1alpha1.BuildAttempt, seen *observation) (err error) {
	if observed.Job, err = r.job(ctx, observed.Build.Namespace, attempt.JobName, seen); err != nil {
		return err
	}
	pods, err := r.pods(ctx, observed.Build, attempt, seen.live)
	if err != nil {
		return err
	}
	if seen.live && observed.Job == nil && len(pods) > 0 {
		// The Job may have been created after the first read: by another process, or by a request whose response was lost.
		if observed.Job, err = r.job(ctx, observed.Build.Namespace, attempt.JobName, seen); err != nil {
			return err
		}
	}
	owner, foreign := attempt.JobUID, types.UID("")
	if job := observed.Job; job != nil && job.UID != attempt.JobUID {
		if observed.Origin, err = r.origin(ctx, observed.Build, attempt, job, seen); err != nil {
			return err
		}
		observed.Uncompared = seen.uncompared
		if owner == "" {
			owner = job.UID
		}
		if observed.Origin == state.Foreign {
			foreign = job.UID
		}
	}
	observed.Pod, observed.Living = state.FindPod(attempt, owner, pods), state.FindLiving(pods, foreign)
	return nil
}

// observeRefusal finds out why the attempt's Job has no pod. It reads events from the API, because they are too many for a
// cache and rarely needed. Users can forge events, so a dry run confirms a final refusal.
func (r *reconciler) observeRefusal(ctx context.Context, observed *state.Observed, seen *observation) error {
	job := observed.Job
	if seen.lookedAt == job.UID {
		observed.Refused, observed.Forbidden = seen.refused, seen.forbidden
		return nil
	}
	events, err := r.Kube.CoreV1().Events(job.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(job.UID)})
	if err != nil {
		return fmt.Errorf("list events of Job %s: %w", job.Name, err)
	}
	observed.Refused = state.Refusal(events.Items)
	if observed.Refused != "" {
		// The Job may have a pod that neither the cache nor an event shows yet.
		pods, err := r.Kube.CoreV1().Pods(job.Namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.ControllerUidLabel + "=" + string(job.UID)})
		if err != nil {
			return fmt.Errorf("list pods of Job %s: %w", job.Name, err)
		}
		if len(pods.Items) > 0 {
			observed.Refused = ""
		}
	}
	if state.IsFinal(observed.Refused) {
		if observed.Forbidden, err = r.forbidden(ctx, job); err != nil {
			return fmt.Errorf("get Job %s: %w", job.Name, err)
		}
	}
	seen.lookedAt, seen.refused, seen.forbidden = job.UID, observed.Refused, observed.Forbidden
	return nil
}

// observeUnstarted collects the input of the state machine for a build that has not started. Once the inputs are resolved and
// stored, only the builder is looked up again, because it may no longer be registered, and the base, because it may be revoked.
func (r *reconciler) observeUnstarted(ctx context.Context, observed *state.Observed) error {
	build := observed.Build
	if build.Status.Resolved == nil {
		now, err := r.sources.ResolveBuild(ctx, build)
		if err != nil {
			return err
		}
		if now.Waits != "" {
			observed.Waits = now.Waits
			r.Queue.Release(client.ObjectKeyFromObject(build)) // others may start before it
			return nil
		}
		observed.Resolved, observed.Unresolved = now.Resolved, now.Unresolved
	} else {
		var err error
		if observed.Unresolved, err = r.sources.Revoked(ctx, build); err != nil {
			return err
		}
		if observed.Unresolved == nil && build.Spec.Retests == nil {
			_, observed.Unresolved = r.Builders.Lookup(build.Spec.Inputs.Builder)
		}
	}
	if observed.Unresolved == nil {
		observed.Unresolved = r.Builders.CheckTests(build)
	}
	observed.Admission.Admitted, observed.Admission.Message = r.Queue.Admission(ctx, build)
	return nil
}

// job finds the Job of an attempt; nil if there is none.
func (r *reconciler) job(ctx context.Context, namespace, name string, seen *observation) (*batchv1.Job, error) {
	switch {
	case seen.live:
		live, err := r.Kube.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, client.IgnoreNotFound(err)
		}
		return live, nil
	case seen.job != nil && seen.job.Name == name:
		return seen.job, nil
	}
	cached := &batchv1.Job{}
	if err := r.cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, cached); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return cached, nil
}

// pods finds the pods of an attempt.
func (r *reconciler) pods(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, live bool) ([]*corev1.Pod, error) {
	selector := state.PodLabels(build, attempt).AsSelector()
	list := &corev1.PodList{}
	var err error
	if live {
		list, err = r.Kube.CoreV1().Pods(build.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	} else {
		err = r.cache.List(ctx, list, client.InNamespace(build.Namespace), client.MatchingFields{caches.PodsByJob: attempt.JobName},
			client.MatchingLabelsSelector{Selector: selector})
	}
	if err != nil {
		return nil, fmt.Errorf("list pods of Job %s: %w", attempt.JobName, err)
	}
	pods := make([]*corev1.Pod, len(list.Items))
	for i := range list.Items {
		pods[i] = &list.Items[i]
	}
	return pods, nil
}
