// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"goldsmith.dev/goldsmith/e2e/kind"
)

// kindNodes are the nodes of a kind cluster: each is a Docker container of the node's name.
type kindNodes struct {
	cluster *kind.Cluster
	names   []string // the control plane's is the first
}

// KindNodes are the nodes of a kind cluster. Without workers the control plane counts as one.
func KindNodes(ctx context.Context, cluster *kind.Cluster) (Nodes, error) {
	names, err := cluster.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("no nodes: is it a kind cluster of this machine, and its name right?")
	}
	return kindNodes{cluster, names}, nil
}

// ControlPlane is the node that kube-apiserver runs on.
func (k kindNodes) ControlPlane() string { return k.names[0] }

// Workers are the nodes that builds run on.
func (k kindNodes) Workers() []string {
	if len(k.names) == 1 {
		return k.names
	}
	return k.names[1:]
}

// Pause freezes the processes of a node.
func (k kindNodes) Pause(ctx context.Context, node string) error {
	return k.cluster.PauseNode(ctx, node)
}

// Unpause resumes paused nodes.
func (k kindNodes) Unpause(ctx context.Context, node string) error {
	return k.cluster.UnpauseNode(ctx, node)
}

// Restart stops a node and starts it again.
func (k kindNodes) Restart(ctx context.Context, node string) error {
	return k.cluster.RestartNode(ctx, node)
}

// Run runs a command on a node.
func (k kindNodes) Run(ctx context.Context, node string, command ...string) ([]byte, error) {
	var complaints bytes.Buffer
	run := exec.CommandContext(ctx, "docker", append([]string{"exec", node}, command...)...)
	run.Stderr = &complaints
	output, err := run.Output()
	if err != nil {
		return output, fmt.Errorf("running %v on node %s: %w: %s", command, node, err, complaints.Bytes())
	}
	return output, nil
}

// killScript kills until the container has ended. One that ends by itself meanwhile has no process any more: its PID is then 0, and
// to kill that would kill the shell.
const killScript = `
while running=$(crictl ps --quiet --no-trunc --state running --id "$0") || exit; test -n "$running"; do
  pid=$(crictl inspect --output go-template --template '{{.info.pid}}' "$0") && test "$pid" -gt 0 && kill -KILL "$pid"
  sleep 0.1
done`

// KillContainer ends the processes of a container on a node the way a crash does, without a word, and waits for their end. One that
// has ended is no error. The ID is that of a container status.
func (e Environment) KillContainer(ctx context.Context, node, containerID string) error {
	_, id, _ := strings.Cut(containerID, "://")
	_, err := e.Nodes.Run(ctx, node, "sh", "-c", killScript, id)
	return err
}
