// SPDX-License-Identifier: Apache-2.0

// Package imagebuild drives each ImageBuild through its attempts. It stores the status that jobs/state decides, and performs the
// actions that the stored status calls for. For builds it makes no decisions of its own and keeps no state that matters: after a
// crash at any step it continues from the stored objects. The result of a build that reproduces another build is a condition of the
// other build (reproduction.go). A second controller deletes expired builds that were created directly (expiry.go). A third controller deletes
// Jobs whose builds do not exist (orphans.go).
package imagebuild

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
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
	// workers is how many builds are reconciled at the same time.
	workers = 8
	// settle is how long the start of a container may wait for its write. A container that ends sooner saves a write.
	settle = 50 * time.Millisecond
)

// Options of the controller. All are required.
type Options struct {
	reconciliation.Options
	// Metrics counts builds and attempts that ended.
	Metrics *metrics.Builds
	// Queue admits builds.
	Queue *queue.Queue
}

// New makes the controller. The cache was made with package caches. The queue has to be a source of the controller.
func New(options Options, cache client.Reader) *reconciliation.Controller {
	r := &reconciler{Options: options, cache: cache, sources: resolution.Sources{
		Kube: options.Kube, Bases: resolution.FromAPI(options.Client), Clock: options.Clock, Builders: options.Builders, Kept: options.Kept,
	}}
	return &reconciliation.Controller{Reconciler: r, Name: "imagebuild", Workers: workers, Watches: []reconciliation.Watch{
		// Other changes of the status are not watched: this controller continues by itself after each of its writes.
		{Object: &v1alpha1.ImageBuild{}, Passes: predicate.Or(reconciliation.SpecChanged(), revocationChanged())},
		{Object: &batchv1.Job{}, Passes: jobNews(), Events: handler.EnqueueRequestsFromMapFunc(ownerOf)},
		{Object: &corev1.Pod{}, Events: podEvents()},
	}}
}

// ownerOf returns the request for the build that controls an object.
func ownerOf(_ context.Context, object client.Object) []reconcile.Request {
	owner := buildOf(object)
	if owner == nil {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: owner.Name}}}
}

// jobNews passes only the events of a Job that its pod does not report sooner: deletion, failure, and a change of spec.suspend by
// Kueue. The creation of a Job is known, because this controller creates it. A Job that exists before is read when its build is
// reconciled.
func jobNews() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, wasJob := e.ObjectOld.(*batchv1.Job)
			job, isJob := e.ObjectNew.(*batchv1.Job)
			return wasJob && isJob && (job.DeletionTimestamp != nil || state.Failing(job) || isSuspended(before) != isSuspended(job))
		},
	}
}

// revocationChanged passes the builds that another writer has revoked or restored. The watch may have missed that a restored build was revoked.
func revocationChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, was := e.ObjectOld.(*v1alpha1.ImageBuild)
			build, is := e.ObjectNew.(*v1alpha1.ImageBuild)
			if !was || !is {
				return false
			}
			restored := meta.IsStatusConditionPresentAndEqual(build.Status.Conditions, v1alpha1.BuildRevoked, metav1.ConditionUnknown)
			return restored || !equality.Semantic.DeepEqual(before.Status.Revoked, build.Status.Revoked)
		},
	}
}

func isSuspended(job *batchv1.Job) bool { return job.Spec.Suspend != nil && *job.Spec.Suspend }

// podEvents reconciles the build of a pod: at once when the pod has ended or is being deleted, after a moment when its
// container has started or the pod waits. The reconciler checks whether the pod belongs to the build.
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
