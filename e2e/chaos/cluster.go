// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/kind"
)

const (
	// clusterName is that of the kind cluster, which the program makes and removes.
	clusterName = "goldsmith-chaos"
	// nodeIsLost is after how long Kubernetes gives up the pods of a node that does not answer: its controller manager waits 50 s, and
	// deletes the pods of builds 30 s later at most.
	nodeIsLost = 90 * time.Second
)

// inCluster is Goldsmith in a kind cluster with two workers.
type inCluster struct {
	api
	kind        *kind.Cluster
	environment cluster.Environment
	backedUp    bool
}

// newCluster makes the cluster, and installs Goldsmith with the container images of the version.
func newCluster(ctx context.Context, version string) (*inCluster, error) {
	made, err := kind.New(clusterName, kind.Options{Workers: 2})
	if err != nil {
		return nil, err
	}
	c := &inCluster{api: api{observeEvery: time.Second / 2}, kind: made}
	if err := c.install(ctx, version); err != nil {
		return nil, errors.Join(err, c.end(context.WithoutCancel(ctx), false))
	}
	return c, nil
}

func (c *inCluster) install(ctx context.Context, version string) error {
	kubeconfig, err := c.kind.Create(ctx)
	if err != nil {
		return err
	}
	for _, image := range []string{"goldsmith-apiserver", "goldsmith-controller", "mock-builder"} {
		if err := c.kind.LoadImage(ctx, image+":"+version); err != nil {
			return err
		}
	}
	nodes, err := cluster.KindNodes(ctx, c.kind)
	if err != nil {
		return err
	}
	c.environment = cluster.Environment{
		Config: c.kind.KubernetesRestConfig(), Kubeconfig: kubeconfig, Nodes: nodes, Overlay: "kustomize/overlays/kind", Version: version,
		Kubectl: func(ctx context.Context, args ...string) *exec.Cmd {
			command := exec.CommandContext(ctx, filepath.Join(c.kind.Tools(), "kubectl"), args...)
			command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
			return command
		},
	}
	if err := c.connect(c.environment.Config); err != nil {
		return err
	}
	return c.environment.Install(ctx)
}

func (c *inCluster) reach() *api { return &c.api }

func (c *inCluster) paces() (users, faults pace) {
	return pace{time.Second, userWeights}, pace{10 * time.Second, map[string]int{
		killAPIServer: 3, killEtcd: 3, killController: 3, killBuilder: 3, deleteServer: 3, cutPod: 5, cutWorker: 3, freezeWorker: 3, restartWorker: 1,
		backUp: 3, restore: 2,
	}}
}

func (c *inCluster) faults() map[string]action {
	return map[string]action{
		killAPIServer:  c.killOne(cluster.APIServer),
		killEtcd:       c.killOne(cluster.Etcd),
		killController: c.killOne(cluster.Controller),
		killBuilder:    c.killBuilder,
		deleteServer:   c.deleteServer,
		cutPod:         c.cutPod,
		cutWorker:      c.cutWorker,
		freezeWorker:   c.freezeWorker,
		restartWorker: func(ctx context.Context, pick uint64) error {
			return c.environment.Nodes.Restart(ctx, choose(c.environment.Nodes.Workers(), pick))
		},
		backUp:  func(ctx context.Context, _ uint64) error { return c.backUp(ctx) },
		restore: func(ctx context.Context, _ uint64) error { return c.restore(ctx) },
	}
}

// resume waits until everything that Kubernetes and Goldsmith need has come back.
func (c *inCluster) resume(ctx context.Context) error {
	err := wait.PollUntilContextTimeout(ctx, time.Second, c.patience(), true, func(ctx context.Context) (bool, error) {
		nodes, err := c.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, nil
		}
		return !slices.ContainsFunc(nodes.Items, func(node corev1.Node) bool {
			return !slices.ContainsFunc(node.Status.Conditions, func(condition corev1.NodeCondition) bool {
				return condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue
			})
		}), nil
	})
	if err != nil {
		return fmt.Errorf("wait for the nodes: %w", err)
	}
	return c.environment.WaitReady(ctx)
}

// patience has room for a lost node, and for the back-off of containers that ended often.
func (c *inCluster) patience() time.Duration { return 15 * time.Minute }

func (c *inCluster) end(ctx context.Context, keep bool) error {
	if keep {
		fmt.Println("the cluster is kept: kubectl --context", c.kind.GetKubectlContext())
		return nil
	}
	return c.kind.Destroy(ctx)
}

