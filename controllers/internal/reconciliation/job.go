// SPDX-License-Identifier: Apache-2.0

package reconciliation

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/jobs/render"
)

// IsAsRendered reports whether a Job has the owner of a rendered Job, and is what the API server would store for it now. A dry run tells that, because only the server
// knows its defaults and the changes of webhooks. With an error that IsRefused, nothing is known about the Job.
func IsAsRendered(ctx context.Context, kube kubernetes.Interface, job, rendered *batchv1.Job) (bool, error) {
	if !metav1.IsControlledBy(job, &metav1.ObjectMeta{UID: metav1.GetControllerOfNoCopy(rendered).UID}) {
		return false, nil
	}
	rendered = rendered.DeepCopy()
	rendered.Name, rendered.GenerateName = "", rendered.Name+"-"
	expected, err := kube.BatchV1().Jobs(job.Namespace).Create(ctx, rendered, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	switch {
	case IsRefused(err):
		return false, err
	case err != nil:
		return false, fmt.Errorf("compare Job %s with a dry run of its creation: %w", job.Name, err)
	}
	return render.SameJob(job, expected), nil
}

// IsRefused reports whether the API server refused a Job or a pod, in a namespace that does not terminate. A webhook's refusal without a code is a
// bad request.
func IsRefused(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return false
	}
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}

// PodsOf returns the pods that a Job controls, and that run what it describes. deviation tells how another pod differs, or is empty. Anybody who can create
// pods can set the label of a Job, and name it as the owner.
func PodsOf(ctx context.Context, kube kubernetes.Interface, job *batchv1.Job) (pods []corev1.Pod, deviation string, err error) {
	list, err := kube.CoreV1().Pods(job.Namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.ControllerUidLabel + "=" + string(job.UID)})
	if err != nil {
		return nil, "", fmt.Errorf("list the pods of Job %s: %w", job.Name, err)
	}
	for i := range list.Items {
		pod := &list.Items[i]
		if !metav1.IsControlledBy(pod, job) {
			continue
		}
		if differs := render.Deviation(job, pod); differs != "" {
			deviation = fmt.Sprintf("pod %s is not what its Job describes: %s", pod.Name, differs)
			continue
		}
		pods = append(pods, *pod)
	}
	return pods, deviation, nil
}

// DeleteJob deletes a Job and its pods, which would stay by default, but not another Job of its name. A missing Job is no error.
func DeleteJob(ctx context.Context, kube kubernetes.Interface, job *batchv1.Job) error {
	background := metav1.DeletePropagationBackground
	err := kube.BatchV1().Jobs(job.Namespace).Delete(ctx, job.Name, metav1.DeleteOptions{
		Preconditions: metav1.NewUIDPreconditions(string(job.UID)), PropagationPolicy: &background,
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete Job %s: %w", job.Name, err)
	}
	return nil
}
