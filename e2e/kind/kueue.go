// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"fmt"
	"path/filepath"
)

// InstallKueue makes Kueue run in the cluster, which must exist, and returns when it serves. Its own controller is built
// first where it is not there yet, which takes minutes once on a machine. Kueue queues Jobs that name a queue; those of others
// it neither sees nor holds up, even when it has stopped. Where it runs already nothing changes.
func (c *Cluster) InstallKueue(ctx context.Context) error {
	return c.kueue(ctx, "up")
}

// RemoveKueue removes Kueue, and all objects of its kinds, in whatever state they are. Jobs that it holds stay suspended.
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
