// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"goldsmith.dev/goldsmith/apiserver/resources"
)

// The names of package resources that its importers still have from here.
type (
	Scope                               = resources.Scope
	Storages                            = resources.Storages
	Provider                            = resources.Provider
	Resource                            = resources.Resource
	Store                               = resources.Store
	StatusStore                         = resources.StatusStore
	DefaultStrategy                     = resources.DefaultStrategy
	DefaultStatusStrategy               = resources.DefaultStatusStrategy
	ReadOnly[T runtime.Object]          = resources.ReadOnly[T]
	CreateOnly[T runtime.Object]        = resources.CreateOnly[T]
	CreateOnlyHandler[T runtime.Object] = resources.CreateOnlyHandler[T]
	Table[T runtime.Object]             = resources.Table[T]
)

// NewStore is resources.NewStore.
func NewStore(scope *Scope, resource Resource) (*Store, error) {
	return resources.NewStore(scope, resource)
}

// NewDefaultStrategy is resources.NewDefaultStrategy.
func NewDefaultStrategy(scheme *runtime.Scheme, versions ...schema.GroupVersion) DefaultStrategy {
	return resources.NewDefaultStrategy(scheme, versions...)
}

// NewDefaultStatusStrategy is resources.NewDefaultStatusStrategy.
func NewDefaultStatusStrategy(scheme *runtime.Scheme, versions ...schema.GroupVersion) DefaultStatusStrategy {
	return resources.NewDefaultStatusStrategy(scheme, versions...)
}

// NewReadOnly is resources.NewReadOnly.
func NewReadOnly[T runtime.Object](resource ReadOnly[T]) *resources.ReadOnlyHandler[T] {
	return resources.NewReadOnly(resource)
}

// NewCreateOnly is resources.NewCreateOnly.
func NewCreateOnly[T runtime.Object](scope *Scope, resource CreateOnly[T]) *CreateOnlyHandler[T] {
	return resources.NewCreateOnly(scope, resource)
}

// NewTable is resources.NewTable.
func NewTable[T runtime.Object](columns []metav1.TableColumnDefinition, cells func(object T) []any) Table[T] {
	return resources.NewTable(columns, cells)
}

// UserName is resources.UserName.
func UserName(ctx context.Context) string { return resources.UserName(ctx) }
