// SPDX-License-Identifier: Apache-2.0

// Package imagebuild drives each ImageBuild through its attempts: it stores what jobs/state decides and does what the
// stored status calls for. It decides nothing by itself, and nothing from memory: after a crash at any step it goes on
// from what the API holds. A second controller deletes finished builds that belong to no Image.
package imagebuild

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
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
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/queue"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/controllers/internal/resolution"
	"goldsmith.dev/goldsmith/jobs/state"
)

const (
	// workers is how many builds are looked at at the same time.
	workers = 8
	// settle is how long the news of a container that has started may wait: one that ends sooner costs one write less.
	settle = 50 * time.Millisecond
)

// Options of the controller. All are required.
type Options struct {
	reconciliation.Options
	// Metrics counts what ended.
	Metrics *metrics.Builds
	// Queue admits builds.
	Queue *queue.Queue
}

// SetupWithManager adds the controller to a manager whose cache was made with package caches.
func SetupWithManager(manager ctrl.Manager, options Options) error {
	r := &reconciler{Options: options, cache: manager.GetCache(), sources: resolution.Sources{
		Kube: options.Kube, Bases: resolution.Stored(options.Client), Builders: options.Builders,
	}}
	return ctrl.NewControllerManagedBy(manager).
		Named("imagebuild").
		// Only this controller writes status, and it goes on by itself after each write.
		For(&v1alpha1.ImageBuild{}, builder.WithPredicates(reconciliation.SpecChanged())).
		Owns(&batchv1.Job{}, builder.WithPredicates(jobNews())).
		Watches(&corev1.Pod{}, podEvents()).
		WatchesRawSource(options.Queue).
		WithOptions(reconciliation.Settings(workers)).
		Complete(r)
}

// jobNews leaves out what a Job has to say while all is well: the pod says it sooner. That a Job is there is known to
// whoever created it, and a Job that was there before is looked for when its build is. Kueue lets one go on, or holds it
// up, by its spec.suspend.
func jobNews() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, wasJob := e.ObjectOld.(*batchv1.Job)
			job, isJob := e.ObjectNew.(*batchv1.Job)
			return wasJob && isJob && (job.DeletionTimestamp != nil || state.Failing(job) || suspended(before) != suspended(job))
		},
	}
}

func suspended(job *batchv1.Job) bool { return job.Spec.Suspend != nil && *job.Spec.Suspend }

// podEvents looks at the build that a pod was made for: at once when the pod has ended or is going, after a moment when
// its container has started or it waits for something. The reconciler checks whether the pod is the build's.
func podEvents() handler.EventHandler {
	enqueue := func(object client.Object, q workQueue) {
		pod, ok := object.(*corev1.Pod)
		name := object.GetLabels()[v1alpha1.LabelBuild]
		if !ok || name == "" || pod.Status.Phase == corev1.PodPending && len(pod.Status.Conditions) == 0 && pod.DeletionTimestamp == nil {
			return
		}
		request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: pod.Namespace, Name: name}}
		if pod.DeletionTimestamp != nil || state.Ended(pod) {
			q.Add(request)
			return
		}
		q.AddAfter(request, settle)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q workQueue) { enqueue(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q workQueue) { enqueue(e.ObjectNew, q) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q workQueue) {
			if name := e.Object.GetLabels()[v1alpha1.LabelBuild]; name != "" {
				q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: e.Object.GetNamespace(), Name: name}})
			}
		},
	}
}

type workQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]
