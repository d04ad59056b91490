// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"goldsmith.dev/goldsmith/e2e/deadline"
)

// Postgres is the database of records that an installation brings along: a StatefulSet.
const Postgres = "goldsmith-postgres"

// onControlPlane schedules the pod to the control plane's node, so that other nodes can be lost.
const onControlPlane = `[{"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {"node-role.kubernetes.io/control-plane": ""}}, ` +
	`{"op": "add", "path": "/spec/template/spec/tolerations", "value": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}]}]`

// Records are a database that builds are recorded in, which is part of the installation.
type Records struct {
	// Image is the container image of PostgreSQL. It is on the control plane's node already. Default: SQLite, in a cluster of
	// one node.
	Image string
	// Password is that of the database's user.
	Password string
}

// addTo adds to a kustomization the component that brings the database along, and the Secret of its user.
func (r *Records) addTo(k *kustomization) {
	if r == nil {
		return
	}
	if r.Image == "" {
		k.components = append(k.components, "records-sqlite")
		return
	}
	name, tag, _ := strings.Cut(r.Image, ":")
	k.components = append(k.components, "records-postgres")
	k.images = append(k.images, fmt.Sprintf("{name: postgres, newName: %q, newTag: %q}", name, tag))
	k.secrets = append(k.secrets, fmt.Sprintf("{name: goldsmith-records, namespace: %s, files: [password]}", Namespace))
	k.patches = append(k.patches, fmt.Sprintf("target: {kind: StatefulSet, name: %s}\n  patch: '%s'", Postgres, onControlPlane))
	k.files["password"] = r.Password
}

// database is the workload of the records database.
var database = workload{namespace: Namespace, object: "statefulset/" + Postgres, pods: "--selector=app.kubernetes.io/name=" + Postgres}

// StopRecords stops the records database, and returns when it has ended. Its records stay. It may be called again.
func (e Environment) StopRecords(ctx context.Context) error { return e.stop(ctx, database) }

// StartRecords starts the database again, and returns when it serves. It may be called again.
func (e Environment) StartRecords(ctx context.Context) error { return e.start(ctx, database) }

// CrashRecords waits until the database runs, and then ends its processes at once, even during a write. The database recovers
// by itself, in another pod. CrashRecords does not delete the pod by force: the next pod would then start beside processes that
// still run, and two servers destroy the data that they share.
func (e Environment) CrashRecords(ctx context.Context) error {
	pods := e.Kube().CoreV1().Pods(Namespace)
	err := wait.PollUntilContextTimeout(ctx, polling, deadline.Rollout.Deadline(), true, func(ctx context.Context) (bool, error) {
		list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + Postgres})
		if err != nil {
			return false, err
		}
		for _, pod := range list.Items {
			for _, container := range pod.Status.ContainerStatuses {
				if pod.DeletionTimestamp != nil || container.State.Running == nil {
					continue // it has crashed, or has not started
				}
				if err := e.KillContainer(ctx, pod.Spec.NodeName, container.ContainerID); err != nil {
					return false, err
				}
				return true, pods.Delete(ctx, pod.Name, metav1.DeleteOptions{})
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("crash %s: %w", Postgres, err)
	}
	return nil
}
