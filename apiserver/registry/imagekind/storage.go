// SPDX-License-Identifier: Apache-2.0

// Package imagekind stores the resource imagekinds. Package catalog serves the kinds.
package imagekind

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// Options are the options of the resource.
type Options struct {
	// Check returns what is wrong with an ImageKind, with paths of its fields. It is required.
	Check func(*v1alpha1.ImageKind) field.ErrorList
	// Clock tells the time. It is required.
	Clock clock.PassiveClock
}

// NewStorage creates the resource and its status.
func NewStorage(scope *resources.Scope, options Options) (resources.Storages, error) {
	store, err := resources.NewStore(scope, resources.Resource{
		New:      func() runtime.Object { return &v1alpha1.ImageKind{} },
		NewList:  func() runtime.Object { return &v1alpha1.ImageKindList{} },
		Resource: v1alpha1.Resource("imagekinds"),
		Singular: "imagekind",
		Strategy: strategy{resources.NewDefaultStrategy(scope.Scheme, v1alpha1.SchemeGroupVersion), options.Check},
		Table:    newTable(options.Clock),
	})
	if err != nil {
		return nil, err
	}
	return resources.Storages{"": store, "status": store.Status(nil)}, nil
}

type strategy struct {
	resources.DefaultStrategy
	check func(*v1alpha1.ImageKind) field.ErrorList
}

// NamespaceScoped is false.
func (strategy) NamespaceScoped() bool { return false }

// Validate checks an ImageKind that is created.
func (s strategy) Validate(_ context.Context, object runtime.Object) field.ErrorList {
	return s.check(object.(*v1alpha1.ImageKind))
}

// ValidateUpdate checks an ImageKind that is changed.
func (s strategy) ValidateUpdate(ctx context.Context, object, _ runtime.Object) field.ErrorList {
	return s.Validate(ctx, object)
}
