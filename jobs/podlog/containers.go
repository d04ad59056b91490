// SPDX-License-Identifier: Apache-2.0

package podlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/state"
)

// startPoll is how often a pod is asked whether its next container has started. Images are pulled meanwhile.
const startPoll = time.Second

// Started reports whether a container of a pod runs or has run whose log Open reads. Otherwise opening its log is an error.
func Started(pod *corev1.Pod) bool { return slices.ContainsFunc(containers(pod), started) }

// containers returns the statuses of the containers whose logs are the log of a pod, in order. The kubelet reports them together. On one
// machine the agent reports a fetcher that is no container of the pod: its lines are the beginning of the builder's log.
func containers(pod *corev1.Pod) []*corev1.ContainerStatus {
	fetcher, builder := render.FetcherStatus(pod), render.BuilderStatus(pod)
	isFetcher := func(c corev1.Container) bool { return c.Name == render.FetcherName }
	if fetcher != nil && builder != nil && !slices.ContainsFunc(pod.Spec.InitContainers, isFetcher) {
		both := *builder
		if !started(builder) {
			both.State = fetcher.State
		}
		fetcher, builder = nil, &both
	}
	return slices.DeleteFunc([]*corev1.ContainerStatus{fetcher, builder, render.PublisherStatus(pod)},
		func(status *corev1.ContainerStatus) bool { return status == nil })
}

func started(status *corev1.ContainerStatus) bool {
	return status.State.Running != nil || status.State.Terminated != nil
}

// podLog is the log of a pod, which is opened as the options say.
type podLog struct {
	ctx     context.Context
	pods    typedcorev1.PodInterface
	pod     *corev1.Pod // as it was observed last
	gone    bool        // it does not exist any more
	options corev1.PodLogOptions

	of     *corev1.ContainerStatus // the container whose log is read, as it was when its log was opened
	log    io.ReadCloser           // nil until a log was opened
	before []byte                  // what comes before the rest of log
	inLine bool                    // the last byte does not end a line
}

// begin finds the container whose log comes first, and how many lines at its end.
func (l *podLog) begin() (tail *int64, err error) {
	all := slices.DeleteFunc(containers(l.pod), func(status *corev1.ContainerStatus) bool { return !started(status) })
	if len(all) == 0 { // the kubelet tells why there is no log
		l.of = &corev1.ContainerStatus{Name: render.ContainerName}
		return l.options.TailLines, nil
	}
	l.of = all[0]
	if l.options.TailLines == nil {
		return nil, nil
	}
	left := *l.options.TailLines
	for _, later := range slices.Backward(all[1:]) {
		lines, err := l.count(later.Name, left)
		if err != nil {
			return nil, err
		}
		if lines >= left {
			l.of = later
			break
		}
		left -= lines
	}
	return &left, nil
}

// count returns how many lines a container has written, at most the limit. A log that is lost has those that are left.
func (l *podLog) count(container string, limit int64) (int64, error) {
	options := l.options
	options.Follow, options.TailLines = false, &limit
	log, err := openContainer(l.ctx, l.pods, l.pod.Name, container, options)
	if err != nil {
		return 0, err
	}
	defer func() { _ = log.Close() }() // nothing is written to it
	lines, inLine := int64(0), false
	for buffer := make([]byte, 32<<10); ; {
		n, err := log.Read(buffer)
		if text := buffer[:n]; n > 0 {
			lines += int64(bytes.Count(text, []byte{'\n'}))
			inLine = !bytes.HasSuffix(text, []byte{'\n'})
		}
		switch {
		case err == nil:
			continue
		case !errors.Is(err, io.EOF) && !errors.Is(err, ErrKubelet):
			return 0, fmt.Errorf("count the lines of container %s of pod %s: %w", container, l.pod.Name, err)
		case inLine:
			lines++
		}
		return lines, nil
	}
}

func (l *podLog) open(container string, tail *int64) (io.ReadCloser, error) {
	options := l.options
	options.TailLines = tail
	return openContainer(l.ctx, l.pods, l.pod.Name, container, options)
}

