// SPDX-License-Identifier: Apache-2.0

package local

import (
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// ending is how far a process has been brought to its end.
type ending struct {
	deadlineExceeded bool
	asked            bool
	killed           bool
	killAt           time.Time
}

// next decides, from the pod as it is now and when it was started, which signal is due, if any, and when to look again,
// if ever.
func (e *ending) next(pod *corev1.Pod, started time.Time, kill bool, now time.Time) (due syscall.Signal, again time.Time) {
	switch {
	case e.killed:
		return 0, time.Time{}
	case kill:
		e.killed = true
		return syscall.SIGKILL, time.Time{}
	}
	deadline := deadlineOf(pod, started)
	switch {
	case pod.DeletionTimestamp != nil:
		e.ask(now.Add(deletionGrace(pod)))
	case !deadline.IsZero() && !now.Before(deadline) && !e.asked:
		e.deadlineExceeded = true
		e.ask(now.Add(grace(pod)))
	case !e.asked:
		return 0, deadline
	}
	if !now.Before(e.killAt) {
		e.killed = true
		return syscall.SIGKILL, time.Time{}
	}
	if !e.asked {
		e.asked = true
		return syscall.SIGTERM, e.killAt
	}
	return 0, e.killAt
}

// ask sets when to kill; a time that has been set may only come nearer.
func (e *ending) ask(killAt time.Time) {
	if e.killAt.IsZero() || killAt.Before(e.killAt) {
		e.killAt = killAt
	}
}

// deadlineOf is when a pod has been active for too long: zero if never.
func deadlineOf(pod *corev1.Pod, started time.Time) time.Time {
	if pod.Spec.ActiveDeadlineSeconds == nil {
		return time.Time{}
	}
	return started.Add(seconds(pod.Spec.ActiveDeadlineSeconds))
}

func grace(pod *corev1.Pod) time.Duration {
	if pod.Spec.TerminationGracePeriodSeconds == nil {
		return corev1.DefaultTerminationGracePeriodSeconds * time.Second
	}
	return seconds(pod.Spec.TerminationGracePeriodSeconds)
}

func deletionGrace(pod *corev1.Pod) time.Duration {
	if pod.DeletionGracePeriodSeconds == nil {
		return grace(pod)
	}
	return seconds(pod.DeletionGracePeriodSeconds)
}

// maxSeconds keeps a number of seconds within what a time.Duration can hold.
const maxSeconds = 1 << 32

func seconds(n *int64) time.Duration {
	return time.Duration(min(max(*n, 0), maxSeconds)) * time.Second
}
