// SPDX-License-Identifier: Apache-2.0

// Package podlog reads the log of a build from its pod. The API server reads it for users, and the controllers for the archive.
package podlog

import (
	"context"
	"errors"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/jobs/render"
)

// endingPoll and endingLimit are how often, and for how long, a pod is asked whether its container has ended once its log
// has.
const endingPoll, endingLimit = 200 * time.Millisecond, 10 * time.Second

// ErrKubelet is the end of a log that the kubelet ended with an error of its own. The log may continue after it.
var ErrKubelet = errors.New("the kubelet ended the log with an error")

// Open opens the log of a pod: the logs of its fetcher, its builder and its publisher, one after the other, as far as it has these
// containers. The pod tells which of them have started. A followed log goes on with the next container once that has started, and ends
// when none will start any more. The caller closes the log, and checks that the pod has ended: a log also ends if its pod is deleted, or
// does not report the end of a container soon after the end of its log.
//
// TailLines and SinceTime count over all containers. Lines that are written while the tail is counted come in addition. If the log of a
// container that has ended is lost, and another container has started, a line of package archive reports the gap.
//
// The kubelet writes its own errors into the log: "rpc error: code = NotFound ..." comes after the lines, or in their place,
// once the container is removed. Only the timestamps tell these errors from the lines of the container, so Open always asks for
// timestamps. It leaves out lines that have none, and ErrKubelet is the end of a log that ends with one. With SinceTime, that
// may also be the rest of a long line: the kubelet leaves out the timestamp with the beginning of the line, and the archive
// leaves out such a rest, too.
//
// An error after an unfinished line stays, because it cannot be told from the rest of that line: the kubelet joins the pieces
// of a line, and only the first has a timestamp. A runtime writes a piece only of a line longer than 16 KiB, or at the end of
// a container.
//
// A request, and the kubelet, know SinceTime only to the second, so Open leaves out the lines of that second which are earlier.
//
// On one machine the error is Gone if the builder replaced or removed its log: see GoneReason.
//
// The kubelet would count the timestamps in LimitBytes: callers limit what they read.
func Open(ctx context.Context, pods typedcorev1.PodInterface, pod *corev1.Pod, options corev1.PodLogOptions) (io.ReadCloser, error) {
	l := &podLog{ctx: ctx, pods: pods, pod: pod, options: options}
	tail, err := l.begin()
	if err != nil {
		return nil, err
	}
	if l.log, err = l.open(l.of.Name, tail); err != nil {
		err = l.openNext(err)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// OpenBuilder opens the log of the builder's container in a pod, as Open does.
func OpenBuilder(ctx context.Context, pods typedcorev1.PodInterface, pod string, options corev1.PodLogOptions) (io.ReadCloser, error) {
	return openContainer(ctx, pods, pod, render.ContainerName, options)
}

func openContainer(ctx context.Context, pods typedcorev1.PodInterface, pod, container string, options corev1.PodLogOptions) (io.ReadCloser, error) {
	timestamps := options.Timestamps
	options.Container, options.Timestamps = container, true
	var since time.Time
	if options.SinceTime != nil {
		since = options.SinceTime.Time
	}
	log, err := pods.GetLogs(pod, &options).Stream(ctx)
	if err != nil {
		return nil, err
	}
	return stampedLog{Reader: archive.StampedLines(log, since, timestamps, ErrKubelet), Closer: log}, nil
}

// GoneReason returns why a log no longer exists, from an error of Open or of a read for which apierrors.IsGone is true.
func GoneReason(err error) string {
	status := apierrors.APIStatus(nil)
	if errors.As(err, &status) {
		return status.Status().Message
	}
	return err.Error()
}

type stampedLog struct {
	io.Reader
	io.Closer
}

// AwaitEnd waits after the end of a log until ended reports that the container has ended, too: a pod reports that a moment
// later. wait.Interrupted is true of the error if it does not within 10 seconds.
func AwaitEnd(ctx context.Context, ended wait.ConditionWithContextFunc) error {
	return wait.PollUntilContextTimeout(ctx, endingPoll, endingLimit, true, ended)
}
