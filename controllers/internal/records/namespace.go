// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	database "goldsmith.dev/goldsmith/records"
)

// locate records to which namespaces recorded objects belong, once for each object, and again if the cache had an earlier namespace
// before. It leaves out objects whose namespace it cannot know, and builds of Images, which belong to the namespace of their Image.
func (r *reconciler) locate(ctx context.Context, store Store, kind database.Kind, objects ...client.Object) error {
	located := map[types.UID][]types.UID{}
	for _, object := range objects {
		if build, is := object.(*v1alpha1.ImageBuild); is && build.Spec.ImageRef != nil {
			continue
		}
		namespace, err := r.namespaceOf(ctx, object)
		if err != nil {
			return err
		}
		if namespace != "" {
			located[namespace] = append(located[namespace], object.GetUID())
		}
	}
	for namespace, uids := range located {
		if err := store.InNamespace(ctx, kind, namespace, uids...); err != nil {
			return databaseError{err}
		}
		for _, uid := range uids {
			r.memory.updateWritten(uid, func(last *written) { last.namespace = namespace })
		}
	}
	return nil
}

// namespaceOf returns the UID of the namespace that an object belongs to, or "" if that is not certain or is recorded already. The API
// confirms that an object exists which may be older than its namespace.
func (r *reconciler) namespaceOf(ctx context.Context, object client.Object) (types.UID, error) {
	namespace, older, err := caches.NamespaceUID(ctx, r.cache, object)
	switch {
	case err != nil || r.memory.last(object.GetUID()).namespace == namespace:
		return "", err
	case !older:
		return namespace, nil
	}
	if exists, err := r.exists(ctx, object); err != nil || !exists {
		return "", err
	}
	return namespace, nil
}

// exists asks the API whether an object exists.
func (r *reconciler) exists(ctx context.Context, object client.Object) (bool, error) {
	images := r.Client.ImagesV1alpha1()
	if _, is := object.(*v1alpha1.Image); is {
		image, err := reconciliation.ReadLive(ctx, images.Images(object.GetNamespace()).Get, object.GetNamespace(), object.GetName(), object.GetUID())
		return image != nil, err
	}
	build, err := reconciliation.ReadLive(ctx, images.ImageBuilds(object.GetNamespace()).Get, object.GetNamespace(), object.GetName(), object.GetUID())
	return build != nil, err
}