func choose[T any](all []T, pick uint64) T { return all[pick%uint64(len(all))] }

// seconds is up to twenty seconds.
func seconds(pick uint64) time.Duration {
	return time.Duration(pick%20_000) * time.Millisecond
}

// ofGoldsmith chooses a pod of these parts of Goldsmith that runs.
func (c *inCluster) ofGoldsmith(ctx context.Context, pick uint64, parts ...string) (*corev1.Pod, error) {
	return c.running(ctx, cluster.Namespace, "app.kubernetes.io/name in ("+strings.Join(parts, ",")+")", pick)
}

func (c *inCluster) running(ctx context.Context, namespace, selector string, pick uint64) (*corev1.Pod, error) {
	list, err := c.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	pods := slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return !podRuns(&pod) })
	if len(pods) == 0 {
		return nil, errNothing
	}
	return new(choose(pods, pick)), nil
}

// killOne kills the process of one of the pods.
func (c *inCluster) killOne(part string) action {
	return func(ctx context.Context, pick uint64) error {
		pod, err := c.ofGoldsmith(ctx, pick, part)
		if err != nil {
			return err
		}
		return c.environment.KillContainer(ctx, pod.Spec.NodeName, pod.Status.ContainerStatuses[0].ContainerID)
	}
}

func (c *inCluster) killBuilder(ctx context.Context, pick uint64) error {
	pod, err := c.running(ctx, namespace, "", pick)
	if err != nil {
		return err
	}
	return c.environment.KillContainer(ctx, pod.Spec.NodeName, pod.Status.ContainerStatuses[0].ContainerID)
}

func (c *inCluster) deleteServer(ctx context.Context, pick uint64) error {
	pod, err := c.ofGoldsmith(ctx, pick, cluster.APIServer, cluster.Etcd, cluster.Controller)
	if err != nil {
		return err
	}
	grace := int64(pick >> 8 % 2 * 30)
	return ignoreNotFound(c.kube.CoreV1().Pods(cluster.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &grace}))
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// cutPodScript drops every packet in the network namespace of a pod for some seconds. The node heals it, whatever becomes of this program.
// Without the pod there is no such namespace any more.
const cutPodScript = `
sandbox=$(crictl pods --quiet --no-trunc --state ready --label "io.kubernetes.pod.uid=$0") && test -n "$sandbox" || exit 0
pid=$(crictl inspectp --output go-template --template '{{.info.pid}}' "$sandbox") || exit 0
in_pod() { nsenter --target "$pid" --net iptables --wait "$1" "$2" --jump DROP; }
in_pod --insert INPUT && in_pod --insert OUTPUT
sleep "$1"
in_pod --delete INPUT
in_pod --delete OUTPUT
true`

func (c *inCluster) cutPod(ctx context.Context, pick uint64) error {
	pod, err := c.ofGoldsmith(ctx, pick, cluster.APIServer, cluster.Etcd, cluster.Controller)
	if err != nil {
		return err
	}
	_, err = c.environment.Nodes.Run(ctx, pod.Spec.NodeName, "sh", "-c", cutPodScript, string(pod.UID), fmt.Sprint(seconds(pick>>8).Seconds()))
	return err
}

// cutWorkerScript drops every packet that a node gets from others or sends to them, those of its pods included.
const cutWorkerScript = `
between() { iptables --wait --table mangle "$1" "$2" "$3" eth0 --jump DROP; }
between --insert PREROUTING --in-interface && between --insert POSTROUTING --out-interface
sleep "$0"
between --delete PREROUTING --in-interface
between --delete POSTROUTING --out-interface`

func (c *inCluster) cutWorker(ctx context.Context, pick uint64) error {
	_, err := c.environment.Nodes.Run(ctx, choose(c.environment.Nodes.Workers(), pick), "sh", "-c", cutWorkerScript, fmt.Sprint(period(pick>>8).Seconds()))
	return err
}

// period is so long that Kubernetes gives up the node each fifth time.
func period(pick uint64) time.Duration {
	if pick%5 == 0 {
		return nodeIsLost
	}
	return seconds(pick >> 8)
}

func (c *inCluster) freezeWorker(ctx context.Context, pick uint64) error {
	worker := choose(c.environment.Nodes.Workers(), pick)
	if err := c.environment.Nodes.Pause(ctx, worker); err != nil {
		return err
	}
	select {
	case <-time.After(period(pick >> 8)):
	case <-ctx.Done():
	}
	return c.environment.Nodes.Unpause(context.WithoutCancel(ctx), worker)
}
