// SPDX-License-Identifier: Apache-2.0

// Package signingkey stores the resource signingkeys. The signer sets their status, and the private keys are in Secrets that no request at
// this resource reads.
package signingkey

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// NewStorage creates the resource and its status.
func NewStorage(scope *resources.Scope, clock clock.PassiveClock) (resources.Storages, error) {
	return resources.NewClusterScoped(scope, resources.Resource{
		New:      func() runtime.Object { return &v1alpha1.SigningKey{} },
		NewList:  func() runtime.Object { return &v1alpha1.SigningKeyList{} },
		Resource: v1alpha1.Resource("signingkeys"),
		Singular: "signingkey",
		Table:    newTable(clock),
	}, v1alpha1.SchemeGroupVersion, resources.Rules[*v1alpha1.SigningKey]{
		Validate: Validate, ValidateUpdate: ValidateUpdate, ValidateStatusUpdate: ValidateStatusUpdate,
	})
}