// Read reads the next bytes. If the log is followed, it waits for them.
func (l *podLog) Read(p []byte) (int, error) {
	for len(p) > 0 {
		if len(l.before) > 0 {
			n := copy(p, l.before)
			l.before = l.before[n:]
			return n, nil
		}
		n, err := l.log.Read(p)
		if n > 0 {
			l.inLine = p[n-1] != '\n'
			return n, nil // the next Read returns the error again
		}
		if err != nil {
			if err = l.openNext(err); err != nil {
				return 0, err
			}
		}
	}
	return 0, nil
}

// Close closes the log of the current container.
func (l *podLog) Close() error {
	if l.log == nil {
		return nil
	}
	return l.log.Close()
}

// openNext opens the log of the next container after the end of a log. If there is none, it returns the end.
func (l *podLog) openNext(end error) error {
	for errors.Is(end, io.EOF) || l.isLost(end) {
		next, err := l.await()
		if err != nil {
			return err
		}
		if next == nil {
			return end
		}
		l.before = append(l.before, l.separator(end)...)
		_ = l.Close() // nothing is written to it
		l.of, l.inLine = next, false
		log, err := l.open(next.Name, nil)
		if err == nil {
			l.log = log
			return nil
		}
		end = err
	}
	return end
}

// isLost reports whether an error means that nobody has the rest of the log any more, because its container had ended before.
func (l *podLog) isLost(err error) bool {
	return l.of.State.Terminated != nil && (errors.Is(err, ErrKubelet) || apierrors.IsBadRequest(err))
}

// separator is what separates the log of a container, with its end, from that of the next. It is the same for every reader.
func (l *podLog) separator(end error) (text []byte) {
	if l.inLine {
		text = []byte{'\n'}
	}
	if errors.Is(end, io.EOF) {
		return text
	}
	at := l.of.State.Terminated.FinishedAt.Time
	if since := l.options.SinceTime; since != nil && at.Before(since.Time) {
		return text
	}
	gap := archive.Gap(at)
	if !l.options.Timestamps {
		_, gap, _ = bytes.Cut(gap, []byte{' '})
	}
	return append(text, gap...)
}

// await returns the next container that has started. If the log is followed, it waits for the container's start. It returns nil if none
// will start, or if the pod does not report the end of the container whose log has ended.
func (l *podLog) await() (next *corev1.ContainerStatus, err error) {
	next, over := l.next()
	if next != nil || over || !l.options.Follow {
		return next, nil
	}
	err = AwaitEnd(l.ctx, func(ctx context.Context) (bool, error) {
		err := l.observe(ctx)
		return !slices.ContainsFunc(containers(l.pod), func(status *corev1.ContainerStatus) bool {
			return status.Name == l.of.Name && status.State.Terminated == nil
		}) || l.gone, err
	})
	if wait.Interrupted(err) && l.ctx.Err() == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = wait.PollUntilContextCancel(l.ctx, startPoll, true, func(ctx context.Context) (bool, error) {
		err := l.observe(ctx)
		next, over = l.next()
		return next != nil || over, err
	})
	return next, err
}

// next returns the next container that has started, and otherwise whether none will start any more.
func (l *podLog) next() (next *corev1.ContainerStatus, over bool) {
	all := containers(l.pod)
	at := slices.IndexFunc(all, func(status *corev1.ContainerStatus) bool { return status.Name == l.of.Name })
	if at < 0 {
		return nil, true
	}
	later := all[at+1:]
	if i := slices.IndexFunc(later, started); i >= 0 {
		return later[i], false
	}
	return nil, len(later) == 0 || l.gone || l.pod.DeletionTimestamp != nil || state.Ended(l.pod)
}

// observe reads the pod again.
func (l *podLog) observe(ctx context.Context) error {
	pod, err := l.pods.Get(ctx, l.pod.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), err == nil && pod.UID != l.pod.UID:
		l.gone = true
	case err != nil:
		return fmt.Errorf("get pod %s: %w", l.pod.Namespace+"/"+l.pod.Name, err)
	default:
		l.pod = pod
	}
	return nil
}
