// SPDX-License-Identifier: Apache-2.0

// Package resources has what all resources have, whatever they are: stores, strategies, tables, and handlers for objects that are
// computed or only answered. It must not know any resource. It must not know the server either: a resource sees the server only
// through a Scope.
//
// A resource folder provides its storages. For a stored resource, these are a store and its status:
//
//	func Storage(scope *resources.Scope) (resources.Storages, error) {
//		store, err := resources.NewStore(scope, resources.Resource{
//			New:      func() runtime.Object { return &widgets.Widget{} },
//			NewList:  func() runtime.Object { return &widgets.WidgetList{} },
//			Resource: widgets.Resource("widgets"),
//			Singular: "widget",
//			Strategy: strategy{resources.NewDefaultStrategy(scope.Scheme, widgets.SchemeGroupVersion)},
//		})
//		if err != nil {
//			return nil, err
//		}
//		status := resources.NewDefaultStatusStrategy(scope.Scheme, widgets.SchemeGroupVersion)
//		return resources.Storages{"": store, "status": store.Status(status)}, nil
//	}
//
// The strategy of Widgets embeds DefaultStrategy, and overrides methods such as Validate. Resource.Table sets the columns of
// kubectl get.
//
// A resource that is not stored is a handler: NewReadOnly for computed objects, NewCreateOnly for objects that are answered
// at creation. Other handlers, including subresources, implement interfaces of k8s.io/apiserver/pkg/registry/rest.
package resources
