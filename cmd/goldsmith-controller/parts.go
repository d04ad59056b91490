// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"time"
)

// endTogether is how long the other parts may take to end after one has failed. One that has lost its lease must be gone,
// with this process, before another process may hold it: that is 15 seconds.
const endTogether = 5 * time.Second

// part is something that runs until its context is done.
type part func(ctx context.Context) error

// runAll runs the parts until ctx is done, and all have ended, or one has failed.
func runAll(ctx context.Context, parts []part) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, len(parts))
	for _, run := range parts {
		go func() { ended <- run(running) }()
	}
	var failure error
	var limit <-chan time.Time
	for range parts {
		select {
		case err := <-ended:
			if failure == nil && err != nil && !errors.Is(err, context.Canceled) {
				failure = err
				limit = time.After(endTogether)
			}
			stop()
		case <-limit:
			return failure
		}
	}
	return failure
}
