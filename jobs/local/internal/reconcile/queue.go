// SPDX-License-Identifier: Apache-2.0

// Package reconcile has queues of objects, by name and UID, and the workers that reconcile them. It does not know what the objects are.
package reconcile

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
)

// Ref identifies an object by its name and UID.
type Ref struct {
	// Namespace and Name are those of the object.
	Namespace, Name string
	// UID tells the object from others of its name.
	UID types.UID
}

// RefOf returns the reference of an object.
func RefOf(object metav1.Object) Ref {
	return Ref{object.GetNamespace(), object.GetName(), object.GetUID()}
}

// String returns NAMESPACE/NAME.
func (r Ref) String() string { return r.Namespace + "/" + r.Name }

// Queue holds the objects to reconcile.
type Queue struct {
	workqueue.TypedRateLimitingInterface[Ref]
}

// NewQueue returns an empty queue.
func NewQueue(c clock.WithTicker) Queue {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[Ref](5*time.Millisecond, 30*time.Second)
	return Queue{workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[Ref]{Clock: c})}
}

// Work reconciles the objects of the queue, one at a time, until the queue is shut down. An object whose reconciling fails comes again later.
func (q Queue) Work(ctx context.Context, kind string, logger logr.Logger, sync func(context.Context, Ref) error) {
	for {
		ref, shutdown := q.Get()
		if shutdown {
			return
		}
		if err := sync(ctx, ref); err != nil {
			if ctx.Err() == nil {
				logger.V(1).Info("Reconciling failed, will retry", "kind", kind, "object", ref.String(), "error", err.Error())
			}
			q.AddRateLimited(ref)
		} else {
			q.Forget(ref)
		}
		q.Done(ref)
	}
}

// Handle returns a handler that calls enqueue for each object that is added, changed or deleted.
func Handle(enqueue func(any)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, object any) { enqueue(object) },
		DeleteFunc: func(object any) {
			if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = tombstone.Obj
			}
			enqueue(object)
		},
	}
}
