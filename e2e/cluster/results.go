// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// reported are the digests that the builder in a pod has left in its termination message, by target.
func (h *History) reported(pod types.UID) (map[string]string, error) {
	for _, version := range slices.Backward(h.pods[pod]) {
		for _, container := range version.Status.ContainerStatuses {
			if container.State.Terminated == nil {
				continue
			}
			var result struct {
				Artifacts []struct{ Target, Digest string }
			}
			if err := json.Unmarshal([]byte(container.State.Terminated.Message), &result); err != nil {
				return nil, fmt.Errorf("the result of pod %s: %w", version.Name, err)
			}
			digests := map[string]string{}
			for _, artifact := range result.Artifacts {
				digests[artifact.Target] = artifact.Digest
			}
			return digests, nil
		}
	}
	return nil, fmt.Errorf("no pod %q was seen to end", pod)
}

// String is the history as text, a line for each version of an object.
func (h *History) String() string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var lines []string
	line := func(uid types.UID, format string, arguments ...any) {
		text := fmt.Sprintf(format, arguments...)
		if at, gone := h.gone[uid]; gone {
			text += fmt.Sprintf(" (gone %s after the start)", at.Sub(h.start).Round(1e6))
		}
		lines = append(lines, text)
	}
	for uid, versions := range h.images {
		line(uid, "image %s %+v", last(versions).Name, last(versions).Status)
	}
	for uid, versions := range h.builds {
		for _, build := range versions {
			text := ""
			for _, attempt := range build.Status.Attempts {
				text += fmt.Sprintf(" [%d job %s pod %s on %q %s %v]", attempt.Number, attempt.JobUID, attempt.PodUID, attempt.NodeName, attempt.Outcome, attempt.Failure)
			}
			line(uid, "build %s version %10s %s%s", build.Name, build.ResourceVersion, build.Status.Phase, text)
		}
	}
	for uid, versions := range h.jobs {
		for _, job := range versions {
			line(uid, "job %s version %10s %s created %s %+v", job.Name, job.ResourceVersion, job.UID, job.CreationTimestamp, job.Status)
		}
	}
	for uid, versions := range h.pods {
		for _, pod := range versions {
			line(uid, "pod %s version %10s %s on %q %s %s %+v", pod.Name, pod.ResourceVersion, pod.UID, pod.Spec.NodeName, pod.Status.Phase, pod.Status.Reason, pod.Status.ContainerStatuses)
		}
	}
	slices.SortFunc(lines, cmp.Compare[string])
	return strings.Join(lines, "\n")
}
