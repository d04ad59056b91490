// SPDX-License-Identifier: Apache-2.0

package state

import (
	"cmp"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// Before the builder of a pod, a fetcher may fetch the files of the source and the artifacts of the base. The build is Starting meanwhile. timeouts.start counts neither
// that time nor anything else after it than the start of the builder; the deadline of the pod, timeouts.run, counts all.

// fetching reports whether the fetcher of a pod has started, and has not ended successfully. The kubelet reports no end of containers that
// the deadline of their pod ended before they had started.
func fetching(pod *corev1.Pod) bool {
	end := fetcherEnd(pod)
	return hasRun(render.FetcherStatus(pod)) && (end == nil || end.ExitCode != 0)
}

// fetcherEnd returns how the fetcher of a pod ended; nil while it has not ended, and without a fetcher.
func fetcherEnd(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	if status := render.FetcherStatus(pod); status != nil {
		return status.State.Terminated
	}
	return nil
}

// fetcherDelay returns what a pod waits for whose fetcher has not ended successfully. It is empty if the builder is next.
func (t *transition) fetcherDelay(pod *corev1.Pod) startDelay {
	status, end := render.FetcherStatus(pod), fetcherEnd(pod)
	switch {
	case status == nil || end != nil && end.ExitCode == 0:
		return startDelay{}
	case status.State.Waiting == nil:
		if inputs.Checked(t.Build.Spec.Inputs.Source) {
			return startDelay{v1alpha1.ReasonFetchingSource, "the files of " + inputs.SourceName(t.Build.Spec.Inputs.Source) + " are being fetched"}
		}
		return startDelay{v1alpha1.ReasonFetchingBase, "the artifacts of the base are being fetched from their registry"}
	}
	waiting := status.State.Waiting
	delay := startDelay{v1alpha1.ReasonWaitingForPod, fmt.Sprintf("the container that fetches the source or the base has not started: %s: %s", waiting.Reason, waiting.Message)}
	switch {
	case pullFailing(waiting):
		delay.reason = v1alpha1.ReasonImagePulling
	case waiting.Reason == "" || waiting.Reason == "ContainerCreating" || waiting.Reason == "PodInitializing":
		return startDelay{v1alpha1.ReasonImagePulling, "the image of the container that fetches the source or the base is being pulled"}
	}
	return delay
}

// fetchTime returns how long the fetcher of the pod has run, at most timeouts.run. While it runs, it is timeouts.run, because the clock of the
// node may differ.
func (t *transition) fetchTime() time.Duration {
	limit := t.Build.Spec.Timeouts.Run.Duration
	switch end := fetcherEnd(t.Pod); {
	case end != nil:
		return min(max(end.FinishedAt.Sub(end.StartedAt.Time), 0), limit)
	case fetching(t.Pod):
		return limit
	}
	return 0
}

// notFetched returns the failure of a pod whose fetcher failed.
func notFetched(pod *corev1.Pod) *v1alpha1.BuildFailure {
	end := fetcherEnd(pod)
	if isEndUnknown(end) {
		return v1alpha1.ReasonNodeLost.Failure("node %s lost the container that fetched the source or the base, for example by a restart: %s",
			pod.Spec.NodeName, cmp.Or(end.Message, end.Reason))
	}
	return cmp.Or(result.ParseNotFetched(end.Message), v1alpha1.ReasonNodeRejected.Failure(
		"the container that fetches the source or the base of pod %s ended with exit code %d: %s", pod.Name, end.ExitCode, cmp.Or(end.Message, end.Reason)))
}
