// SPDX-License-Identifier: Apache-2.0

// Package records keeps the database of records up to date: Images, ImageBuilds, their results and their deletions. It reports
// in the condition Recorded of a finished build that the database has the build.
//
// Every record is made from objects, and can be written again. While the database is unavailable nothing is written. Once the
// database answers, every object is written, and deletions in the meantime are found by comparing the database with the API.
// No other controller reads the database: builds do not depend on it.
package records

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	database "goldsmith.dev/goldsmith/records"
)

const (
	// workers is how many objects are written at the same time. A database has few connections.
	workers = 4
	// settle is how long a change of an unfinished object may wait. Changes within this time cost one write together.
	settle = time.Second
	// sweepInterval is how often expired records are deleted.
	sweepInterval = time.Hour
)

// Store is the part of records.Store that the controller uses.
type Store interface {
	SchemaVersion(ctx context.Context) (int64, error)
	PutImage(ctx context.Context, image *v1alpha1.Image) error
	PutBuild(ctx context.Context, build *v1alpha1.ImageBuild) error
	PutBuilds(ctx context.Context, builds []*v1alpha1.ImageBuild) error
	ImageDeleted(ctx context.Context, uid types.UID, at time.Time) error
	BuildDeleted(ctx context.Context, uid types.UID, at time.Time) error
	InNamespace(ctx context.Context, kind database.Kind, namespace types.UID, objects ...types.UID) error
	Restored(ctx context.Context, kind database.Kind, live map[types.UID]string) error
	AddOutcome(ctx context.Context, image database.ImageKey, outcome database.Outcome) error
	UndeletedUIDs(ctx context.Context, kind database.Kind, paging database.Paging) (*database.Page[types.UID], error)
	Expire(ctx context.Context, rules database.Rules) (database.Expired, error)
}

var _ Store = (*database.Store)(nil)

// Connection is the connection to the database. With this name, a caller that only passes it on need not import package records.
type Connection = database.Connection

// Options of the controller. All are required.
type Options struct {
	reconciliation.Options
	// Database is the connection to the database.
	Database *Connection
	// Metrics of the database.
	Metrics *metrics.Records

	store func(*database.Store) Store // replaced by tests
}

// SetupWithManager adds the controller to a manager whose cache was made with package caches.
func SetupWithManager(manager ctrl.Manager, options Options) error {
	if options.store == nil {
		options.store = func(store *database.Store) Store { return store }
	}
	r := &reconciler{Options: options, cache: manager.GetCache(), memory: newMemory(), ready: make(chan struct{})}
	if err := manager.Add(&keeper{reconciler: r}); err != nil {
		return fmt.Errorf("add the keeper of the database: %w", err)
	}
	return builder.TypedControllerManagedBy[request](manager).
		Named("records").
		Watches(&v1alpha1.Image{}, r.events()).
		Watches(&v1alpha1.ImageBuild{}, r.events()).
		WatchesRawSource(source.TypedFunc[request](r.takeQueue)).
		WithOptions(reconciliation.SettingsOf[request](workers)).
		Complete(r)
}

// request identifies an object by its name and UID.
type request struct {
	kind database.Kind
	name types.NamespacedName
	uid  types.UID
}

type workQueue = workqueue.TypedRateLimitingInterface[request]

// requestOf returns the request for an object. It returns false if the object is neither an Image nor a build.
func requestOf(object client.Object) (request, bool) {
	asked := request{name: client.ObjectKeyFromObject(object), uid: object.GetUID()}
	switch object.(type) {
	case *v1alpha1.Image:
		asked.kind = database.Images
	case *v1alpha1.ImageBuild:
		asked.kind = database.Builds
	default:
		return request{}, false
	}
	return asked, true
}

// events reconciles an object at once if it has finished or was deleted, otherwise after a moment.
func (r *reconciler) events() handler.TypedEventHandler[client.Object, request] {
	seen := func(object client.Object, q workQueue) {
		asked, ok := requestOf(object)
		if !ok {
			return
		}
		if build, is := object.(*v1alpha1.ImageBuild); is && build.Status.Finished {
			q.Add(asked)
			return
		}
		q.AddAfter(asked, settle)
	}
	gone := func(object client.Object, q workQueue) {
		if asked, ok := requestOf(object); ok {
			r.rememberDeletion(asked, object)
			q.Add(asked)
		}
	}
	return handler.TypedFuncs[client.Object, request]{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q workQueue) { seen(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q workQueue) {
			if e.ObjectOld.GetUID() != e.ObjectNew.GetUID() { // the watch missed the deletion
				gone(e.ObjectOld, q)
			}
			seen(e.ObjectNew, q)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q workQueue) { gone(e.Object, q) },
	}
}

// takeQueue keeps the queue, to reconcile objects without an event.
func (r *reconciler) takeQueue(_ context.Context, queue workQueue) error {
	r.queue = queue
	close(r.ready)
	return nil
}
