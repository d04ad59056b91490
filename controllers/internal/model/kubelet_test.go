// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/invariants"
)

// workOnPod does the next step of the scheduler or the kubelet for a pod. It returns false if there is no step.
func (w *environment) workOnPod(pod *corev1.Pod, how int) bool {
	truth := w.truth.pods[pod.UID]
	owned := slices.ContainsFunc(w.jobs.all, func(job *batchv1.Job) bool { return job.UID == ownerOf(pod) })
	if !owned && ownerOf(pod) != "" && pod.DeletionTimestamp == nil { // the garbage collector comes first
		w.deletePod(pod, "")
		return true
	}
	if truth.node == nodeLost && !w.peace && how%3 > 0 {
		return false // nobody is there to do anything, but for a moment
	}
	if truth.node == nodeHangs {
		return false
	}
	container := stateOf(pod)
	switch {
	case podOver(pod):
		switch {
		case pod.DeletionTimestamp == nil:
			return false
		case *pod.DeletionGracePeriodSeconds > 0: // the first half of the kubelet's last request; the API server forgets the time of the first request
			w.changePod(pod, func(next *corev1.Pod) {
				next.DeletionTimestamp, next.DeletionGracePeriodSeconds = new(w.time()), new(int64(0))
			})
		default:
			remove(w, &w.pods, pod)
		}
		return true
	case pod.DeletionTimestamp != nil && container.Running != nil:
		// It ends by the signal, or just before.
		truth.killed = how%4 > 0
		w.terminate(pod, end{code: 143, started: true}, how%4 == 0)
		return true
	case container.Terminated != nil:
		w.finishPod(pod, "")
		return true
	case pod.DeletionTimestamp != nil:
		remove(w, &w.pods, pod)
		return true
	case container.Running != nil:
		w.run(pod, how)
		return true
	case pod.Spec.NodeName == "":
		w.schedule(pod, how)
		return true
	}
	w.startPod(pod, how)
	return true
}

func (w *environment) schedule(pod *corev1.Pod, how int) {
	w.changePod(pod, func(next *corev1.Pod) {
		if !w.peace && how%8 == 0 {
			reason := corev1.PodReasonUnschedulable
			if how%16 == 0 {
				reason = v1alpha1.ReasonWaitingForWorker // the report of the runtime of one machine
			}
			w.addCondition(next, corev1.PodScheduled, corev1.ConditionFalse, reason)
			return
		}
		next.Spec.NodeName = "node"
		w.addCondition(next, corev1.PodScheduled, corev1.ConditionTrue, "")
	})
}

// startPod starts the container, or sets the reason why the container waits.
func (w *environment) startPod(pod *corev1.Pod, how int) {
	waiting := func(reason, message string) {
		w.changePod(pod, func(next *corev1.Pod) {
			setState(next, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}})
		})
	}
	switch {
	case w.peace:
	case how%12 == 1:
		waiting("ImagePullBackOff", "no such image")
		return
	case how%24 == 2:
		waiting("InvalidImageName", "no name")
		return
	case how%24 == 3:
		waiting("CreateContainerConfigError", `secret "s" not found`)
		return
	case how%24 == 4:
		w.finishPod(pod, "OutOfcpu")
		return
	case how%24 == 5:
		w.finishPod(pod, "DeadlineExceeded")
		return
	case how%24 == 6:
		w.terminate(pod, end{code: 128, reason: "StartError"}, false)
		return
	}
	w.changePod(pod, func(next *corev1.Pod) {
		w.truth.pods[pod.UID].startedAt = w.now
		next.Status.Phase = corev1.PodRunning
		setState(next, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: w.time()}})
	})
	w.hold(invariants.OneRuns(w.pods.all, w.truth.owners, w.now))
}

// run has a container that runs end, one way or another.
func (w *environment) run(pod *corev1.Pod, how int) {
	switch stopping := pod.Spec.ActiveDeadlineSeconds != nil && *pod.Spec.ActiveDeadlineSeconds <= 1; {
	case stopping && how%4 > 0, !stopping && !w.peace && how%16 == 1:
		w.terminate(pod, end{code: 137, started: true}, false)
		if now, ok := w.pods.get(pod.Name); ok {
			w.truth.pods[pod.UID].overdue = true
			w.finishPod(now, "DeadlineExceeded")
		}
	case w.peace || how%2 == 0:
		w.terminate(pod, end{code: 0, started: true}, true)
	default:
		w.terminate(pod, ends[how/16%len(ends)], false)
	}
}

// disrupt plays a disruption of a pod or its node.
func (w *environment) disrupt(pod *corev1.Pod, how int) {
	if podOver(pod) && how%10 < 9 {
		return
	}
	switch how % 10 {
	case 0:
		w.deletePod(pod, "EvictionByEvictionAPI")
	case 1:
		w.deletePod(pod, corev1.PodReasonPreemptionByScheduler)
	case 2, 3:
		if how/10%8 > 0 && w.truth.pods[pod.UID].node == nodeUp && stateOf(pod).Running != nil {
			w.truth.pods[pod.UID].node = nodeHangs
			return
		}
		w.truth.pods[pod.UID].node = nodeLost
		w.deletePod(pod, "DeletionByTaintManager")
	case 4:
		w.changePod(pod, func(next *corev1.Pod) {
			next.Status.Phase, next.Status.Reason = corev1.PodFailed, "Terminated"
			w.addCondition(next, corev1.DisruptionTarget, corev1.ConditionTrue, corev1.PodReasonTerminationByKubelet)
		})
	case 5:
		w.changePod(pod, func(next *corev1.Pod) {
			next.Status.Phase = corev1.PodFailed
			w.addCondition(next, corev1.DisruptionTarget, corev1.ConditionTrue, "ProcessLost")
		})
	case 6:
		w.finishPod(pod, "Evicted")
	case 7, 8:
		w.deletePod(pod, "")
	case 9:
		if pod.DeletionTimestamp != nil {
			remove(w, &w.pods, pod) // by force
			return
		}
		w.deletePod(pod, "")
	}
}
