// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Rules validate the objects of a resource, besides its schema.
type Rules[T runtime.Object] struct {
	// Validate validates an object that is created.
	Validate func(object T) field.ErrorList
	// ValidateUpdate validates a changed object, and ValidateStatusUpdate a changed status.
	ValidateUpdate, ValidateStatusUpdate func(object, old T) field.ErrorList
}

// NewClusterScoped creates a resource without namespaces and its status, which are served in a version. The strategy of the resource is that of the rules.
func NewClusterScoped[T runtime.Object](scope *Scope, resource Resource, version schema.GroupVersion, rules Rules[T]) (Storages, error) {
	resource.Strategy = clusterScoped[T]{NewDefaultStrategy(scope.Scheme, version), rules}
	store, err := NewStore(scope, resource)
	if err != nil {
		return nil, err
	}
	status := clusterScopedStatus[T]{NewDefaultStatusStrategy(scope.Scheme, version), rules}
	return Storages{"": store, "status": store.Status(status)}, nil
}

type clusterScoped[T runtime.Object] struct {
	DefaultStrategy
	rules Rules[T]
}

// NamespaceScoped is false.
func (clusterScoped[T]) NamespaceScoped() bool { return false }

// Validate checks an object that is created.
func (s clusterScoped[T]) Validate(ctx context.Context, object runtime.Object) field.ErrorList {
	return append(s.DefaultStrategy.Validate(ctx, object), s.rules.Validate(object.(T))...)
}

// ValidateUpdate checks an object that is changed.
func (s clusterScoped[T]) ValidateUpdate(_ context.Context, object, old runtime.Object) field.ErrorList {
	return s.rules.ValidateUpdate(object.(T), old.(T))
}

type clusterScopedStatus[T runtime.Object] struct {
	DefaultStatusStrategy
	rules Rules[T]
}

// NamespaceScoped is false.
func (clusterScopedStatus[T]) NamespaceScoped() bool { return false }

// ValidateUpdate checks a changed status.
func (s clusterScopedStatus[T]) ValidateUpdate(_ context.Context, object, old runtime.Object) field.ErrorList {
	return s.rules.ValidateStatusUpdate(object.(T), old.(T))
}
