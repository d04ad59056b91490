// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/state"
)

// stopDeadline ends a running pod at once: its deadline is counted from its start.
const stopDeadline = 1

// perform performs the action that the stored status calls for. It returns true if the result requires a new decision.
func (r *reconciler) perform(ctx context.Context, build *v1alpha1.ImageBuild, observed state.Observed, action state.Action, seen *observation) (bool, error) {
	switch action {
	case state.CreateJob:
		return r.createJob(ctx, build, seen)
	case state.DeleteJob:
		return false, reconciliation.DeleteJob(ctx, r.Kube, observed.Job)
	case state.DeletePod:
		return false, r.deletePod(ctx, observed.Living)
	case state.StopPod:
		return false, r.stopPod(ctx, observed.Pod)
	case state.PassResult:
		return false, r.passResult(ctx, observed.Pod)
	case state.NoAction:
	}
	return false, nil
}

func (r *reconciler) createJob(ctx context.Context, build *v1alpha1.ImageBuild, seen *observation) (bool, error) {
	builder, notAllowed := r.Builders.Lookup(render.BuilderOf(build, build.Status.CurrentAttempt))
	if notAllowed != nil {
		return false, fmt.Errorf("builder: %s", notAllowed.Message)
	}
	job, err := render.Job(build, build.Status.CurrentAttempt, builder)
	if err != nil {
		seen.reject(err)
		return true, nil
	}
	jobs := r.Kube.BatchV1().Jobs(build.Namespace)
	created, err := jobs.Create(ctx, job, metav1.CreateOptions{})
	switch {
	case err == nil:
		r.created.Store(client.ObjectKeyFromObject(build), created.UID)
		return false, nil
	case apierrors.IsAlreadyExists(err):
		seen.job, err = jobs.Get(ctx, job.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			seen.job, err = nil, nil // deleted meanwhile, which requires a new decision
		}
		return err == nil, err
	case reconciliation.IsRefused(err):
		seen.reject(err)
		return true, nil
	}
	return false, err
}

// deletePod deletes a pod, but not another pod of its name. A pod that does not exist is no error.
func (r *reconciler) deletePod(ctx context.Context, pod *corev1.Pod) error {
	err := r.Kube.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete pod %s: %w", pod.Name, err)
	}
	return nil
}

// stopPod lowers the pod's deadline, which ends the builder and keeps the pod with its log.
func (r *reconciler) stopPod(ctx context.Context, pod *corev1.Pod) error {
	if deadline := pod.Spec.ActiveDeadlineSeconds; deadline != nil && *deadline <= stopDeadline {
		return nil
	}
	return r.patchPod(ctx, pod, map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"spec":     map[string]any{"activeDeadlineSeconds": stopDeadline},
	})
}

// passResult gives the publisher of a pod the result of the builder. A result without text is told apart from none.
func (r *reconciler) passResult(ctx context.Context, pod *corev1.Pod) error {
	return r.patchPod(ctx, pod, map[string]any{"metadata": map[string]any{
		"uid":         pod.UID,
		"annotations": map[string]any{v1alpha1.AnnotationResult: cmp.Or(state.ResultOf(pod), "\n")},
	}})
}

// patchPod applies a merge patch that has the UID of the pod. A pod that does not exist is no error.
func (r *reconciler) patchPod(ctx context.Context, pod *corev1.Pod, change map[string]any) error {
	patch, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("patch pod %s: %w", pod.Name, err)
	}
	if _, err = r.Kube.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("patch pod %s: %w", pod.Name, err)
	}
	return nil
}
