// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/catalog"
	"goldsmith.dev/goldsmith/jobs/catalog/metadata"
)

// REST is a kind of the catalog: the Images of the kind, as the objects that its users see.
type REST struct {
	kind      *catalog.Kind
	images    Images
	strategy  strategy
	table     rest.TableConvertor
	memo      *memo
	admission admission.Interface
	objects   admission.ObjectInterfaces

	published *published
}

var (
	_ rest.StandardStorage      = &REST{}
	_ rest.SingularNameProvider = &REST{}
	_ rest.Scoper               = &REST{}
)

func newREST(kind *catalog.Kind, images Images, scope *resources.Scope, memo *memo, published *published) (*REST, error) {
	strategy, err := newStrategy(kind)
	if err != nil {
		return nil, fmt.Errorf("serve kind %s: %w", kind.Name(), err)
	}
	table, err := newTable(kind)
	if err != nil {
		return nil, fmt.Errorf("serve kind %s: %w", kind.Name(), err)
	}
	return &REST{
		kind: kind, images: images, strategy: strategy, table: table, memo: memo,
		admission: admission.WithAudit(scope.Admission), objects: admission.NewObjectInterfacesFromScheme(scope.Scheme),
		published: published,
	}, nil
}

// New returns an empty object of the kind.
func (r *REST) New() runtime.Object {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(r.kind.GroupVersionKind())
	return object
}

// NewList returns an empty list of the kind.
func (r *REST) NewList() runtime.Object {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(r.listKind())
	return list
}

func (r *REST) listKind() schema.GroupVersionKind {
	kind := r.kind.GroupVersionKind()
	return kind.GroupVersion().WithKind(r.kind.Definition().Spec.Names.ListKind)
}

// Destroy does nothing, because the resource images closes the storage.
func (r *REST) Destroy() {}

// NamespaceScoped is true, as for Images.
func (r *REST) NamespaceScoped() bool { return true }

// GetSingularName returns the name of one object in commands.
func (r *REST) GetSingularName() string { return r.kind.Definition().Spec.Names.Singular }

func (r *REST) resource() schema.GroupResource {
	return schema.GroupResource{Group: v1alpha1.CatalogGroup, Resource: r.kind.Name()}
}

// Get returns an object of the kind. An Image that is not of the kind is not found.
func (r *REST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	object, err := r.images.Get(ctx, name, options)
	if err != nil {
		return nil, err
	}
	image, err := store.As[*v1alpha1.Image](object)
	if err != nil {
		return nil, err
	}
	if !r.kind.Owns(image) {
		return nil, apierrors.NewNotFound(r.resource(), name)
	}
	return r.read(image)
}

// owned returns the Image of an object.
func (r *REST) owned(ctx context.Context, name string) (*v1alpha1.Image, error) {
	stored, err := store.Get[*v1alpha1.Image](ctx, r.images, name)
	if err != nil {
		return nil, err
	}
	if !r.kind.Owns(stored) {
		return nil, apierrors.NewNotFound(r.resource(), name)
	}
	return stored, nil
}

// read returns the object of a stored Image of the kind. The object shares memory with others and must not be changed.
func (r *REST) read(image *v1alpha1.Image) (*catalog.View, error) {
	view, err := r.memo.get(r.kind, image)
	if err != nil {
		return nil, r.unreadable(image, err)
	}
	shared := *view // encoders set its kind
	return &shared, nil
}

// readUncached is read for an Image whose version another Image content has, so that the memo must not keep it.
func (r *REST) readUncached(image *v1alpha1.Image) (*catalog.View, error) {
	view, err := r.kind.Get(image)
	if err != nil {
		return nil, r.unreadable(image, err)
	}
	return view, nil
}

// written returns the object of an Image that a write is about, in the form that the library's handlers change. The Image can have the
// version of a stored Image with other content.
func (r *REST) written(object runtime.Object) (*unstructured.Unstructured, error) {
	image, err := store.As[*v1alpha1.Image](object)
	if err != nil {
		return nil, err
	}
	view, err := r.kind.Get(image)
	if err != nil {
		return nil, r.unreadable(image, err)
	}
	return view.Unstructured()
}

func (r *REST) unreadable(image *v1alpha1.Image, err error) error {
	return fmt.Errorf("read Image %s/%s as %s: %w", image.Namespace, image.Name, r.kind.GroupVersionKind().Kind, err)
}

// List lists the objects of the kind. Selectors, paging and resource versions are those of Images.
func (r *REST) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	selected, err := r.selected(options)
	if err != nil {
		return nil, err
	}
	images, err := store.List[*v1alpha1.ImageList](ctx, r.images, selected)
	if err != nil {
		return nil, err
	}
	return r.listOf(images)
}

func (r *REST) listOf(images *v1alpha1.ImageList) (*catalog.ViewList, error) {
	list := &catalog.ViewList{ListMeta: images.ListMeta, Items: make([]catalog.View, len(images.Items))}
	list.SetGroupVersionKind(r.listKind())
	for i := range images.Items {
		view, err := r.read(&images.Items[i])
		if err != nil {
			return nil, err
		}
		list.Items[i] = *view
	}
	return list, nil
}

// selected returns the options that select the Images of the kind.
func (r *REST) selected(options *internalversion.ListOptions) (*internalversion.ListOptions, error) {
	selected := &internalversion.ListOptions{}
	if options != nil {
		selected = options.DeepCopy()
	}
	if selected.ShardSelector != "" { // it hashes the UID, and that of the Image is another
		return nil, apierrors.NewBadRequest("shardSelector is not supported for kinds of " + v1alpha1.CatalogGroup + ": list without it")
	}
	selected.LabelSelector = metadata.Selector(r.kind.Name(), selected.LabelSelector)
	return selected, nil
}
