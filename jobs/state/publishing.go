// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
)

// publish lets the publisher of a pod go on, and tells in the condition PodReady what it does. A publisher that does not start within
// timeouts.start of the builder's end, for example because its image cannot be pulled, ends its pod, which keeps the log.
func (t *transition) publish() {
	if !publishing(t.Pod) || Ended(t.Pod) {
		return
	}
	if waitsForResult(t.Pod) {
		t.action = PassResult
	}
	age := t.sinceBuilderEnd(t.Pod)
	reason, message := v1alpha1.ReasonContainerStarted, "the builder has ended, and its artifacts are being published"
	if !publisherStarted(t.Pod) {
		reason, message = v1alpha1.ReasonWaitingForPublisher, v1alpha1.CutMessage(notPublishing+t.publisherDelay(t.Pod))
		if left := t.Build.Spec.Timeouts.Start.Duration + rounding - age; left > 0 {
			t.after = min(t.after, left)
		} else if t.mayBeStopped() {
			t.action = StopPod
		}
	}
	if early := startDelayGrace - age; early > 0 {
		t.after = min(t.after, early)
		return
	}
	t.condition(v1alpha1.BuildPodReady, metav1.ConditionTrue, reason, message)
}

// sinceBuilderEnd returns how long ago the builder of a pod ended. The clock of a node may differ, so the node tells only how long the builder
// ran, after the start that the status has.
func (t *transition) sinceBuilderEnd(pod *corev1.Pod) time.Duration {
	started := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildPodReady)
	end := terminated(pod)
	if started == nil || started.Status != metav1.ConditionTrue {
		return 0
	}
	return t.Now.Sub(started.LastTransitionTime.Add(end.FinishedAt.Sub(end.StartedAt.Time)))
}

// latePublishFailure returns the failure of a pod whose deadline passed after the end of its builder.
func (t *transition) latePublishFailure(pod *corev1.Pod) *v1alpha1.BuildFailure {
	if !publisherStarted(pod) {
		return v1alpha1.ReasonArtifactNotStored.Failure(
			"the publisher of pod %s did not start within timeouts.start (%s) of the builder's end, or within timeouts.run: %s: the operator sets its image with --publisher-image",
			pod.Name, t.Build.Spec.Timeouts.Start, t.publisherDelay(pod))
	}
	if awaited := awaitedSigner(t.status); awaited != nil {
		return v1alpha1.ReasonRunTimeout.Failure("the builder ended, but its artifacts were not signed within %s (timeouts.run) of the start of pod %s: %s",
			t.Build.Spec.Timeouts.Run, pod.Name, awaited.Message)
	}
	return v1alpha1.ReasonRunTimeout.Failure("the builder ended, but its artifacts were not published within %s of the start of pod %s: raise timeouts.run, or find out why %s is slow",
		t.Build.Spec.Timeouts.Run, pod.Name, t.Build.Spec.Inputs.Output.Repository)
}

// notPublishing begins the message of the condition PodReady while the publisher has not started.
const notPublishing = "the builder has ended, and the publisher has not started: "

// publisherDelay returns why the publisher of a pod has not started. The kubelet forgets that at the end of the pod, the condition does not.
func (t *transition) publisherDelay(pod *corev1.Pod) string {
	if status := render.PublisherStatus(pod); status != nil && status.State.Waiting != nil {
		if text := strings.Trim(status.State.Waiting.Reason+": "+status.State.Waiting.Message, ": "); text != "" {
			return text
		}
	}
	if ready := meta.FindStatusCondition(t.status.Conditions, v1alpha1.BuildPodReady); ready != nil {
		if text, ok := strings.CutPrefix(ready.Message, notPublishing); ok {
			return text
		}
	}
	return "see the events of the pod"
}

// publishing reports whether the builder of a pod has ended successfully, and the pod publishes what it made, or has.
func publishing(pod *corev1.Pod) bool {
	end := terminated(pod)
	return render.Publishes(pod) && end != nil && end.ExitCode == 0
}

// publisherStarted reports whether the publisher of a pod has run, even briefly.
func publisherStarted(pod *corev1.Pod) bool { return hasRun(render.PublisherStatus(pod)) }

// publisherEnd returns how the publisher of a pod ended; nil if it has not.
func publisherEnd(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	if status := render.PublisherStatus(pod); status != nil {
		return status.State.Terminated
	}
	return nil
}

// waitsForResult reports whether a pod's publisher waits for the result of the builder.
func waitsForResult(pod *corev1.Pod) bool {
	_, hasResult := pod.Annotations[v1alpha1.AnnotationResult]
	return publishing(pod) && !hasResult && !Ended(pod) && pod.DeletionTimestamp == nil
}
