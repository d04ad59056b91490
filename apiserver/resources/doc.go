// SPDX-License-Identifier: Apache-2.0

// Package resources has what all resources have, whatever they are: stores, strategies, tables, and handlers for objects that are
// computed or only answered. It must not know any resource. It must not know the server either: a resource sees the server only
// through a Scope.
//
// A resource folder provides its storages. For a stored resource that is a store, and most often nothing else:
//
//	func Storage(scope *resources.Scope) (resources.Storages, error) {
//		store, err := resources.NewStore(scope, resources.Resource{
//			New:      func() runtime.Object { return &widgets.Widget{} },
//			NewList:  func() runtime.Object { return &widgets.WidgetList{} },
//			Resource: widgets.Resource("widgets"),
//			Singular: "widget",
//		})
//		if err != nil {
//			return nil, err
//		}
//		return resources.Storages{"": store, "status": store.Status(nil)}, nil
//	}
//
// Methods of the internal type implement the behavior of Widgets: Validate, Warnings, TableCells and so on (see Validator and
// the interfaces below it). If they do not suffice, set Resource.Strategy to a strategy that embeds DefaultStrategy, or set
// Resource.Table.
//
// A resource that is not stored is a handler: NewReadOnly for computed objects, NewCreateOnly for objects that are answered
// at creation. Other handlers, including subresources, implement interfaces of k8s.io/apiserver/pkg/registry/rest.
package resources
