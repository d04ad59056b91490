// SPDX-License-Identifier: Apache-2.0

// Package image decides when a build of an Image is due, asks for it, and keeps the Image's status and history.
// Numbers and names of builds are not its business: the API's instantiate subresource gives them out.
package image

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/caches"
	"goldsmith.dev/goldsmith/controllers/reconciliation"
)

const (
	// workers is how many Images are looked at at the same time.
	workers = 4
	// settle is how long the news of a build that goes on may wait to get into its Image's status: phases that
	// follow each other more quickly cost one write.
	settle = 100 * time.Millisecond
)

// SetupWithManager adds the controller to a manager whose cache was made with package caches.
func SetupWithManager(manager ctrl.Manager, options reconciliation.Options) error {
	r := &reconciler{Options: options, cache: manager.GetCache()}
	return ctrl.NewControllerManagedBy(manager).
		Named("image").
		// Status has two writers, this controller and instantiate; both make a build known, and that is watched.
		For(&v1alpha1.Image{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.ImageBuild{}, buildEvents()).
		WatchesMetadata(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.imagesOfConfigMap)).
		WithOptions(reconciliation.Settings(workers)).
		Complete(r)
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// buildEvents looks at an Image at once when one of its builds has finished or is gone, otherwise after a moment.
func buildEvents() handler.EventHandler {
	enqueue := func(object client.Object, q queue, after time.Duration) {
		if build, ok := object.(*v1alpha1.ImageBuild); ok && build.Spec.ImageRef != nil {
			q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: build.Namespace, Name: build.Spec.ImageRef.Name}}, after)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { enqueue(e.Object, q, settle) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			after := settle
			if build, ok := e.ObjectNew.(*v1alpha1.ImageBuild); ok && build.Status.Finished {
				after = 0
			}
			enqueue(e.ObjectNew, q, after)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { enqueue(e.Object, q, 0) },
	}
}

// imagesOfConfigMap finds the Images whose source is a ConfigMap.
func (r *reconciler) imagesOfConfigMap(ctx context.Context, configMap client.Object) []reconcile.Request {
	images := &v1alpha1.ImageList{}
	err := r.cache.List(ctx, images, client.InNamespace(configMap.GetNamespace()), client.UnsafeDisableDeepCopy,
		client.MatchingFields{caches.ImagesByConfigMap: configMap.GetName()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "looking for images of a ConfigMap", "configMap", client.ObjectKeyFromObject(configMap))
		return nil
	}
	requests := make([]reconcile.Request, len(images.Items))
	for i := range images.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&images.Items[i])
	}
	return requests
}
