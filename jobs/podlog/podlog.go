// SPDX-License-Identifier: Apache-2.0

// Package podlog reads the pod of a build's attempt, and the log of its container. The API server reads them for users, and
// the controllers for the archive.
package podlog

import (
	"context"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/jobs/render"
)

// endingPoll and endingLimit are how often, and for how long, a pod is asked whether its container has ended once its log
// has.
const endingPoll, endingLimit = 200 * time.Millisecond, 10 * time.Second

// GetPod reads the pod of an attempt from the API. It returns nil if the pod is deleted, even if another pod has its name.
func GetPod(ctx context.Context, pods typedcorev1.PodInterface, name string, uid types.UID) (*corev1.Pod, error) {
	pod, err := pods.Get(ctx, name, metav1.GetOptions{})
	switch {
	case notfound.Object(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get pod %s: %w", name, err)
	case pod.UID != uid:
		return nil, nil
	}
	return pod, nil
}

// Open opens the log of the builder's container in a pod. The caller closes it.
func Open(ctx context.Context, pods typedcorev1.PodInterface, pod string, options corev1.PodLogOptions) (io.ReadCloser, error) {
	options.Container = render.ContainerName
	return pods.GetLogs(pod, &options).Stream(ctx)
}

// AwaitEnd waits after the end of a log until ended reports that the container has ended, too: a pod reports that a moment
// later. wait.Interrupted is true of the error if it does not within 10 seconds.
func AwaitEnd(ctx context.Context, ended wait.ConditionWithContextFunc) error {
	return wait.PollUntilContextTimeout(ctx, endingPoll, endingLimit, true, ended)
}
