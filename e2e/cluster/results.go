// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// resultDigests are the digests of artifacts, by target, in the result that the builder in a pod left as its termination message.
func (h *History) resultDigests(pod types.UID) (map[string]string, error) {
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
