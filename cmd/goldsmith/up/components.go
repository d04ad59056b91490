// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// components run at the same time. They start one by one and stop in the reverse order, so that each component stops only after
// the components that use it.
type components struct {
	running []*component
	ended   chan struct{} // closed when the first component has ended
	end     sync.Once
}

type component struct {
	name string
	stop context.CancelFunc
	done chan struct{}
	err  error // known when done is closed
}

func newComponents() *components {
	return &components{ended: make(chan struct{})}
}

// start runs a component until it is stopped. Its context has the values of ctx, not its end.
func (c *components) start(ctx context.Context, name string, run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	part := &component{name: name, stop: stop, done: make(chan struct{})}
	c.running = append(c.running, part)
	go func() {
		part.err = run(ctx)
		switch stopped := ctx.Err() != nil; {
		case part.err == nil && !stopped:
			part.err = errors.New("ended by itself")
		case errors.Is(part.err, context.Canceled) && stopped:
			part.err = nil
		}
		close(part.done)
		c.end.Do(func() { close(c.ended) })
	}()
}

// whileRunning derives a context that is also done when a component has ended.
func (c *components) whileRunning(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		c.wait(ctx)
	}()
	return ctx, cancel
}

// wait returns when ctx is done or a component has ended.
func (c *components) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-c.ended:
	}
}

// stop stops all components, the last component first, and returns the errors of all components.
func (c *components) stop() error {
	var failures []error
	for len(c.running) > 0 {
		last := c.running[len(c.running)-1]
		c.running = c.running[:len(c.running)-1]
		last.stop()
		<-last.done
		if last.err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", last.name, last.err))
		}
	}
	return errors.Join(failures...)
}
