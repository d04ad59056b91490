// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/jobs/queue"
)

var _ source.SyncingSource = &Queue{}

// String is the name of the source in the log.
func (q *Queue) String() string { return "queue of builds" }

// Prepare starts to cache the objects of the queue before the queue starts, so that a process that waits to be elected has them.
func Prepare(ctx context.Context, of cache.Cache) error {
	for _, kind := range []client.Object{&v1alpha1.ImageBuild{}, caches.Namespace()} {
		if _, err := of.GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("keep %T for the queue: %w", kind, err)
		}
	}
	return nil
}

// Start begins to fill the ledger. From WaitForSync on, builds that may start are added to due.
func (q *Queue) Start(ctx context.Context, due workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	go func() { q.synced <- q.fill(ctx, due) }()
	return nil
}

// WaitForSync returns once the queue has every build and the settings of Namespaces, and has admitted the builds that it can.
func (q *Queue) WaitForSync(ctx context.Context) error {
	select {
	case err := <-q.synced:
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("fill the queue: %w", err)
		}
		return nil
	case <-ctx.Done():
		return nil // the controller is told to stop
	}
}

func (q *Queue) fill(ctx context.Context, due workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	for kind, handler := range map[client.Object]toolscache.ResourceEventHandler{
		&v1alpha1.ImageBuild{}: q.BuildEvents(),
		caches.Namespace():     q.namespaceEvents(ctx),
	} {
		informer, err := q.Cache.GetInformer(ctx, kind)
		if err != nil {
			return fmt.Errorf("%T: %w", kind, err)
		}
		registration, err := informer.AddEventHandler(handler)
		if err != nil {
			return fmt.Errorf("%T: %w", kind, err)
		}
		if !toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
			return errors.Join(fmt.Errorf("%T: the cache did not sync", kind), ctx.Err())
		}
	}
	if err := q.catchUp(ctx); err != nil {
		return err
	}
	q.Open(due)
	return nil
}

// Open admits builds from now on, and adds them to due. The ledger has the builds, and is not behind.
func (q *Queue) Open(due workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.due, q.open = due, true
	q.admit(queue.Key{})
}

// events calls observe with each object that the cache has, and forget with each object that it had.
func events[T client.Object](observe, forget func(T)) toolscache.ResourceEventHandler {
	typed := func(call func(T)) func(any) {
		return func(object any) {
			if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			if object, ok := object.(T); ok { // an informer has one kind
				call(object)
			}
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    typed(observe),
		UpdateFunc: func(_, object any) { typed(observe)(object) },
		DeleteFunc: typed(forget),
	}
}

// BuildEvents takes the builds that the cache has.
func (q *Queue) BuildEvents() toolscache.ResourceEventHandler {
	return events(func(build *v1alpha1.ImageBuild) {
		q.mutex.Lock()
		defer q.mutex.Unlock()
		q.measure(build, q.ledger.Observe(build))
		q.admit(queue.Key{})
	}, func(build *v1alpha1.ImageBuild) {
		q.mutex.Lock()
		defer q.mutex.Unlock()
		q.ledger.Forget(client.ObjectKeyFromObject(build), build.UID)
		q.admit(queue.Key{})
	})
}

func (q *Queue) namespaceEvents(ctx context.Context) toolscache.ResourceEventHandler {
	return events(func(namespace *metav1.PartialObjectMetadata) {
		q.observeNamespace(ctx, namespace)
	}, func(namespace *metav1.PartialObjectMetadata) {
		q.observeNamespace(ctx, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: namespace.Name}})
	})
}

// observeNamespace takes the settings of a Namespace, and reports each problem of them once.
func (q *Queue) observeNamespace(ctx context.Context, namespace *metav1.PartialObjectMetadata) {
	share, err := queue.ShareOf(namespace.Annotations)
	q.mutex.Lock()
	defer q.mutex.Unlock()
	switch {
	case err == nil:
		delete(q.complaints, namespace.Name)
	case q.complaints[namespace.Name] != err.Error():
		q.complaints[namespace.Name] = err.Error()
		ctrl.LoggerFrom(ctx).Info("a namespace has invalid settings for its share of the queue", "namespace", namespace.Name, "err", err.Error())
		q.Events.Event(eventsOf(namespace), corev1.EventTypeWarning, v1alpha1.EventInvalidAnnotation, share.Problem)
	}
	q.ledger.SetNamespace(namespace.Name, share)
	q.admit(queue.Key{})
}

// eventsOf refers to a Namespace as an object in itself. So its events are there, and not in the namespace default.
func eventsOf(namespace *metav1.PartialObjectMetadata) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: corev1.SchemeGroupVersion.String(), Kind: "Namespace", Namespace: namespace.Name, Name: namespace.Name, UID: namespace.UID,
	}
}
