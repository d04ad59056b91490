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
	"goldsmith.dev/goldsmith/e2e/invariants"
	"goldsmith.dev/goldsmith/e2e/kind"
)

const (
	// clusterName is the name of the kind cluster, which the program makes and removes.
	clusterName = "goldsmith-chaos"
	// nodeIsLost is how long a node is unreachable so that Kubernetes evicts its pods: the controller manager waits 50 s, and the
	// pods of builds tolerate the taint for 60 s more. The next attempts start in the remaining time.
	nodeIsLost = 150 * time.Second
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
	// One that a violation has left has builds of another schedule.
	if err := made.Destroy(ctx); err != nil {
		return nil, err
	}
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
	return pace{time.Second, userWeights}, pace{20 * time.Second, map[string]int{
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
		restartWorker:  c.restartWorker,
		backUp:         func(ctx context.Context, _ uint64) error { return c.backUp(ctx) },
		restore:        func(ctx context.Context, _ uint64) error { return c.restore(ctx) },
	}
}

// resume waits until all components that Kubernetes and Goldsmith need have recovered.
func (c *inCluster) resume(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, c.patience())
	defer stop()
	if err := until(ctx, c.nodesAreReady); err != nil {
		return fmt.Errorf("wait for the nodes: %w", err)
	}
	// A container that was killed often starts again only after minutes, and a rollout is not waited for that long.
	if err := until(ctx, c.environment.WaitReady); err != nil {
		return fmt.Errorf("wait for Goldsmith: %w", err)
	}
	return nil
}

func (c *inCluster) nodesAreReady(ctx context.Context) error {
	nodes, err := c.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, node := range nodes.Items {
		if !slices.ContainsFunc(node.Status.Conditions, func(condition corev1.NodeCondition) bool {
			return condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue
		}) {
			return fmt.Errorf("node %s is not ready", node.Name)
		}
	}
	return nil
}

// until repeats a function until it succeeds. If it never succeeds, until returns the last error before ctx was done.
func until(ctx context.Context, succeeds func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		err := succeeds(ctx)
		if err != nil && (last == nil || ctx.Err() == nil) {
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
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
	pods := slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return !invariants.Runs(&pod) })
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

// cutPodScript drops every packet in the network namespace of a pod for some seconds. The node restores the network even if this program
// ends. A deleted pod has no network namespace any more.
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
	// Again, if need be: runc gives up if a process of the node is busy in the kernel for too long
	// (https://github.com/opencontainers/runc/pull/4388).
	pausing, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	if err := until(pausing, func(ctx context.Context) error { return c.environment.Nodes.Pause(ctx, worker) }); err != nil {
		return err
	}
	select {
	case <-time.After(period(pick >> 8)):
	case <-ctx.Done():
	}
	return c.environment.Nodes.Unpause(context.WithoutCancel(ctx), worker)
}

// restartWorker returns once containers of the worker can be killed again.
func (c *inCluster) restartWorker(ctx context.Context, pick uint64) error {
	worker := choose(c.environment.Nodes.Workers(), pick)
	if err := c.environment.Nodes.Restart(ctx, worker); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	return until(ctx, func(ctx context.Context) error {
		_, err := c.environment.Nodes.Run(ctx, worker, "crictl", "ps")
		return err
	})
}
