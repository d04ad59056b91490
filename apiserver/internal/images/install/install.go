// SPDX-License-Identifier: Apache-2.0

// Package install registers the API group with a scheme: the hub, every served version, and their conversions.
package install

import (
	"errors"

	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	conversion "goldsmith.dev/goldsmith/apiserver/internal/images/v1alpha1"
)

// Install registers the group images.goldsmith.dev with a server's scheme.
func Install(scheme *runtime.Scheme) error {
	return errors.Join(
		images.AddToScheme(scheme),
		v1alpha1.AddToScheme(scheme),
		conversion.AddToScheme(scheme),
		scheme.SetVersionPriority(v1alpha1.SchemeGroupVersion),
	)
}
