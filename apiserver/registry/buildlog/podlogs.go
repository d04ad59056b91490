// SPDX-License-Identifier: Apache-2.0

package buildlog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/podlog"
	"goldsmith.dev/goldsmith/jobs/state"
)

// podLogs reads the logs of attempts from their pods.
type podLogs struct {
	client kubernetes.Interface
}

// Open reads the log of the attempt's pod, but not of another pod of the same name. If the node answers with an error instead
// of the log, the error is ErrGone. A follower gets this error while it reads, because the first line may take long.
func (l podLogs) Open(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, options corev1.PodLogOptions) (io.ReadCloser, error) {
	if attempt.PodName == "" {
		return nil, ErrGone // the build is only in the archive
	}
	pods := l.client.CoreV1().Pods(build.Namespace)
	pod, err := pods.Get(ctx, attempt.PodName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, ErrGone
	case err != nil:
		return nil, fmt.Errorf("get pod %s/%s: %w", build.Namespace, attempt.PodName, err)
	case pod.UID != attempt.PodUID:
		return nil, ErrGone
	case !podlog.Started(pod):
		return nil, ErrNotStarted
	}
	log, err := podlog.Open(ctx, pods, pod, options)
	switch {
	case apierrors.IsNotFound(err):
		return nil, ErrGone
	case apierrors.IsGone(err):
		return nil, &replacedError{podlog.GoneReason(err)}
	case err != nil:
		return nil, fmt.Errorf("read the log of pod %s/%s: %w", build.Namespace, attempt.PodName, err)
	case options.Follow:
		return log, nil
	}
	buffered := bufio.NewReader(log)
	if _, err := buffered.Peek(1); errors.Is(err, podlog.ErrKubelet) { // any other error comes again with the first Read
		return nil, errors.Join(ErrGone, log.Close())
	}
	return limited{Reader: buffered, Closer: log}, nil
}

// ended reports whether the containers of the attempt's pod have ended. The error is ErrGone if the pod is deleted or being deleted.
func (l podLogs) ended(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt) (bool, error) {
	pod, err := l.client.CoreV1().Pods(build.Namespace).Get(ctx, attempt.PodName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return false, ErrGone
	case err != nil:
		return false, fmt.Errorf("get pod %s/%s: %w", build.Namespace, attempt.PodName, err)
	case pod.UID != attempt.PodUID:
		return false, ErrGone
	}
	ended := state.Ended(pod)
	if !ended && pod.DeletionTimestamp != nil {
		return false, ErrGone
	}
	return ended, nil
}
