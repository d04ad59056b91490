// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Nodes returns the names of the nodes, sorted: the control plane's is first, and is always there. A node's name is its
// container's too.
func (c *Cluster) Nodes(ctx context.Context) ([]string, error) {
	names, err := output(ctx, io.Discard, "docker", "ps", "--all", "--format", "{{.Names}}",
		"--filter", "label=io.x-k8s.kind.cluster="+c.name)
	if err != nil {
		return nil, fmt.Errorf("nodes of cluster %s: %w", c.name, err)
	}
	nodes := strings.Fields(names)
	slices.Sort(nodes)
	return nodes, nil
}

// PauseNode freezes everything on a node, as if its machine had lost power or network: nothing ends, and nothing answers.
func (c *Cluster) PauseNode(ctx context.Context, node string) error {
	return c.docker(ctx, "pause", node)
}

// UnpauseNode resumes a paused node.
func (c *Cluster) UnpauseNode(ctx context.Context, node string) error {
	return c.docker(ctx, "unpause", node)
}

// RestartNode stops a node and starts it again, as a reboot does: its containers end, its disk stays. The control plane's
// node keeps its port on this machine. It returns when the node's container runs, which is before the node is ready.
func (c *Cluster) RestartNode(ctx context.Context, node string) error {
	return c.docker(ctx, "restart", node)
}

// docker does something to a node of this cluster, and to nothing else.
func (c *Cluster) docker(ctx context.Context, verb, node string) error {
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(nodes, node) {
		return fmt.Errorf("%s node %s: cluster %s has %q", verb, node, c.name, nodes)
	}
	if _, err := output(ctx, io.Discard, "docker", verb, node); err != nil {
		return fmt.Errorf("%s node %s: %w", verb, node, err)
	}
	return nil
}
