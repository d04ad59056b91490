// SPDX-License-Identifier: Apache-2.0

// Package logarchive archives the log of every attempt while the log is written. It reports the result in the condition
// LogArchived of a finished build.
//
// A reconciliation reads a build, and starts one stream for each attempt whose log is not complete in the archive. A stream
// reads the pod's log, stores what it has read every other second, and seals the log at the end. Then the build is reconciled
// again. A stream continues where the archive ends, so neither a restart nor an error leaves a gap or repeats lines.
package logarchive

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

const (
	// workers is how many builds are reconciled at the same time. Streams are not counted.
	workers = 8
	// maxStreams is how many logs are read at the same time; the others wait. Each may take some 2 MiB of memory.
	maxStreams = 256
	// defaultFlushInterval is how often a log is stored: losing a node loses at most this time of its log.
	defaultFlushInterval = 2 * time.Second
	// defaultPatience is how long a pod whose attempt has ended may be silent, or not answer, before its log counts as lost.
	defaultPatience = 30 * time.Second
)

// Options of the controller. All are required.
type Options struct {
	reconciliation.Options
	// Archive is where logs go.
	Archive *archive.Store
	// Metrics measure the archive.
	Metrics *metrics.Logs

	flushInterval, patience time.Duration // set by tests
}

// SetupWithManager adds the controller to a manager whose cache was made with package caches.
func SetupWithManager(manager ctrl.Manager, options Options) error {
	options.flushInterval = cmp.Or(options.flushInterval, defaultFlushInterval)
	options.patience = cmp.Or(options.patience, defaultPatience)
	r := &reconciler{Options: options, cache: manager.GetCache(), streams: newStreams(options)}
	if err := manager.Add(r.streams); err != nil {
		return fmt.Errorf("add the log streams: %w", err)
	}
	if err := manager.Add(&sweeper{reconciler: r}); err != nil {
		return fmt.Errorf("add the deletion of old logs: %w", err)
	}
	return ctrl.NewControllerManagedBy(manager).
		Named("logarchive").
		For(&v1alpha1.ImageBuild{}).
		Watches(&v1alpha1.Image{}, r.imageEvents()).
		WatchesRawSource(source.Channel(r.streams.ended, &handler.EnqueueRequestForObject{})).
		WithOptions(reconciliation.Settings(workers)).
		Complete(r)
}

// imageEvents reconciles the builds of an Image whose legal hold or history has changed.
func (r *reconciler) imageEvents() handler.EventHandler {
	return handler.Funcs{
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q workQueue) {
			before, was := e.ObjectOld.(*v1alpha1.Image)
			after, is := e.ObjectNew.(*v1alpha1.Image)
			if !was || !is || v1alpha1.UnderLegalHold(before) == v1alpha1.UnderLegalHold(after) && equality.Semantic.DeepEqual(before.Spec.History, after.Spec.History) {
				return
			}
			builds := &v1alpha1.ImageBuildList{}
			err := r.cache.List(ctx, builds, client.InNamespace(after.Namespace), client.UnsafeDisableDeepCopy,
				client.MatchingFields{caches.BuildsByImage: string(after.UID)})
			if err != nil {
				ctrl.LoggerFrom(ctx).Error(err, "cannot list the builds of an image", "image", client.ObjectKeyFromObject(after))
				return
			}
			for i := range builds.Items {
				q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: after.Namespace, Name: builds.Items[i].Name}})
			}
		},
	}
}
