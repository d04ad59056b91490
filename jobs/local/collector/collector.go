// SPDX-License-Identifier: Apache-2.0

// Package collector replaces two controllers of kube-controller-manager on a server without one: the garbage collector,
// which deletes objects without owners, and the namespace controller, which empties terminating namespaces. It reads only the
// metadata of objects and treats every served kind alike.
//
// An owner counts as missing only if the server itself answers 404, or the name has another UID. Every deletion or patch must
// name the UID of the object that was judged.
package collector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

const (
	defaultWorkers = 8

	firstRetry = 5 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// Options are what a Collector needs.
type Options struct {
	// Client discovers what is served, and finalizes namespaces. Required.
	Client kubernetes.Interface

	// Metadata reads, patches and deletes objects of every kind. Required.
	// Every collected object costs one write: a client-side rate limit slows a large fan-out down accordingly.
	Metadata metadata.Interface

	// Workers is how many objects are judged, and how many namespaces are emptied, at the same time. 0 means 8.
	Workers int

	// Clock paces retries and dates namespace conditions. Nil means the real one.
	Clock clock.WithTicker
}

// Collector deletes objects whose owners do not exist, performs foreground and orphaning deletion, and empties terminating
// namespaces.
type Collector struct {
	options Options
}

// New returns a Collector that does nothing until it is run. It fails when a client is missing.
func New(options Options) (*Collector, error) {
	if options.Client == nil || options.Metadata == nil {
		return nil, errors.New("collector: Client and Metadata are required")
	}
	if options.Workers <= 0 {
		options.Workers = defaultWorkers
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	return &Collector{options: options}, nil
}

// Run discovers what the server serves, watches it, and collects until ctx is done; then it returns nil.
// It fails at once when discovery does: a kind that it does not know is a kind whose objects it cannot judge.
// Kinds that the server starts to serve later are not noticed.
func (c *Collector) Run(ctx context.Context) error {
	served, err := discover(ctx, c.options.Client.Discovery())
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("discover what is served: %w", err)
	}
	graph, err := newGraph(c.options.Metadata, served)
	if err != nil {
		return err
	}
	owners := newOwners(c.options, served, graph)
	namespaces := newNamespaces(c.options, served, graph)
	if err := graph.subscribe(owners, namespaces); err != nil {
		return err
	}

	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { graph.run(ctx) })
	if !graph.waitForSync(ctx) {
		return nil // ctx was done first
	}
	for range c.options.Workers {
		running.Go(func() { work(ctx, owners.queue, owners.judge) })
		running.Go(func() { work(ctx, namespaces.queue, namespaces.end) })
	}

	<-ctx.Done()
	owners.queue.ShutDown()
	namespaces.queue.ShutDown()
	return nil
}

func newQueue[T comparable](name string, clock clock.WithTicker) workqueue.TypedRateLimitingInterface[T] {
	return workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[T](firstRetry, lastRetry),
		workqueue.TypedRateLimitingQueueConfig[T]{Name: name, Clock: clock})
}

// work processes the items of the queue until the queue is shut down. It retries a failed item with backoff.
func work[T comparable](ctx context.Context, queue workqueue.TypedRateLimitingInterface[T], do func(context.Context, T) error) {
	logger := klog.FromContext(ctx)
	for {
		item, stopped := queue.Get()
		if stopped {
			return
		}
		err := do(ctx, item)
		switch {
		case err == nil:
			queue.Forget(item)
		case ctx.Err() != nil: // the failure is ours: the next run judges anew
		case apierrors.IsConflict(err):
			logger.V(4).Info("The object has changed, will retry", "item", item, "reason", err)
			queue.AddRateLimited(item)
		default:
			logger.Error(err, "Collecting failed, will retry", "item", item)
			queue.AddRateLimited(item)
		}
		queue.Done(item)
	}
}
