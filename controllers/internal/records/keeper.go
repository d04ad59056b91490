// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/pager"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	database "goldsmith.dev/goldsmith/records"
)

// batch is how many builds catchUp writes at once.
const batch = 100

// keeper checks whether the database answers, writes missing records, and deletes expired records.
type keeper struct {
	*reconciler
	swept time.Time
}

// Start brings the database up to date whenever it is checked, until ctx is done.
func (k *keeper) Start(ctx context.Context) error {
	select {
	case <-k.ready:
	case <-ctx.Done():
		return nil
	}
	k.Database.Watch(ctx, k.keep)
	return nil
}

// keep takes the result of a check of the database. After an outage, keep writes every object before the database counts as up.
func (k *keeper) keep(ctx context.Context, err error) {
	var store Store
	if err == nil {
		store, err = k.answering(ctx)
	}
	known, _ := k.memory.database()
	if err == nil && known == nil {
		err = k.catchUp(ctx, store)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		k.Metrics.Errors.Inc()
		k.handleOutage(ctx, err)
	default:
		k.Metrics.Up.Set(1)
		if k.memory.markUp(store) {
			ctrl.LoggerFrom(ctx).Info("the database of records is up to date")
			k.resync(ctx)
		}
		k.sweep(ctx, store)
	}
}

// answering returns the database if it answers with its version. The version is read each time, because a newer program may
// migrate the database.
func (k *keeper) answering(ctx context.Context) (Store, error) {
	opened, err := k.Database.Store()
	if err != nil {
		return nil, err
	}
	store := k.store(opened)
	version, err := store.SchemaVersion(ctx)
	if err != nil {
		return nil, err
	}
	k.Metrics.SchemaVersion.Set(float64(version))
	return store, nil
}

// handleOutage records that the database is unavailable. When an outage begins, it reconciles every object, so that builds report the
// outage.
func (r *reconciler) handleOutage(ctx context.Context, why error) {
	r.Metrics.Up.Set(0)
	first, news := r.memory.markDown(why)
	if news {
		ctrl.LoggerFrom(ctx).Error(why, "the database of records is unavailable: builds continue and are recorded later")
	}
	if first {
		r.resync(ctx)
	}
}

// resync enqueues each object, and each deleted object whose deletion is not recorded.
func (r *reconciler) resync(ctx context.Context) {
	images, builds, err := r.everything(ctx)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list the objects to record")
		return // each object is reconciled again with its next change
	}
	for _, image := range images {
		r.enqueue(image)
	}
	for _, build := range builds {
		r.enqueue(build)
	}
	for _, asked := range r.memory.pendingDeletions() {
		r.queue.Add(asked)
	}
}

func (r *reconciler) enqueue(object client.Object) {
	if asked, ok := requestOf(object); ok {
		r.queue.Add(asked)
	}
}

// everything returns all objects in the cache. They are shared with the cache and must not be changed.
func (r *reconciler) everything(ctx context.Context) ([]*v1alpha1.Image, []*v1alpha1.ImageBuild, error) {
	images, builds := &v1alpha1.ImageList{}, &v1alpha1.ImageBuildList{}
	if err := r.cache.List(ctx, images, client.UnsafeDisableDeepCopy); err != nil {
		return nil, nil, fmt.Errorf("list images: %w", err)
	}
	if err := r.cache.List(ctx, builds, client.UnsafeDisableDeepCopy); err != nil {
		return nil, nil, fmt.Errorf("list builds: %w", err)
	}
	return pointers(images.Items), pointers(builds.Items), nil
}

