// SPDX-License-Identifier: Apache-2.0

package local

import (
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// ending is the progress of ending a process.
type ending struct {
	deadlineExceeded bool
	asked            bool
	killed           bool
	killAt           time.Time
}

// next decides, from the current pod and the time of its start, which signal is due, if any, and when to call next again, if ever.
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
	case !now.Before(deadline) && !e.asked:
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

// ask sets the time to kill the process. A set time can only be replaced by an earlier one.
func (e *ending) ask(killAt time.Time) {
	if e.killAt.IsZero() || killAt.Before(e.killAt) {
		e.killAt = killAt
	}
}

const (
	// defaultDeadline is the active deadline of pods that set none, and longestDeadline is the longest: those of timeouts.run. A Job of a user would otherwise
	// occupy a worker for ever.
	defaultDeadline = time.Hour
	longestDeadline = 7 * 24 * time.Hour
)

// deadlineOf is when the active deadline of a pod passes.
func deadlineOf(pod *corev1.Pod, started time.Time) time.Time {
	if pod.Spec.ActiveDeadlineSeconds == nil {
		return started.Add(defaultDeadline)
	}
	return started.Add(min(longestDeadline, seconds(pod.Spec.ActiveDeadlineSeconds)))
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

// maxSeconds limits a number of seconds to the range of time.Duration.
const maxSeconds = 1 << 32

func seconds(n *int64) time.Duration {
	return time.Duration(min(max(*n, 0), maxSeconds)) * time.Second
}
