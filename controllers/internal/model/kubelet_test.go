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
		success := how%4 == 0 && (!publishing(pod) || told(pod) && w.attestsAtEnd(pod, how))
		truth.killed = !success
		if publishing(pod) && !success {
			w.cover.publisher("deleted")
		}
		w.terminate(pod, end{code: 143, started: true}, success)
		return true
	case container.Terminated != nil:
		w.finishPod(pod, "")
		return true
	case publishing(pod) && container.Running == nil && (pod.DeletionTimestamp != nil || stopping(pod)):
		w.finishBetween(pod)
		return true
	case pod.DeletionTimestamp != nil:
		remove(w, &w.pods, pod)
		return true
	case container.Running != nil:
		return w.run(pod, how)
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

// startPod starts the builder or the publisher, or sets the reason why the container waits.
func (w *environment) startPod(pod *corev1.Pod, how int) {
	if !w.fetch(pod) {
		return
	}
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
	case how%24 == 4 && !publishing(pod):
		w.finishPod(pod, "OutOfcpu")
		return
	case how%24 == 5:
		w.truth.pods[pod.UID].overdue = publishing(pod)
		w.finishPod(pod, "DeadlineExceeded")
		return
	case how%24 == 6:
		w.terminate(pod, end{code: 128, reason: "StartError"}, false)
		return
	}
	w.changePod(pod, func(next *corev1.Pod) {
		if !publishing(pod) {
			w.truth.pods[pod.UID].startedAt = w.now
			w.beginContent(pod)
			w.ask(pod)
		}
		if publishing(pod) || !publishes(pod) {
			next.Status.Phase = corev1.PodRunning
		}
		setState(next, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: w.time()}})
	})
	w.hold(invariants.OneContainerRuns(w.pods.all, w.truth.owners, w.now))
}

// stopping reports whether the deadline of a pod has passed because it was lowered.
func stopping(pod *corev1.Pod) bool {
	return pod.Spec.ActiveDeadlineSeconds != nil && *pod.Spec.ActiveDeadlineSeconds <= 1
}

// told reports whether the publisher of a pod knows the result of the builder.
func told(pod *corev1.Pod) bool { return pod.Annotations[v1alpha1.AnnotationResult] != "" }

// finishBetween ends a pod whose builder has ended and whose publisher has not started.
func (w *environment) finishBetween(pod *corev1.Pod) {
	w.cover.publisher("never started")
	if pod.DeletionTimestamp != nil {
		w.finishPod(pod, "")
		return
	}
	w.truth.pods[pod.UID].overdue = true
	w.finishPod(pod, "DeadlineExceeded")
}

// run has a container that runs end, one way or another. It returns false if the container waits.
func (w *environment) run(pod *corev1.Pod, how int) bool {
	waits := publishing(pod) && !told(pod)
	switch {
	case w.troubled && w.version%3 == 0 && w.truth.pods[pod.UID].content != nil && !w.runsTests(pod):
		w.terminate(pod, ends[w.version/3%len(ends)], false)
	case stopping(pod) && (how%4 > 0 || waits), !stopping(pod) && !w.peace && how%16 == 1:
		if publishing(pod) {
			w.cover.publisher("ended by its deadline")
		}
		w.terminate(pod, end{code: 137, started: true}, false)
		if now, ok := w.pods.get(pod.Name); ok {
			w.truth.pods[pod.UID].overdue = true
			w.finishPod(now, "DeadlineExceeded")
		}
	case waits && !w.peace && how%16 == 3:
		w.cover.publisher("crashed before it knew the result")
		w.terminate(pod, end{code: 2, started: true}, false)
	case waits:
		return false
	case publishing(pod) && (!w.peace && how%4 > 0 || w.peace && w.version%8 == 0): // also in peace, because more schedules come so far
		how := publisherEnds[(how/16+w.version/8)%len(publisherEnds)]
		w.cover.publisher(how.name)
		w.terminate(pod, how.end, false)
	case publishes(pod) && !publishing(pod) && w.peace && w.version%16 == 0:
		w.terminate(pod, end{started: true}, false) // without a result
	case publishing(pod) && (w.peace || how%2 == 0):
		return w.publishNext(pod, how/4)
	case w.peace || how%2 == 0:
		w.terminate(pod, end{code: 0, started: true}, true)
		if next, ok := w.pods.get(pod.Name); ok && publishes(pod) && !publishing(pod) && how%8 > 0 {
			w.startPod(next, how/8) // at once
		}
	default:
		w.terminate(pod, ends[how/16%len(ends)], false)
	}
	return true
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
