// SPDX-License-Identifier: Apache-2.0

package reconciliation

import (
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Controller is a reconciler with the events that it reacts to. A manager runs it, and so does the model of schedules.
type Controller struct {
	reconcile.Reconciler
	// Name of the controller, in logs and metrics.
	Name string
	// Workers is how many objects are reconciled at the same time.
	Workers int
	// Watches have the events that lead to reconciliations. The first one is of the kind that is reconciled, without Events.
	Watches []Watch
}

// Watch has the events of a kind of objects.
type Watch struct {
	// Object is an empty object of the kind.
	Object client.Object
	// OnlyMetadata is whether the cache keeps the metadata alone.
	OnlyMetadata bool
	// Passes selects events. Nil selects all of them.
	Passes predicate.Predicate
	// Events requests reconciliations. Nil requests that of the object itself.
	Events handler.EventHandler
}

// AddTo adds the controller to a manager. It waits for the sources before it begins.
func (c *Controller) AddTo(manager ctrl.Manager, sources ...source.Source) error {
	b := ctrl.NewControllerManagedBy(manager).Named(c.Name).WithOptions(Settings(c.Workers))
	for i, watch := range c.Watches {
		passes := builder.Predicates{}
		if watch.Passes != nil {
			passes = builder.WithPredicates(watch.Passes)
		}
		switch {
		case i == 0:
			b.For(watch.Object, passes)
		case watch.OnlyMetadata:
			b.WatchesMetadata(watch.Object, watch.Events, passes)
		default:
			b.Watches(watch.Object, watch.Events, passes)
		}
	}
	for _, source := range sources {
		b.WatchesRawSource(source)
	}
	if err := b.Complete(c.Reconciler); err != nil {
		return fmt.Errorf("add controller %s: %w", c.Name, err)
	}
	return nil
}
