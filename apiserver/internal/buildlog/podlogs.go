// SPDX-License-Identifier: Apache-2.0

package buildlog

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/jobs/podlog"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/state"
)

// podLogs reads the logs of attempts from their pods.
type podLogs struct {
	client kubernetes.Interface
}

// Open reads the log of the attempt's pod. Another pod of the same name is not read.
func (l podLogs) Open(ctx context.Context, build *images.ImageBuild, attempt *images.BuildAttempt, options corev1.PodLogOptions) (io.ReadCloser, error) {
	if attempt.PodName == "" {
		return nil, ErrGone // of a build that only the archive knows
	}
	pods := l.client.CoreV1().Pods(build.Namespace)
	pod, err := podlog.GetPod(ctx, pods, attempt.PodName, attempt.PodUID)
	switch {
	case err != nil:
		return nil, err
	case pod == nil:
		return nil, ErrGone
	case !started(pod):
		return nil, ErrNotStarted
	}
	log, err := podlog.Open(ctx, pods, attempt.PodName, options)
	switch {
	case apierrors.IsNotFound(err):
		return nil, ErrGone
	case err != nil:
		return nil, fmt.Errorf("reading the log of pod %s/%s: %w", build.Namespace, attempt.PodName, err)
	}
	return log, nil
}

// ended reports whether the attempt's pod, or the builder's container in it, has ended: the log is complete then for the
// archive, too. The error is ErrGone if the pod is deleted, or is being deleted, before that.
func (l podLogs) ended(ctx context.Context, build *images.ImageBuild, attempt *images.BuildAttempt) (bool, error) {
	pod, err := podlog.GetPod(ctx, l.client.CoreV1().Pods(build.Namespace), attempt.PodName, attempt.PodUID)
	switch {
	case err != nil:
		return false, err
	case pod == nil:
		return false, ErrGone
	case state.Ended(pod):
		return true, nil
	case pod.DeletionTimestamp != nil:
		return false, ErrGone
	}
	return false, nil
}

// started says whether the builder's container runs or has run. Asking for the log of one that has not is an error.
func started(pod *corev1.Pod) bool {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == render.ContainerName {
			return status.State.Running != nil || status.State.Terminated != nil
		}
	}
	return false
}
