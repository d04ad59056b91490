// SPDX-License-Identifier: Apache-2.0

// Package archive stores the resource archives. The controller creates and deletes Archives, and sets their status.
package archive

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// NewStorage creates the resource and its status.
func NewStorage(scope *resources.Scope, clock clock.PassiveClock) (resources.Storages, error) {
	return resources.NewClusterScoped(scope, resources.Resource{
		New:      func() runtime.Object { return &v1alpha1.Archive{} },
		NewList:  func() runtime.Object { return &v1alpha1.ArchiveList{} },
		Resource: v1alpha1.Resource("archives"),
		Singular: "archive",
		Table:    newTable(clock),
	}, v1alpha1.SchemeGroupVersion, resources.Rules[*v1alpha1.Archive]{
		Validate: Validate, ValidateUpdate: ValidateUpdate, ValidateStatusUpdate: ValidateStatusUpdate,
	})
}
