// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/imageplan"
	"goldsmith.dev/goldsmith/apiserver/images"
)

// Provider provides the resource and its subresources.
func Provider(clock clock.PassiveClock) builder.Provider {
	return func(scope *builder.Scope) (builder.Storages, error) {
		bases := &bases{lock: func(ctx context.Context, name string) (lock, error) { return scope.Lock(ctx, name) }}
		store, err := builder.NewStore(scope, builder.Resource{
			New:        func() runtime.Object { return &images.Image{} },
			NewList:    func() runtime.Object { return &images.ImageList{} },
			Resource:   images.Resource("images"),
			Singular:   "image",
			ShortNames: []string{"img"},
			Categories: []string{"goldsmith"},
			Strategy:   newStrategy(scope.Scheme, bases),
			Table:      newTable(clock),
			Attributes: attributes,
		})
		if err != nil {
			return nil, err
		}
		storages := builder.Storages{
			"status":      store.Status(newStatusStrategy(scope.Scheme)),
			"instantiate": newInstantiateREST(store, scope),
			"channels":    newChannelsREST(store, scope, clock),
			"plan":        imageplan.Subresource(scope),
		}
		bases.images = store.Store
		main := &Store{Store: store}
		main.BeginCreate, main.BeginUpdate = bases.beginCreate, bases.beginUpdate
		storages[""] = main
		return storages, nil
	}
}

// Store is the resource images.
type Store struct {
	*builder.Store
}

// Create creates an Image. If it is based on another one, it holds the lock of all such writes in the namespace.
func (s *Store) Create(ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	ctx, writing := startWriting(ctx)
	defer writing.end()
	created, err := s.Store.Create(ctx, object, validate, options)
	return created, writing.explain(ctx, err)
}

// Update changes an Image, or creates it where server-side apply does. It locks as Create does if the base changes.
func (s *Store) Update(ctx context.Context, name string, object rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc,
	updateValidation rest.ValidateObjectUpdateFunc, forceAllowCreate bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	ctx, writing := startWriting(ctx)
	defer writing.end()
	updated, created, err := s.Store.Update(ctx, name, object, createValidation, updateValidation, forceAllowCreate, options)
	return updated, created, writing.explain(ctx, err)
}

// attributes are what images can be selected by.
func attributes(object runtime.Object) (labels.Set, fields.Set, error) {
	image, err := asImage(object)
	if err != nil {
		return nil, nil, err
	}
	selectable := fields.Set{
		"spec.suspend":      strconv.FormatBool(ptr.Deref(image.Spec.Suspend, false)),
		"spec.builder.name": image.Spec.Builder.Name,
	}
	return image.Labels, generic.AddObjectMetaFieldsSet(selectable, &image.ObjectMeta, true), nil
}

func asImage(object runtime.Object) (*images.Image, error) {
	image, ok := object.(*images.Image)
	if !ok {
		return nil, fmt.Errorf("expected an Image, not a %T", object)
	}
	return image, nil
}
