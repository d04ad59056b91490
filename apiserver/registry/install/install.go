// SPDX-License-Identifier: Apache-2.0

// Package install registers the API group with the scheme of a server: the types, the fields that select objects, and the query
// parameters of subresources.
package install

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Install registers the group images.goldsmith.dev. The public types are the internal ones too, because patches and server-side apply
// want an internal version, and one set of types needs no conversion. The public version is registered first: its kind is
// that of a type.
func Install(scheme *runtime.Scheme) error {
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	internal := schema.GroupVersion{Group: v1alpha1.GroupName, Version: runtime.APIVersionInternal}
	for kind, goType := range scheme.KnownTypes(v1alpha1.SchemeGroupVersion) {
		if goType.PkgPath() != reflect.TypeFor[v1alpha1.Image]().PkgPath() {
			continue // a type that all groups share, such as ListOptions
		}
		object, err := scheme.New(v1alpha1.Kind(kind))
		if err != nil {
			return fmt.Errorf("register %s: %w", kind, err)
		}
		scheme.AddKnownTypeWithName(internal.WithKind(kind), object)
		if !strings.HasSuffix(kind, "Options") {
			continue
		}
		if err := AddQueryParameters(scheme, object); err != nil {
			return fmt.Errorf("register the query parameters of %s: %w", kind, err)
		}
	}
	return errors.Join(addFieldLabels(scheme), scheme.SetVersionPriority(v1alpha1.SchemeGroupVersion))
}
