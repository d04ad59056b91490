// SPDX-License-Identifier: Apache-2.0

// Package imagekind stores the resource imagekinds. Package catalog serves the kinds.
package imagekind

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// Options are the options of the resource.
type Options struct {
	// Check returns what is wrong with an ImageKind, with paths of its fields. It is required.
	Check func(context.Context, *v1alpha1.ImageKind) field.ErrorList
	// Warn returns warnings about a valid ImageKind. It is required.
	Warn func(*v1alpha1.ImageKind) []string
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
		Strategy: strategy{resources.NewDefaultStrategy(scope.Scheme, v1alpha1.SchemeGroupVersion), options},
		Table:    newTable(options.Clock),
	})
	if err != nil {
		return nil, err
	}
	status := statusStrategy{resources.NewDefaultStatusStrategy(scope.Scheme, v1alpha1.SchemeGroupVersion)}
	return resources.Storages{"": newLimited(store), "status": store.Status(status)}, nil
}

type statusStrategy struct {
	resources.DefaultStatusStrategy
}

// NamespaceScoped is false.
func (statusStrategy) NamespaceScoped() bool { return false }

type strategy struct {
	resources.DefaultStrategy
	Options
}

// NamespaceScoped is false.
func (strategy) NamespaceScoped() bool { return false }

// PrepareForCreate drops the status, and adds the finalizer.
func (s strategy) PrepareForCreate(ctx context.Context, object runtime.Object) {
	s.DefaultStrategy.PrepareForCreate(ctx, object)
	addFinalizer(object.(*v1alpha1.ImageKind))
}

// PrepareForUpdate keeps the status, and the finalizer until the ImageKind is deleted.
func (s strategy) PrepareForUpdate(ctx context.Context, object, old runtime.Object) {
	s.DefaultStrategy.PrepareForUpdate(ctx, object, old)
	addFinalizer(object.(*v1alpha1.ImageKind))
}

func addFinalizer(kind *v1alpha1.ImageKind) {
	if kind.DeletionTimestamp == nil && !slices.Contains(kind.Finalizers, v1alpha1.ImageKindFinalizer) {
		kind.Finalizers = append(slices.Clip(kind.Finalizers), v1alpha1.ImageKindFinalizer)
	}
}

// Validate checks an ImageKind that is created.
func (s strategy) Validate(ctx context.Context, object runtime.Object) field.ErrorList {
	return s.Check(ctx, object.(*v1alpha1.ImageKind))
}

// ValidateUpdate checks an ImageKind that is changed.
func (s strategy) ValidateUpdate(ctx context.Context, object, _ runtime.Object) field.ErrorList {
	return s.Validate(ctx, object)
}

// WarningsOnCreate warns about the template.
func (s strategy) WarningsOnCreate(_ context.Context, object runtime.Object) []string {
	return s.Warn(object.(*v1alpha1.ImageKind))
}

// WarningsOnUpdate warns about the template.
func (s strategy) WarningsOnUpdate(ctx context.Context, object, _ runtime.Object) []string {
	return s.WarningsOnCreate(ctx, object)
}
