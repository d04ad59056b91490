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
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/jobs/state"
)

// observe collects what the state machine asks for. What the cache does not have is asked of the API before it counts
// as deleted. Before a Job is deleted, everything is asked of the API. If the API has a newer version of the build, observe
// returns that version instead.
func (r *reconciler) observe(ctx context.Context, build *v1alpha1.ImageBuild, seen *observation) (observed state.Observed, stale *v1alpha1.ImageBuild, err error) {
	observed = state.Observed{Build: build, Rejected: seen.rejected, Now: r.Clock.Now()}
	if state.Waits(build) {
		return observed, nil, r.observeUnstarted(ctx, &observed)
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
	if (observed.Job == nil || seen.live) && !seen.fresh {
		// A Job is created or deleted only for what the build is now.
		live, err := r.Client.ImagesV1alpha1().ImageBuilds(build.Namespace).Get(ctx, build.Name, metav1.GetOptions{})
		if err != nil {
			return observed, nil, err
		}
		seen.fresh = true
		if live.ResourceVersion != build.ResourceVersion {
			return observed, live, nil
		}
	}
	observed.Pod, err = r.pod(ctx, build, attempt, observed.Job, seen)
	if err == nil && hasLostPod(&observed, attempt) {
		// Somebody took it away: the cache of Jobs may not have yet that its Job is deleted, or that Kueue has suspended it.
		if observed.Job, err = r.liveJob(ctx, build.Namespace, attempt.JobName); err != nil {
			return observed, nil, err
		}
	}
	if err == nil && observed.NeedsRefusal() {
		err = r.observeRefusal(ctx, &observed, seen)
	}
	return observed, nil, err
}

// observeRefusal finds out why the attempt's Job has no pod. Events are nothing that a cache is kept of: they are many,
// and hardly ever asked for.
func (r *reconciler) observeRefusal(ctx context.Context, observed *state.Observed, seen *observation) error {
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
		pods, err := r.livePods(ctx, job.Namespace, job.Name, job.UID)
		if err != nil {
			return err
		}
		if len(pods) > 0 {
			observed.Refused = ""
		}
	}
	seen.lookedAt, seen.refused = job.UID, observed.Refused
	return nil
}

// observeUnstarted collects what is asked about a build that has not started. What its inputs resolved to is stored once;
// that its builder is gone counts until then.
func (r *reconciler) observeUnstarted(ctx context.Context, observed *state.Observed) error {
	build := observed.Build
	if build.Status.Resolved != nil {
		_, observed.Unresolved = r.Builders.Lookup(build.Spec.Inputs.Builder)
	} else {
		now, err := r.sources.OfBuild(ctx, build)
		if err != nil {
			return err
		}
		observed.Resolved, observed.Unresolved = now.Resolved, now.Unresolved
	}
	observed.Admission.Admitted, observed.Admission.Message = r.Queue.Admission(ctx, build)
	return nil
}

// job finds the Job of an attempt.
func (r *reconciler) job(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, seen *observation) (*batchv1.Job, error) {
	if seen.live {
		return r.liveJob(ctx, build.Namespace, attempt.JobName)
	}
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
	return r.liveJob(ctx, build.Namespace, attempt.JobName)
}

// liveJob reads a Job from the API; nil if there is none.
func (r *reconciler) liveJob(ctx context.Context, namespace, name string) (*batchv1.Job, error) {
	live, err := r.Kube.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return live, nil
}

// livePods reads the pods of a Job from the API.
func (r *reconciler) livePods(ctx context.Context, namespace, name string, job types.UID) ([]*corev1.Pod, error) {
	list, err := r.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.ControllerUidLabel + "=" + string(job)})
	if err != nil {
		return nil, fmt.Errorf("listing pods of Job %s: %w", name, err)
	}
	return pointers(list.Items), nil
}

func pointers(pods []corev1.Pod) []*corev1.Pod {
	all := make([]*corev1.Pod, len(pods))
	for i := range pods {
		all[i] = &pods[i]
	}
	return all
}

// hasLostPod says whether the pod of an attempt that has not ended is gone or going, while its Job seems to be there.
func hasLostPod(observed *state.Observed, attempt *v1alpha1.BuildAttempt) bool {
	job, pod := observed.Job, observed.Pod
	return observed.Build.Status.Phase.Active() && attempt.Outcome == "" && attempt.PodUID != "" && job != nil &&
		(pod == nil || pod.DeletionTimestamp != nil)
}

// pod finds the pod of an attempt.
func (r *reconciler) pod(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, job *batchv1.Job, seen *observation) (*corev1.Pod, error) {
	owner := attempt.JobUID
	if owner == "" && job != nil {
		owner = job.UID
	}
	if owner == "" {
		return nil, nil
	}
	if seen.live {
		pods, err := r.livePods(ctx, build.Namespace, attempt.JobName, owner)
		return state.FindPod(attempt, owner, pods), err
	}
	list := &corev1.PodList{}
	if err := r.cache.List(ctx, list, client.InNamespace(build.Namespace), client.MatchingFields{caches.PodsByJob: string(owner)}); err != nil {
		return nil, fmt.Errorf("listing pods of Job %s: %w", attempt.JobName, err)
	}
	if pod := state.FindPod(attempt, owner, pointers(list.Items)); pod != nil || attempt.PodUID == "" || build.Status.Phase.Finished() {
		return pod, nil
	}
	live, err := r.Kube.CoreV1().Pods(build.Namespace).Get(ctx, attempt.PodName, metav1.GetOptions{})
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return state.FindPod(attempt, owner, []*corev1.Pod{live}), nil
}
