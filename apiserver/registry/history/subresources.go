// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/records"
)

// Subresources returns the subresources of images that read and write the records.
func Subresources(images rest.Getter, database *Database, clock clock.PassiveClock) resources.Storages {
	r := &recorded{images: images, database: database, clock: clock}
	return resources.Storages{"history": r.historyView(), "stats": r.statsView(), "changes": r.changesView(), "notes": newNotesREST(r)}
}

// recorded is the common part of the subresources that read the records.
type recorded struct {
	images   rest.Getter
	database *Database
	clock    clock.PassiveClock
}

// subject is the Image whose records are requested.
type subject struct {
	metav1.ObjectMeta                 // name, namespace and uid
	image             *v1alpha1.Image // nil if it was deleted
}

func (s *subject) key() records.ImageKey {
	return records.ImageKey{Namespace: s.Namespace, Name: s.Name, UID: s.UID}
}

// open returns the open database. If there is none, it returns nil and adds a warning.
func (r *recorded) open(ctx context.Context, resource, name string) (*records.Store, error) {
	store, err := r.database.Store()
	if err != nil {
		return nil, Error(err, resource, name)
	}
	if store == nil {
		WarnNoDatabase(ctx)
	}
	return store, nil
}

// find finds the requested Image: the existing Image or, by its UID, the record of a deleted one.
func (r *recorded) find(ctx context.Context, database *records.Store, resource, name string, uid types.UID) (*subject, error) {
	image, err := store.Get[*v1alpha1.Image](ctx, r.images, name)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	if err == nil {
		if uid == "" || image.UID == uid {
			return &subject{ObjectMeta: metaOf(image.Namespace, image.Name, image.UID), image: image}, nil
		}
	}
	switch {
	case uid == "":
		return nil, err
	case database == nil:
		return nil, noSuchImage(name, uid)
	}
	return r.deleted(ctx, database, resource, name, uid)
}

// deleted finds the record of a deleted Image that the user can read. The name must match, too, because permissions are by name.
func (r *recorded) deleted(ctx context.Context, store *records.Store, resource, name string, uid types.UID) (*subject, error) {
	namespace := apirequest.NamespaceValue(ctx)
	figures, err := ImageStats(ctx, store, namespace, uid, records.Window{Since: r.clock.Now()})
	switch {
	case err != nil:
		return nil, Error(err, resource, name)
	case figures == nil || figures.Image.Name != name:
		return nil, noSuchImage(name, uid)
	}
	limit, err := r.database.Limit(ctx)
	switch {
	case err != nil:
		return nil, err
	case limit != "" && limit != figures.NamespaceUID:
		return nil, noSuchImage(name, uid)
	}
	return &subject{ObjectMeta: metaOf(namespace, name, uid)}, nil
}

func metaOf(namespace, name string, uid types.UID) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: uid}
}

func noSuchImage(name string, uid types.UID) error {
	err := apierrors.NewNotFound(v1alpha1.Resource("images"), name)
	err.ErrStatus.Message = fmt.Sprintf("image %q with UID %s does not exist and has no record", name, uid)
	return err
}
