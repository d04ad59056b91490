// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"
	"time"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
)

// quietTime is how long a step of the start may take without a line.
const quietTime = 10 * time.Second

// await runs a step of the start. If it takes long, a line tells what the start waits for.
func (o *Options) await(what string, step func() error) error {
	return o.awaitQuietly(quietTime, what, step)
}

// awaitQuietly runs a step of the start, which may take so long without a line.
func (o *Options) awaitQuietly(quiet time.Duration, what string, step func() error) error {
	o.Service.Status("starting: waiting for " + what)
	timer := o.clock.AfterFunc(quiet, func() {
		_, _ = fmt.Fprintf(o.Notices, "still starting: waiting for %s\n", what) // a notice that nobody can read is no failure
	})
	defer timer.Stop()
	return step()
}

// claim claims the data directory.
func (o *Options) claim(ctx context.Context) (*datadir.Directory, error) {
	return datadir.Claim(ctx, o.DataDirectory, o.Version, o.Memory, o.clock, func(what string, step func() error) error {
		return o.awaitQuietly(time.Second, what, step)
	})
}
