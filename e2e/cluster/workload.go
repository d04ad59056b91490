// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"

	"goldsmith.dev/goldsmith/e2e/deadline"
)

// workload is a Deployment or a StatefulSet with one replica, which specs stop and start.
type workload struct {
	namespace string
	// object is the workload as kubectl takes it: "KIND/NAME".
	object string
	// pods is the argument by which kubectl selects the pods of the workload.
	pods string
}

// stop scales a workload to 0, and returns when its pods are deleted. Its volumes stay. It may be called again.
func (e Environment) stop(ctx context.Context, w workload) error {
	if err := e.kubectl(ctx, "--namespace="+w.namespace, "scale", w.object, "--replicas=0"); err != nil {
		return err
	}
	return e.kubectl(ctx, "--namespace="+w.namespace, "wait", "--for=delete", "pods", w.pods, "--timeout="+deadline.Rollout.Deadline().String())
}

// start scales a workload to 1, and returns when its pod is ready. It may be called again.
func (e Environment) start(ctx context.Context, w workload) error {
	if err := e.kubectl(ctx, "--namespace="+w.namespace, "scale", w.object, "--replicas=1"); err != nil {
		return err
	}
	return e.kubectl(ctx, "--namespace="+w.namespace, "rollout", "status", w.object, "--timeout="+deadline.Rollout.Deadline().String())
}