func pointers[T any](items []T) []*T {
	all := make([]*T, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}

// catchUp writes every object, and every deletion that was missed. It skips objects that the database refuses, which are
// reconciled by themselves.
func (k *keeper) catchUp(ctx context.Context, store Store) error {
	k.memory.forgetWritten()
	images, builds, err := k.everything(ctx)
	if err != nil {
		return err
	}
	// The API's storage may have been restored from a backup since the last time.
	live := map[database.Kind]map[types.UID]string{database.Images: versions(images), database.Builds: versions(builds)}
	for _, kind := range []database.Kind{database.Images, database.Builds} {
		if err := store.Restored(ctx, kind, live[kind]); err != nil {
			return err
		}
	}
	for _, image := range images {
		if err := k.writeImage(ctx, store, image); err != nil && !errors.Is(err, database.ErrInvalid) {
			return err
		}
	}
	if err := k.locate(ctx, store, database.Images, objects(images)...); err != nil {
		return err
	}
	for some := range slices.Chunk(builds, batch) {
		if err := k.writeBuilds(ctx, store, some); err != nil {
			return err
		}
	}
	if err := k.locate(ctx, store, database.Builds, objects(builds)...); err != nil {
		return err
	}
	for _, kind := range []database.Kind{database.Builds, database.Images} {
		if err := k.writeMissing(ctx, store, kind, live[kind]); err != nil {
			return err
		}
	}
	return nil
}

func objects[T client.Object](of []T) []client.Object {
	all := make([]client.Object, len(of))
	for i := range of {
		all[i] = of[i]
	}
	return all
}

// versions returns the resource versions of objects by UID.
func versions[T client.Object](objects []T) map[types.UID]string {
	all := make(map[types.UID]string, len(objects))
	for _, object := range objects {
		all[object.GetUID()] = object.GetResourceVersion()
	}
	return all
}

// writeBuilds writes builds together, or, if one of them is refused, one by one.
func (k *keeper) writeBuilds(ctx context.Context, store Store, builds []*v1alpha1.ImageBuild) error {
	err := store.PutBuilds(ctx, builds)
	switch {
	case errors.Is(err, database.ErrInvalid):
		for _, build := range builds {
			if err := k.writeBuild(ctx, store, build); err != nil && !errors.Is(err, database.ErrInvalid) {
				return err
			}
		}
		return nil
	case err != nil:
		return err
	}
	for _, build := range builds {
		k.memory.wroteVersion(build.UID, buildVersion(build))
	}
	k.Metrics.Written.WithLabelValues(metrics.RecordedBuild).Add(float64(len(builds)))
	return nil
}

// writeMissing writes the missed deletions: of objects that neither the cache nor the API has, and whose deletion is not
// recorded. It reads the API after the database, because another process may have recorded objects that this process has not
// seen yet.
func (k *keeper) writeMissing(ctx context.Context, store Store, kind database.Kind, cached map[types.UID]string) error {
	var missing []types.UID
	for paging := (database.Paging{Limit: database.MaxLimit}); ; {
		undeleted, err := store.UndeletedUIDs(ctx, kind, paging)
		if err != nil {
			return err
		}
		for _, uid := range undeleted.Items {
			if _, has := cached[uid]; !has {
				missing = append(missing, uid)
			}
		}
		if undeleted.Continue == "" {
			break
		}
		paging.Continue = undeleted.Continue
	}
	if missing == nil {
		return nil
	}
	stored, err := k.listUIDs(ctx, kind)
	if err != nil {
		return err
	}
	seen := k.pendingDeletionUIDs()
	for _, uid := range missing {
		if stored.Has(uid) || seen.Has(uid) { // an observed deletion is written by its own reconciliation, with its time
			continue
		}
		if err := k.recordDeletion(ctx, store, kind, uid, k.Clock.Now()); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) pendingDeletionUIDs() sets.Set[types.UID] {
	seen := sets.New[types.UID]()
	for _, asked := range k.memory.pendingDeletions() {
		seen.Insert(asked.uid)
	}
	return seen
}

// listUIDs lists the UIDs of the objects that the API has.
func (k *keeper) listUIDs(ctx context.Context, kind database.Kind) (sets.Set[types.UID], error) {
	uids := sets.New[types.UID]()
	return uids, k.each(ctx, kind, "", func(object client.Object) { uids.Insert(object.GetUID()) })
}

// each calls a function with each object of a kind that the API has and a label selector selects.
func (k *keeper) each(ctx context.Context, kind database.Kind, selector string, each func(client.Object)) error {
	api := k.Client.ImagesV1alpha1()
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		if kind == database.Images {
			return api.Images(metav1.NamespaceAll).List(ctx, options)
		}
		return api.ImageBuilds(metav1.NamespaceAll).List(ctx, options)
	})
	err := pages.EachListItem(ctx, metav1.ListOptions{LabelSelector: selector}, func(item runtime.Object) error {
		object, ok := item.(client.Object)
		if !ok {
			return fmt.Errorf("%T is no object", item)
		}
		each(object)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list %s: %w", kind, err)
	}
	return nil
}
