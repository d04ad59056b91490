// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// Watch watches the objects of the kind. The storage filters by label: an Image that becomes one of the kind is added, and an Image that
// no longer is one is deleted.
func (r *REST) Watch(ctx context.Context, options *internalversion.ListOptions) (watch.Interface, error) {
	selected, err := r.selected(options)
	if err != nil {
		return nil, err
	}
	images, err := r.images.Watch(ctx, selected)
	if err != nil {
		return nil, err
	}
	return watch.Filter(images, func(event watch.Event) (watch.Event, bool) {
		return r.event(event), true
	}), nil
}

// event returns the event of an Image as that of its object. An event that cannot be read ends the watch with an error, so that the client
// lists again: it never misses an event.
func (r *REST) event(event watch.Event) watch.Event {
	object := event.Object
	if cached, ok := object.(runtime.CacheableObject); ok { // encoded once for all watches of Images
		object = cached.GetObject()
	}
	image, ok := object.(*v1alpha1.Image)
	if !ok {
		return event // a Status
	}
	if event.Type == watch.Bookmark {
		bookmark := &catalog.View{}
		bookmark.SetGroupVersionKind(r.kind.GroupVersionKind())
		bookmark.ResourceVersion, bookmark.Annotations = image.ResourceVersion, image.Annotations
		return watch.Event{Type: watch.Bookmark, Object: bookmark}
	}
	read := r.read
	if event.Type == watch.Deleted { // an Image that left the selection has its former content with the version of its present content
		read = r.readUncached
	}
	view, err := read(image)
	if err != nil {
		status := apierrors.NewInternalError(err).Status()
		return watch.Event{Type: watch.Error, Object: &status}
	}
	return watch.Event{Type: event.Type, Object: view}
}
