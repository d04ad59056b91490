// SPDX-License-Identifier: Apache-2.0

// Package imagebuild drives each ImageBuild through its attempts: it stores what jobs/state decides and does what the
// stored status calls for. It decides nothing by itself, and nothing from memory: after a crash at any step it goes on
// from what the API holds.
package imagebuild

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/keymutex"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/caches"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// workers is how many builds are looked at at the same time.
const workers = 8

// Options of the controller. All are required.
type Options struct {
	// Client writes builds.
	Client versioned.Interface
	// Kube reads ConfigMaps and logs and writes Jobs and pods.
	Kube kubernetes.Interface
	// Builders are what the operator allows.
	Builders inputs.Builders
	// Events records what happened to a build.
	Events record.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock
}

// SetupWithManager adds the controller to a manager whose cache was made with package caches.
func SetupWithManager(manager ctrl.Manager, options Options) error {
	r := &reconciler{Options: options, cache: manager.GetCache(), turns: keymutex.NewHashed(0)}
	return ctrl.NewControllerManagedBy(manager).
		Named("imagebuild").
		// Only this controller writes status, and it goes on by itself after each write.
		For(&v1alpha1.ImageBuild{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&batchv1.Job{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(buildOfPod)).
		Watches(&v1alpha1.ImageBuild{}, r.siblingsOfFinished()).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, CacheSyncTimeout: time.Hour}).
		Complete(r)
}

// buildOfPod finds the build that a pod was made for. The reconciler checks whether it really was.
func buildOfPod(_ context.Context, pod client.Object) []reconcile.Request {
	name := pod.GetLabels()[v1alpha1.LabelBuild]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: pod.GetNamespace(), Name: name}}}
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// siblingsOfFinished looks at the waiting builds of an Image when one of its builds has finished or is gone.
func (r *reconciler) siblingsOfFinished() handler.EventHandler {
	enqueue := func(ctx context.Context, object client.Object, q queue) {
		build, ok := object.(*v1alpha1.ImageBuild)
		if !ok || build.Spec.ImageRef == nil {
			return
		}
		siblings, err := r.siblings(ctx, build)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "looking for builds that wait", "imageBuild", client.ObjectKeyFromObject(build))
			return
		}
		for i := range siblings {
			if !siblings[i].Status.Phase.Finished() {
				q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&siblings[i])})
			}
		}
	}
	return handler.Funcs{
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			before, _ := e.ObjectOld.(*v1alpha1.ImageBuild)
			after, _ := e.ObjectNew.(*v1alpha1.ImageBuild)
			if before != nil && after != nil && !before.Status.Finished && after.Status.Finished {
				enqueue(ctx, after, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { enqueue(ctx, e.Object, q) },
	}
}

// siblings are the other builds of a build's Image. They are shared with the cache and must not be changed.
func (r *reconciler) siblings(ctx context.Context, build *v1alpha1.ImageBuild) ([]v1alpha1.ImageBuild, error) {
	list := &v1alpha1.ImageBuildList{}
	err := r.cache.List(ctx, list, client.InNamespace(build.Namespace), client.UnsafeDisableDeepCopy,
		client.MatchingFields{caches.BuildsByImage: string(build.Spec.ImageRef.UID)})
	if err != nil {
		return nil, err
	}
	siblings := list.Items[:0]
	for _, other := range list.Items {
		if other.UID != build.UID {
			siblings = append(siblings, other)
		}
	}
	return siblings, nil
}
