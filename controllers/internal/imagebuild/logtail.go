// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/podlog"
)

const (
	// logTailBytes is how much of the end of a failed attempt's log is kept in its status.
	logTailBytes = 2 << 10
	// logTailSlack is how much of it may be left out, so that it begins with a line.
	logTailSlack = logTailBytes / 8
	// logTailTimeout is how long reading them may take. The kubelet of a busy node answers late, and one that does not answer
	// must not hold up the build.
	logTailTimeout = 10 * time.Second
)

// addLogTail adds the end of the builder's log to a failure that is about to be stored: to that of the build if the attempt is its last, or else
// to that of the attempt. Without a log there is no tail.
func (r *reconciler) addLogTail(ctx context.Context, build *v1alpha1.ImageBuild, pod *corev1.Pod, status *v1alpha1.ImageBuildStatus) {
	if pod == nil || len(status.Attempts) == 0 || len(status.Attempts) != len(build.Status.Attempts) {
		return
	}
	attempt := &status.Attempts[len(status.Attempts)-1]
	if before := build.Status.Attempts[len(status.Attempts)-1]; before.Outcome != "" || attempt.Failure == nil || attempt.PodUID != pod.UID {
		return
	}
	failure := attempt.Failure
	if status.Phase == v1alpha1.BuildFailed {
		failure = status.Failure
	}
	failure.LogTail = r.readLogTail(ctx, pod)
}

func (r *reconciler) readLogTail(ctx context.Context, pod *corev1.Pod) string {
	ctx, cancel := context.WithTimeout(ctx, logTailTimeout)
	defer cancel()
	lines := int64(logTailBytes) // the end has no more: each line has a byte at least
	stream, err := podlog.OpenBuilder(ctx, r.Kube.CoreV1().Pods(pod.Namespace), pod.Name, corev1.PodLogOptions{TailLines: &lines})
	if err != nil {
		klog.FromContext(ctx).V(2).Info("the failure has no log tail", "pod", klog.KObj(pod), "err", err)
		return ""
	}
	defer func() { _ = stream.Close() }() // nothing is written to it
	tail := &tail{}
	if _, err := io.Copy(tail, stream); err != nil {
		klog.FromContext(ctx).V(2).Info("the log tail may be incomplete", "pod", klog.KObj(pod), "err", err)
	}
	return lastBytes(strings.ToValidUTF8(string(tail.kept), "\uFFFD"), logTailBytes)
}

// tail keeps the end of what is written to it.
type tail struct{ kept []byte }

// Write keeps the end.
func (t *tail) Write(text []byte) (int, error) {
	t.kept = append(t.kept, text...)
	if over := len(t.kept) - 2*logTailBytes; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(text), nil
}

// lastBytes cuts a text to its last bytes. It cuts no character and, unless the line is long, no line.
func lastBytes(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	before, text := text[:len(text)-limit], text[len(text)-limit:]
	if end := strings.IndexByte(text, '\n') + 1; !strings.HasSuffix(before, "\n") && end <= logTailSlack {
		text = text[end:]
	}
	for len(text) > 0 && !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	return text
}
