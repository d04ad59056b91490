// SPDX-License-Identifier: Apache-2.0

// Package archive stores the resource archives. The controller creates and deletes Archives, and sets their status.
package archive

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// NewStorage creates the resource and its status.
func NewStorage(scope *resources.Scope, clock clock.PassiveClock) (resources.Storages, error) {
	store, err := resources.NewStore(scope, resources.Resource{
		New:      func() runtime.Object { return &v1alpha1.Archive{} },
		NewList:  func() runtime.Object { return &v1alpha1.ArchiveList{} },
		Resource: v1alpha1.Resource("archives"),
		Singular: "archive",
		Strategy: strategy{resources.NewDefaultStrategy(scope.Scheme, v1alpha1.SchemeGroupVersion)},
		Table:    newTable(clock),
	})
	if err != nil {
		return nil, err
	}
	status := statusStrategy{resources.NewDefaultStatusStrategy(scope.Scheme, v1alpha1.SchemeGroupVersion)}
	return resources.Storages{"": store, "status": store.Status(status)}, nil
}

type strategy struct {
	resources.DefaultStrategy
}

// NamespaceScoped is false.
func (strategy) NamespaceScoped() bool { return false }

// Validate checks an Archive that is created.
func (s strategy) Validate(ctx context.Context, object runtime.Object) field.ErrorList {
	return append(s.DefaultStrategy.Validate(ctx, object), Validate(object.(*v1alpha1.Archive))...)
}

// ValidateUpdate checks an Archive that is changed.
func (strategy) ValidateUpdate(_ context.Context, object, old runtime.Object) field.ErrorList {
	return ValidateUpdate(object.(*v1alpha1.Archive), old.(*v1alpha1.Archive))
}

type statusStrategy struct {
	resources.DefaultStatusStrategy
}

// NamespaceScoped is false.
func (statusStrategy) NamespaceScoped() bool { return false }

// ValidateUpdate checks a changed status.
func (statusStrategy) ValidateUpdate(_ context.Context, object, old runtime.Object) field.ErrorList {
	return ValidateStatusUpdate(object.(*v1alpha1.Archive), old.(*v1alpha1.Archive))
}
