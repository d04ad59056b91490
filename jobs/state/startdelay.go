// SPDX-License-Identifier: Apache-2.0

package state

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// startDelay is the reason and message with which the condition PodReady reports why a container has not started.
type startDelay struct {
	reason, message string
}

var (
	podNotStarted   = startDelay{v1alpha1.ReasonWaitingForPod, "the pod of the attempt's Job has not started"}
	volumesNotReady = startDelay{v1alpha1.ReasonWaitingForPod, "the pod's volumes and network are being set up"}
	imageNotPulled  = startDelay{v1alpha1.ReasonImagePulling, "the builder's image is being pulled"}
)

// awaitStart lets the attempt wait. After startDelayGrace, the status reports the delay.
func (t *transition) awaitStart(e evidence) {
	t.after = t.startTimeLeft()
	if e.passing {
		t.after = min(t.after, untilNextObservation(t.age()))
	}
	if early := startDelayGrace - t.age(); early > 0 {
		t.after = min(t.after, early)
		return
	}
	t.record()
	t.wait(e.delay)
}

// startDelayOf returns why a pod's container has not started.
func (t *transition) startDelayOf(pod *corev1.Pod) evidence {
	if unscheduled := podCondition(pod, corev1.PodScheduled, corev1.ConditionFalse); unscheduled != nil {
		if unscheduled.Reason == v1alpha1.ReasonWaitingForWorker {
			return evidence{held: startDelay{unscheduled.Reason, unscheduled.Message}}
		}
		return evidence{delay: startDelay{v1alpha1.ReasonUnschedulable, unscheduled.Message}}
	}
	if delay := t.fetcherDelay(pod); delay != (startDelay{}) {
		return evidence{delay: delay}
	}
	state := containerWaiting(pod)
	if state == nil {
		return evidence{delay: podNotStarted}
	}
	message := fmt.Sprintf("%s: %s", state.Reason, state.Message)
	switch state.Reason {
	case "InvalidImageName":
		return evidence{failure: v1alpha1.ReasonInvalidImageName.Failure("check the builder's image reference: %s", cmp.Or(state.Message, state.Reason))}
	case "CreateContainerConfigError":
		// A kubelet that has not read a Secret or a ConfigMap yet reports the same reason, and tries again.
		if contains(state.Message, []string{"failed to sync "}) || t.mayAppear(state.Message) {
			return evidence{delay: startDelay{v1alpha1.ReasonWaitingForPod, message}, passing: true}
		}
		return evidence{failure: v1alpha1.ReasonBuilderNotRunnable.Failure("%s", message)}
	case "", "ContainerCreating", "PodInitializing":
		if podCondition(pod, corev1.PodReadyToStartContainers, corev1.ConditionFalse) != nil {
			return evidence{delay: volumesNotReady}
		}
		return evidence{delay: imageNotPulled}
	}
	if pullFailing(state) {
		return evidence{delay: startDelay{v1alpha1.ReasonImagePulling, message}}
	}
	return evidence{delay: startDelay{v1alpha1.ReasonWaitingForPod, message}} // such as CreateContainerError: the kubelet tries again
}

// startTimeout returns the failure of an attempt whose container did not start in time. The last delay decides which failure.
func (t *transition) startTimeout(last startDelay) *v1alpha1.BuildFailure {
	limit := t.Build.Spec.Timeouts.Start
	if t.Pod != nil {
		if state := containerWaiting(t.Pod); state != nil && pullFailing(state) {
			return v1alpha1.ReasonImagePullFailed.Failure("builder image was not pulled within %s (timeouts.start): check the image reference and the registry credentials: %s",
				limit, cmp.Or(state.Message, state.Reason))
		}
	}
	if t.Pod == nil && last == podNotStarted || last.message == "" {
		return v1alpha1.ReasonStartTimeout.Failure("no container started within %s (timeouts.start): the Job has no pod: see the events of the Job", limit)
	}
	object := "Job"
	if t.Pod != nil {
		object = "pod"
	}
	return v1alpha1.ReasonStartTimeout.Failure("no container started within %s (timeouts.start): see the events of the %s: %s: %s",
		limit, object, last.reason, last.message)
}

// pullFailing reports whether the image cannot be pulled, or was pulled and cannot be used. Kubelets keep trying.
func pullFailing(state *corev1.ContainerStateWaiting) bool {
	return slices.Contains([]string{
		"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "SignatureValidationFailed", "ImageInspectError", "ErrImageNeverPull",
	}, state.Reason)
}

func podCondition(pod *corev1.Pod, kind corev1.PodConditionType, status corev1.ConditionStatus) *corev1.PodCondition {
	for i, condition := range pod.Status.Conditions {
		if condition.Type == kind && condition.Status == status {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
