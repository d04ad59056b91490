// SPDX-License-Identifier: Apache-2.0

package documents

import (
	"context"
	"sync"
)

// Restarts runs a watch that begins again when its place has changed. The zero value is ready. It is safe for concurrent use.
type Restarts struct {
	mu      sync.Mutex
	restart context.CancelFunc // of the watch that runs, or nil
}

// Run runs watch until ctx is done, and again after each Restart, even if that came while watch began.
func (r *Restarts) Run(ctx context.Context, watch func(context.Context) error) error {
	for {
		watching, cancel := context.WithCancel(ctx)
		r.mu.Lock()
		r.restart = cancel
		r.mu.Unlock()
		err := watch(watching)
		restarted := watching.Err() != nil && ctx.Err() == nil
		cancel()
		if !restarted {
			return err
		}
	}
}

// Restart ends the watch that runs, which then begins again.
func (r *Restarts) Restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.restart != nil {
		r.restart()
	}
}
