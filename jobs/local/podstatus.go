// SPDX-License-Identifier: Apache-2.0

package local

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/local/jobcontroller"
	"goldsmith.dev/goldsmith/jobs/local/process"
	"goldsmith.dev/goldsmith/jobs/render"
)

// Reasons and messages. If the scheduler or the kubelet has one, it is the same.
const (
	reasonDeadlineExceeded = "DeadlineExceeded"
	messageDeadline        = "Pod was active on the node longer than the specified deadline"
	// reasonProcessLost is the reason of the pod and of its DisruptionTarget condition.
	reasonProcessLost = "ProcessLost"
	messageLost       = "The builder was lost, because the server that ran the builder ended"
	// messageSupervisorLost is the message if the server goes on.
	messageSupervisorLost = "The builder was lost, because the process that supervises builders was killed or stopped"
	// reasonUnknown is a kubelet's reason for a container that it cannot find any more.
	reasonUnknown = "ContainerStatusUnknown"
	// reasonStartError is a runtime's reason for a container that it could not start.
	reasonStartError = "StartError"
	exitStartError   = 128
	exitLost         = 137
	exitTerminated   = 143 // of a process that SIGTERM ended
)

func terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// setWaiting reports that the pod waits for a worker, and which workers are busy.
func setWaiting(pod *corev1.Pod, busy string, now time.Time) {
	pod.Status.Phase = corev1.PodPending
	pod.Status.StartTime, pod.Status.ContainerStatuses = nil, nil // it may have waited for a volume before
	setCondition(pod, now, corev1.PodScheduled, corev1.ConditionFalse, v1alpha1.ReasonWaitingForWorker, busy)
}

func waiting(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == v1alpha1.ReasonWaitingForWorker
	})
}

// setCreating reports that the pod's container waits for a volume. From now on the deadline of the pod counts.
func setCreating(pod *corev1.Pod, now time.Time, message string) {
	setObserved(pod, now)
	setPending(pod, now, reasonCreating, message)
}

// setFetching reports that the artifacts of the pod's base are fetched, as a kubelet reports it of a pod that has a container for that.
func setFetching(pod *corev1.Pod, began time.Time) {
	setObserved(pod, began)
	setCondition(pod, began, corev1.PodInitialized, corev1.ConditionFalse, "ContainersNotInitialized", "")
	setPending(pod, began, reasonInitializing, "")
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{
		Name: render.FetcherName, Started: new(true),
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(began)}},
	}}
}

// setPending reports what the pod's container waits for.
func setPending(pod *corev1.Pod, now time.Time, reason, message string) {
	pod.Status.Phase = corev1.PodPending
	setCondition(pod, now, corev1.PodScheduled, corev1.ConditionTrue, "", "")
	for _, kind := range []corev1.PodConditionType{corev1.PodReady, corev1.ContainersReady} {
		setCondition(pod, now, kind, corev1.ConditionFalse, "ContainersNotReady", "")
	}
	container := &pod.Spec.Containers[0]
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: container.Name, Image: container.Image, Started: new(false),
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
	}}
}

// setRunning reports that the pod's process runs.
func setRunning(pod *corev1.Pod, started time.Time, imageID string) {
	setStarted(pod, started)
	pod.Status.Phase = corev1.PodRunning
	setCondition(pod, started, corev1.PodReady, corev1.ConditionTrue, "", "")
	setCondition(pod, started, corev1.ContainersReady, corev1.ConditionTrue, "", "")
	status := containerStatus(pod)
	status.Ready, status.Started, status.ImageID = true, new(true), imageID
	status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(started)}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
}

func setStarted(pod *corev1.Pod, at time.Time) {
	setObserved(pod, at)
	endFetching(pod, corev1.ContainerStateTerminated{Reason: "Completed", FinishedAt: metav1.NewTime(at)})
	setCondition(pod, at, corev1.PodInitialized, corev1.ConditionTrue, "", "")
}

func setObserved(pod *corev1.Pod, at time.Time) {
	pod.Status.ObservedGeneration = pod.Generation
	if pod.Status.StartTime == nil {
		pod.Status.StartTime = new(metav1.NewTime(at))
	}
	setCondition(pod, at, corev1.PodScheduled, corev1.ConditionTrue, "", "")
}

// endFetching reports how the fetching of the base ended, and whether it has run until now.
func endFetching(pod *corev1.Pod, end corev1.ContainerStateTerminated) bool {
	fetcher := render.FetcherStatus(pod)
	if fetcher == nil || fetcher.State.Running == nil {
		return false
	}
	end.StartedAt = fetcher.State.Running.StartedAt
	fetcher.Ready, fetcher.Started = end.ExitCode == 0, new(false)
	fetcher.State = corev1.ContainerState{Terminated: &end}
	return true
}

// notProvided is why a builder was not started that has a base.
type notProvided struct {
	began            time.Time
	deadlineExceeded bool
	exitCode         int32
	message          string // of the container in a cluster
	told             string
}

// setNotProvided reports that the pod's process was not started, because its base could not be provided.
func setNotProvided(pod *corev1.Pod, now time.Time, why notProvided) {
	if render.FetcherStatus(pod) == nil {
		setFetching(pod, why.began)
	}
	endFetching(pod, corev1.ContainerStateTerminated{ExitCode: why.exitCode, Reason: "Error", Message: why.message, FinishedAt: metav1.NewTime(now)})
	pod.Status.Message = why.told
	if why.deadlineExceeded {
		pod.Status.Reason, pod.Status.Message = reasonDeadlineExceeded, messageDeadline
	}
	setNeverStarted(pod, now)
}

