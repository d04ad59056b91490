// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// LoadPostgres puts PostgreSQL onto the control plane's node of the cluster, which must exist, and returns the name of its container image:
// packages of Debian, with the programs in the PATH, and no database. It is built first where it is not there yet, which takes a
// minute once on a machine.
func (c *Cluster) LoadPostgres(ctx context.Context) (image string, err error) {
	said, err := output(ctx, c.options.Progress, filepath.Join(filepath.Dir(c.script), "postgres", "load"), c.name)
	if err != nil {
		return "", fmt.Errorf("postgres for cluster %s: %w", c.name, err)
	}
	return strings.TrimSpace(said), nil
}
