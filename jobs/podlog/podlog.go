// SPDX-License-Identifier: Apache-2.0

// Package podlog reads the log of a build's container from its pod. The API server reads it for users, and the controllers
// for the archive.
package podlog

import (
	"context"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"goldsmith.dev/goldsmith/jobs/render"
)

// endingPoll and endingLimit are how often, and for how long, a pod is asked whether its container has ended once its log
// has.
const endingPoll, endingLimit = 200 * time.Millisecond, 10 * time.Second

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