// end is how a pod's process ended.
type end struct {
	exit             process.Exit
	message          string
	started, at      time.Time
	deadlineExceeded bool
}

// setEnded reports how the pod's process ended.
func setEnded(pod *corev1.Pod, e end) {
	setStarted(pod, e.started)
	terminated := corev1.ContainerStateTerminated{
		ExitCode:   int32(e.exit.Status()), //nolint:gosec // at most 255
		Reason:     "Completed",
		Message:    e.message,
		StartedAt:  metav1.NewTime(e.started),
		FinishedAt: metav1.NewTime(e.at),
	}
	if terminated.ExitCode != 0 {
		terminated.Reason = "Error"
	}
	phase := corev1.PodSucceeded
	if terminated.ExitCode != 0 || e.deadlineExceeded {
		phase = corev1.PodFailed
	}
	if e.deadlineExceeded {
		pod.Status.Reason, pod.Status.Message = reasonDeadlineExceeded, messageDeadline
	}
	setTerminated(pod, phase, terminated)
}

// setLost reports that it is unknown how the pod's process ended, and why.
func setLost(pod *corev1.Pod, now time.Time, why string) {
	pod.Status.Reason, pod.Status.Message = reasonProcessLost, why
	setCondition(pod, now, corev1.DisruptionTarget, corev1.ConditionTrue, reasonProcessLost, why)
	lost := corev1.ContainerStateTerminated{ExitCode: exitLost, Reason: reasonUnknown, Message: why, FinishedAt: metav1.NewTime(now)}
	if endFetching(pod, lost) {
		setNeverStarted(pod, now)
		return
	}
	setStarted(pod, now)
	lost.StartedAt = *pod.Status.StartTime
	if status := containerStatus(pod); status.State.Running != nil {
		lost.StartedAt = status.State.Running.StartedAt
	}
	setTerminated(pod, corev1.PodFailed, lost)
}

// setExpired reports that the pod's process was not started before the deadline of the pod.
func setExpired(pod *corev1.Pod, now time.Time) {
	pod.Status.Reason, pod.Status.Message = reasonDeadlineExceeded, messageDeadline
	setNeverStarted(pod, now)
}

// setRejected reports that the pod's process was not started for a reason that is not the builder's fault. The container has
// no state, as in a pod that a kubelet rejects.
func setRejected(pod *corev1.Pod, now time.Time, message string) {
	setStarted(pod, now)
	pod.Status.Reason, pod.Status.Message = jobcontroller.ReasonNotStarted, message
	setNeverStarted(pod, now)
}

func setNeverStarted(pod *corev1.Pod, now time.Time) {
	setObserved(pod, now)
	pod.Status.Phase = corev1.PodFailed
	for _, kind := range []corev1.PodConditionType{corev1.PodReady, corev1.ContainersReady} {
		setCondition(pod, now, kind, corev1.ConditionFalse, "PodFailed", "")
	}
}

// setNotStarted reports that the pod's process could not be started, and never will be.
func setNotStarted(pod *corev1.Pod, now time.Time, message string) {
	setRefused(pod, now, &refusal{reasonStartError, message})
}

// setRefused reports that the pod's process is not started, and never will be.
func setRefused(pod *corev1.Pod, now time.Time, why *refusal) {
	setStarted(pod, now)
	pod.Status.Message = why.message
	setTerminated(pod, corev1.PodFailed, corev1.ContainerStateTerminated{
		ExitCode: exitStartError, Reason: why.reason, Message: why.message, FinishedAt: metav1.NewTime(now),
	})
}

func setTerminated(pod *corev1.Pod, phase corev1.PodPhase, terminated corev1.ContainerStateTerminated) {
	pod.Status.Phase = phase
	reason := "PodFailed"
	if phase == corev1.PodSucceeded {
		reason = "PodCompleted"
		setCondition(pod, terminated.FinishedAt.Time, corev1.PodInitialized, corev1.ConditionTrue, reason, "")
	}
	setCondition(pod, terminated.FinishedAt.Time, corev1.PodReady, corev1.ConditionFalse, reason, "")
	setCondition(pod, terminated.FinishedAt.Time, corev1.ContainersReady, corev1.ConditionFalse, reason, "")
	status := containerStatus(pod)
	status.Ready, status.Started = false, new(false)
	if !terminated.StartedAt.IsZero() {
		terminated.ContainerID = status.ContainerID
	}
	status.State = corev1.ContainerState{Terminated: &terminated}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	for _, refused := range pod.Spec.Containers[1:] { // a refused pod may have more of them
		status := corev1.ContainerStatus{Name: refused.Name, Image: refused.Image, Started: new(false)}
		status.State = corev1.ContainerState{Terminated: &terminated}
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, status)
	}
}

// containerStatus is the current or initial status of the pod's first container.
func containerStatus(pod *corev1.Pod) corev1.ContainerStatus {
	container := &pod.Spec.Containers[0]
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == container.Name && status.State.Waiting == nil {
			return status
		}
	}
	return corev1.ContainerStatus{
		Name:        container.Name,
		Image:       container.Image,
		ImageID:     container.Image,
		ContainerID: "local://" + string(pod.UID),
	}
}

func setCondition(pod *corev1.Pod, now time.Time, kind corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) {
	condition := corev1.PodCondition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: pod.Generation, LastTransitionTime: metav1.NewTime(now),
	}
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == kind })
	if i < 0 {
		pod.Status.Conditions = append(pod.Status.Conditions, condition)
		return
	}
	if old := pod.Status.Conditions[i]; old.Status == status {
		condition.LastTransitionTime = old.LastTransitionTime
	}
	pod.Status.Conditions[i] = condition
}
