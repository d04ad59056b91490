// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"time"
)

// endTogether is how long the other parts may take to end after one part has failed. A process that has lost its Lease must
// end before another process can hold the Lease, which takes 15 seconds.
const endTogether = 5 * time.Second

// A part runs until its context is done.
type part func(ctx context.Context) error

// runAll runs the parts until ctx is done or one part has failed. It returns once all parts have ended, or endTogether after
// a failure.
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
