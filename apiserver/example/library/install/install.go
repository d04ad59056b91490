// SPDX-License-Identifier: Apache-2.0

// Package install registers the example API group with a scheme: the hub, every served version, and what lies between.
package install

import (
	"errors"

	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apiserver/example/library"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
)

// Install registers the group library.example.com. The server stores its first version, unless it is configured
// otherwise.
func Install(scheme *runtime.Scheme) error {
	return errors.Join(
		library.AddToScheme(scheme),
		v1.AddToScheme(scheme),
		v2.AddToScheme(scheme),
		scheme.SetVersionPriority(v2.SchemeGroupVersion, v1.SchemeGroupVersion),
	)
}
