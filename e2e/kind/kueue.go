// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"fmt"
	"path/filepath"
)

// InstallKueue installs Kueue in the cluster, which must exist, and returns when Kueue serves. It first builds Kueue's controller
// if that is missing, which takes minutes once on a machine. Kueue queues only Jobs that name a queue. It neither sees nor delays
// other Jobs, even when it has stopped. If Kueue runs already, nothing changes.
func (c *Cluster) InstallKueue(ctx context.Context) error {
	return c.kueue(ctx, "up")
}

// RemoveKueue removes Kueue, and all objects of its kinds in any state. Jobs that Kueue has suspended stay suspended.
// Without Kueue it does nothing.
func (c *Cluster) RemoveKueue(ctx context.Context) error {
	return c.kueue(ctx, "down")
}

func (c *Cluster) kueue(ctx context.Context, verb string) error {
	script := filepath.Join(filepath.Dir(c.script), "kueue", verb)
	if _, err := output(ctx, c.options.Progress, script, c.name); err != nil {
		return fmt.Errorf("kueue in cluster %s: %w", c.name, err)
	}
	return nil
}
