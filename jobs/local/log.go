// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/jobs/local/internal/logfile"
	"goldsmith.dev/goldsmith/jobs/local/internal/reconcile"
)

// OpenLog opens the log of a pod's container, stdout and stderr together. The caller closes it; reads also end with ctx.
// A followed log ends when the process has ended and the whole log was read.
//
// The caller has checked that the options are in range. Errors are those of the API: BadRequest for a container that has
// not started, for an unknown one and for a previous one, which there never is. Gone for a log that its builder replaced or
// removed, because a builder runs as the same user.
func (a *Agent) OpenLog(ctx context.Context, pod *corev1.Pod, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	if options == nil {
		options = &corev1.PodLogOptions{}
	}
	container, err := logContainer(pod, options)
	if err != nil {
		return nil, err
	}
	dir, err := a.dirs.dirOf(pod.UID)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	var feed *logfile.Feed
	if r := a.runOf(reconcile.RefOf(pod)); r != nil {
		feed = r.feed
	}
	started, err := dir.wasStarted() // before the log is opened: the log exists before the marker
	switch {
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return nil, gone(pod, "replaced the directory of its log")
	case err != nil:
		return nil, fmt.Errorf("open the log of pod %s: %w", reconcile.RefOf(pod), err)
	}
	started = started || hasRun(pod) // the builder may have removed the whole directory
	files, err := logfile.Open(dir.log(), openRegular)
	switch {
	case errors.Is(err, errNotRegular):
		return nil, gone(pod, "replaced its log by something that is no regular file")
	case errors.Is(err, fs.ErrPermission):
		return nil, gone(pod, "made its log unreadable")
	case errors.Is(err, fs.ErrNotExist) && started:
		return nil, gone(pod, "removed its log")
	case errors.Is(err, fs.ErrNotExist) && terminal(pod):
		return io.NopCloser(strings.NewReader("")), nil // it never started
	case errors.Is(err, fs.ErrNotExist):
		return nil, apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: ContainerCreating", container, pod.Name))
	case err != nil:
		return nil, fmt.Errorf("open the log of pod %s: %w", reconcile.RefOf(pod), err)
	}
	if size, err := files.Size(); err == nil && size > maxLogFile {
		_ = files.Close() // only read from
		return nil, gone(pod, "replaced its log by a file that is too large for a log")
	}
	log, err := logfile.NewReader(ctx, files, feed, a.logOptions(options))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the log of pod %s: %w", reconcile.RefOf(pod), err), files.Close())
	}
	return log, nil
}

// maxLogFile is more than a log of empty lines has, whose times are most of it. A builder can extend its log without using space.
const maxLogFile = 64 * maxLogBytes

// hasRun reports whether the status has a start of the pod's process.
func hasRun(pod *corev1.Pod) bool {
	state := containerStatus(pod).State
	return state.Running != nil || state.Terminated != nil && !state.Terminated.StartedAt.IsZero()
}

// gone is the answer for a log that nobody can read any more, because of what its builder did.
func gone(pod *corev1.Pod, done string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonGone,
		Message: fmt.Sprintf("the builder in pod %s %s", pod.Name, done),
	}}
}

func (a *Agent) logOptions(options *corev1.PodLogOptions) logfile.Options {
	o := logfile.Options{
		Follow:     options.Follow,
		Tail:       options.TailLines,
		Timestamps: options.Timestamps,
		Limit:      options.LimitBytes,
	}
	switch {
	case options.SinceTime != nil:
		o.Since = options.SinceTime.Time
	case options.SinceSeconds != nil:
		o.Since = a.options.Clock.Now().Add(-seconds(options.SinceSeconds))
	}
	return o
}

// logContainer returns the name of the container, or why the requested log cannot exist.
func logContainer(pod *corev1.Pod, options *corev1.PodLogOptions) (string, error) {
	name := options.Container
	if name == "" && len(pod.Spec.Containers) > 0 {
		name = pod.Spec.Containers[0].Name
	}
	switch {
	case !slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == name }):
		return "", apierrors.NewBadRequest(fmt.Sprintf("container %q is not valid for pod %q", name, pod.Name))
	case options.Previous:
		return "", apierrors.NewBadRequest(fmt.Sprintf("previous terminated container %q in pod %q not found", name, pod.Name))
	case options.Stream != nil && *options.Stream == corev1.LogStreamStderr:
		return "", apierrors.NewBadRequest("stderr and stdout are recorded together: stderr cannot be selected")
	}
	return name, nil
}
