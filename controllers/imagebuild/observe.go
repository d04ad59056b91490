// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/caches"
	"goldsmith.dev/goldsmith/controllers/resolution"
	"goldsmith.dev/goldsmith/jobs/state"
)

// observe collects what the state machine asks for. What the cache does not have is asked of the API before it counts
// as gone. If the build itself turns out to be older than what is stored, that one is returned instead.
func (r *reconciler) observe(ctx context.Context, build *v1alpha1.ImageBuild, seen *sight) (observed state.Observed, stale *v1alpha1.ImageBuild, err error) {
	observed = state.Observed{Build: build, Rejected: seen.rejected, Now: r.Clock.Now()}
	if waits(build) {
		return observed, nil, r.observeWaiting(ctx, &observed)
	}
	if !build.Status.Phase.Finished() {
		_, observed.Unresolved = r.Builders.Lookup(build.Spec.Inputs.Builder)
	}
	if len(build.Status.Attempts) == 0 {
		return observed, nil, nil
	}
	attempt := &build.Status.Attempts[len(build.Status.Attempts)-1]
	observed.Job, err = r.job(ctx, build, attempt, seen)
	if err != nil {
		return observed, nil, err
	}
	if observed.Job == nil && !seen.fresh {
		// An attempt without a Job gets one: only if it still is the current one.
		live, err := r.Client.ImagesV1alpha1().ImageBuilds(build.Namespace).Get(ctx, build.Name, metav1.GetOptions{})
		if err != nil {
			return observed, nil, err
		}
		seen.fresh = true
		if live.ResourceVersion != build.ResourceVersion {
			return observed, live, nil
		}
	}
	observed.Pod, err = r.pod(ctx, build, attempt, observed.Job)
	if err == nil && observed.NeedsRefusal() {
		err = r.observeRefusal(ctx, &observed, seen)
	}
	return observed, nil, err
}

// observeRefusal finds out why the attempt's Job has no pod. Events are nothing that a cache is kept of: they are many,
// and hardly ever asked for.
func (r *reconciler) observeRefusal(ctx context.Context, observed *state.Observed, seen *sight) error {
	job := observed.Job
	if seen.lookedAt == job.UID {
		observed.Refused = seen.refused
		return nil
	}
	events, err := r.Kube.CoreV1().Events(job.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(job.UID)})
	if err != nil {
		return fmt.Errorf("listing events of Job %s: %w", job.Name, err)
	}
	observed.Refused = state.Refusal(events.Items)
	if observed.Refused != "" {
		// It may have a pod meanwhile, which neither the cache nor an event tells of yet.
		pods, err := r.Kube.CoreV1().Pods(job.Namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.ControllerUidLabel + "=" + string(job.UID)})
		if err != nil {
			return fmt.Errorf("listing pods of Job %s: %w", job.Name, err)
		}
		if len(pods.Items) > 0 {
			observed.Refused = ""
		}
	}
	seen.lookedAt, seen.refused = job.UID, observed.Refused
	return nil
}

// observeWaiting collects what is asked about a build that has not started. What its inputs resolved to is stored once;
// that its builder is gone counts until then.
func (r *reconciler) observeWaiting(ctx context.Context, observed *state.Observed) (err error) {
	build := observed.Build
	if build.Status.Resolved != nil {
		_, observed.Unresolved = r.Builders.Lookup(build.Spec.Inputs.Builder)
	} else {
		now, err := resolution.Of(ctx, r.Kube, r.Builders, build.Namespace, build.Spec.Inputs)
		if err != nil {
			return err
		}
		observed.Resolved, observed.Unresolved = now.Resolved, now.Unresolved
	}
	observed.Turn, err = r.turn(ctx, build)
	return err
}

// turn says whether it is the build's turn: no other build of its Image is active, and none with a lower number waits.
func (r *reconciler) turn(ctx context.Context, build *v1alpha1.ImageBuild) (bool, error) {
	if build.Spec.ImageRef == nil || build.Spec.Number == nil {
		return true, nil
	}
	siblings, err := r.siblings(ctx, build)
	if err != nil {
		return false, fmt.Errorf("listing builds of the image: %w", err)
	}
	for i := range siblings {
		other := &siblings[i]
		switch {
		case other.Status.Phase.Finished():
			continue
		case other.Status.Phase.Active(), other.Spec.Number != nil && *other.Spec.Number < *build.Spec.Number:
			return false, nil
		}
		// It was created before this build was seen, and may have found that it was its turn.
		live, err := r.Client.ImagesV1alpha1().ImageBuilds(other.Namespace).Get(ctx, other.Name, metav1.GetOptions{})
		if err == nil && live.UID == other.UID && live.Status.Phase.Active() {
			return false, nil
		}
		if client.IgnoreNotFound(err) != nil {
			return false, err
		}
	}
	return true, nil
}

// job finds the Job of an attempt.
func (r *reconciler) job(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, seen *sight) (*batchv1.Job, error) {
	if seen.job != nil && seen.job.Name == attempt.JobName {
		return seen.job, nil
	}
	job := &batchv1.Job{}
	err := r.cache.Get(ctx, types.NamespacedName{Namespace: build.Namespace, Name: attempt.JobName}, job)
	switch {
	case err == nil:
		return job, nil
	case !apierrors.IsNotFound(err):
		return nil, err
	case build.Status.Phase.Finished() || seen.fresh && attempt.JobUID == "" && build.Status.Phase == v1alpha1.BuildStarting:
		// Nothing follows from its absence; or creating it will tell.
		return nil, nil
	}
	live, err := r.Kube.BatchV1().Jobs(build.Namespace).Get(ctx, attempt.JobName, metav1.GetOptions{})
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return live, nil
}

// pod finds the pod of an attempt.
func (r *reconciler) pod(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, job *batchv1.Job) (*corev1.Pod, error) {
	owner := attempt.JobUID
	if owner == "" && job != nil {
		owner = job.UID
	}
	if owner == "" {
		return nil, nil
	}
	list := &corev1.PodList{}
	if err := r.cache.List(ctx, list, client.InNamespace(build.Namespace), client.MatchingFields{caches.PodsByJob: string(owner)}); err != nil {
		return nil, fmt.Errorf("listing pods of Job %s: %w", attempt.JobName, err)
	}
	pods := make([]*corev1.Pod, len(list.Items))
	for i := range list.Items {
		pods[i] = &list.Items[i]
	}
	if pod := state.FindPod(attempt, owner, pods); pod != nil || attempt.PodUID == "" || build.Status.Phase.Finished() {
		return pod, nil
	}
	live, err := r.Kube.CoreV1().Pods(build.Namespace).Get(ctx, attempt.PodName, metav1.GetOptions{})
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return state.FindPod(attempt, owner, []*corev1.Pod{live}), nil
}
