// SPDX-License-Identifier: Apache-2.0

// Package imagekind counts the Images of each ImageKind in its status, and ends the deletion of ImageKinds. The API server sets the rest of
// the status. The package changes nothing of Images but their labels, and never deletes one.
package imagekind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

const (
	workers = 1
	// settle is how long a changed Image waits until it is counted, so that many changes cost one write.
	settle = time.Second
)

// New makes the controller. The cache was made with package caches.
func New(options reconciliation.Options, cache client.Reader) *reconciliation.Controller {
	return &reconciliation.Controller{Reconciler: &reconciler{Options: options, cache: cache}, Name: "imagekind", Workers: workers, Watches: []reconciliation.Watch{
		{Object: &v1alpha1.ImageKind{}}, // its status, too: the server sets the revision there
		{Object: &v1alpha1.Image{}, Events: imageEvents()},
	}}
}

// imageEvents reconciles the kinds of an Image whose spec or kind has changed.
func imageEvents() handler.EventHandler {
	enqueue := func(object client.Object, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		if kind := object.GetLabels()[v1alpha1.ImageKindLabel]; kind != "" {
			queue.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: kind}}, settle)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(e.Object, queue)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if e.ObjectOld.GetGeneration() == e.ObjectNew.GetGeneration() && labelsOf(e.ObjectOld) == labelsOf(e.ObjectNew) {
				return
			}
			enqueue(e.ObjectOld, queue)
			enqueue(e.ObjectNew, queue)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(e.Object, queue)
		},
	}
}

// kindLabels are the labels of an Image that tell how its kind made it.
type kindLabels struct{ kind, revision string }

func labelsOf(object client.Object) kindLabels {
	labels := object.GetLabels()
	return kindLabels{labels[v1alpha1.ImageKindLabel], labels[v1alpha1.ImageKindRevisionLabel]}
}

type reconciler struct {
	reconciliation.Options
	cache client.Reader
}

// report is the part of the status that this controller sets.
type report struct {
	Instances     int32 `json:"instances"`
	Outdated      int32 `json:"outdated"`
	Nonconforming int32 `json:"nonconforming"`
	// Conditions has at most Terminating. The patch merges it with those that the server sets.
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Reconcile counts the Images of a kind, and does the next step of the deletion of its ImageKind.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	declared := &v1alpha1.ImageKind{}
	if err := r.cache.Get(ctx, request.NamespacedName, declared); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	images := &v1alpha1.ImageList{}
	if err := r.cache.List(ctx, images, client.MatchingFields{caches.ImagesByKind: declared.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("list the Images of kind %s: %w", declared.Name, err)
	}
	now := count(declared, images.Items)
	terminating, err := r.end(ctx, declared, images.Items)
	if terminating != nil {
		now.Conditions = []metav1.Condition{*terminating}
	}
	return reconciliation.Result("ImageKind", request, ctrl.Result{}, errors.Join(err, r.write(ctx, declared, now)))
}

// count counts the Images of a kind. The server has judged each of them when it was written.
func count(declared *v1alpha1.ImageKind, images []v1alpha1.Image) report {
	now := report{}
	for i := range images {
		now.Instances++
		switch { // an earlier revision had other values, too
		case declared.Status.Revision == "": // it is not served, which the conditions report
		case images[i].Labels[v1alpha1.ImageKindRevisionLabel] != declared.Status.Revision:
			now.Outdated++
		case images[i].Status.Conformance != nil:
			now.Nonconforming++
		}
	}
	return now
}

// write writes what differs from the status.
func (r *reconciler) write(ctx context.Context, declared *v1alpha1.ImageKind, now report) error {
	status := declared.Status.DeepCopy()
	status.Instances, status.Outdated, status.Nonconforming = now.Instances, now.Outdated, now.Nonconforming
	for i := range now.Conditions {
		meta.SetStatusCondition(&status.Conditions, now.Conditions[i])
	}
	if equality.Semantic.DeepEqual(*status, declared.Status) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": declared.UID}, "status": now})
	if err != nil {
		return fmt.Errorf("encode the status: %w", err)
	}
	if _, err := r.Client.ImagesV1alpha1().ImageKinds().Patch(ctx, declared.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	return nil
}
