// SPDX-License-Identifier: Apache-2.0

// Package store reads and changes the stored objects of one kind as their Go type. Handlers of subresources use it, so that none
// of them asserts types or copies objects itself. The generic store repeats a change after a conflict, with GuaranteedUpdate of its
// storage. Package store checks no permissions and no admission: a handler does that before.
package store

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
)

// Object is a pointer to a type of the API, such as *v1alpha1.Image.
type Object[T any] interface {
	comparable
	runtime.Object
	DeepCopy() T
}

// Store has the objects of one kind. The strategy of the generic store decides which changes are kept and accepted.
type Store[T Object[T]] struct {
	*genericregistry.Store
}

// Of returns the typed form of a store, whose objects are of type T.
func Of[T Object[T]](objects *genericregistry.Store) Store[T] {
	return Store[T]{objects}
}

// Get returns a copy of the object of this name in the namespace of ctx.
func (s Store[T]) Get(ctx context.Context, name string) (T, error) {
	return Get[T](ctx, s.Store, name)
}

// Update changes the object of this name in the namespace of ctx, and returns the stored object. change gets a copy of the stored
// object. If another writer changes the object meanwhile, change is called again, with a copy of the newer one. An error of change
// ends the update and is returned as it is. An unchanged object is not written. With dryRun nothing is written.
func (s Store[T]) Update(ctx context.Context, name string, dryRun []string, change func(ctx context.Context, object T) error) (T, error) {
	var none T
	write := rest.DefaultUpdatedObjectInfo(nil, func(ctx context.Context, _, old runtime.Object) (runtime.Object, error) {
		existing, err := As[T](old)
		if err != nil {
			return nil, err
		}
		object := existing.DeepCopy()
		return object, change(ctx, object)
	})
	updated, _, err := s.Store.Update(ctx, name, write, nil, nil, false, &metav1.UpdateOptions{DryRun: dryRun})
	if err != nil {
		return none, err
	}
	return As[T](updated)
}

// Get returns a copy of the object of this name in the namespace of ctx.
func Get[T Object[T]](ctx context.Context, objects rest.Getter, name string) (T, error) {
	object, err := objects.Get(ctx, name, &metav1.GetOptions{})
	if err != nil {
		var none T
		return none, err
	}
	found, err := As[T](object)
	if err != nil {
		return found, err
	}
	return found.DeepCopy(), nil
}

// List returns a list of the objects in the namespace of ctx. Its items share memory with the watch cache: copy an item to change it.
func List[L runtime.Object](ctx context.Context, objects rest.Lister, options *internalversion.ListOptions) (L, error) {
	object, err := objects.List(ctx, options)
	if err != nil {
		var none L
		return none, err
	}
	return As[L](object)
}

// As returns an object that a store or its hooks hand out as the type that it has.
func As[T runtime.Object](object runtime.Object) (T, error) {
	typed, ok := object.(T)
	if !ok {
		return typed, fmt.Errorf("expected a %T, not a %T", typed, object)
	}
	return typed, nil
}
