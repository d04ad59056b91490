// SPDX-License-Identifier: Apache-2.0

// Package install registers the API group with the scheme of a server: the types, the fields that select objects, and the query
// parameters of subresources.
package install

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// ImageFieldLabels are the fields that images can be selected by.
var ImageFieldLabels = []string{"metadata.name", "metadata.namespace", "spec.suspend", "spec.builder.name"}

// ImageBuildFieldLabels are the fields that builds can be selected by.
var ImageBuildFieldLabels = []string{
	"metadata.name", "metadata.namespace",
	"spec.imageRef.name", "spec.imageRef.uid", "spec.trigger.reason",
	"status.phase", "status.finished",
}

// ImageReportFieldLabels are the fields that reports can be selected by. Reports do not have the last two fields: since sets
// the time range of the figures, and deleted selects deleted Images.
var ImageReportFieldLabels = []string{"metadata.name", "metadata.namespace", "since", "deleted"}

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
		if err := addQueryParameters(scheme, object); err != nil {
			return fmt.Errorf("register the query parameters of %s: %w", kind, err)
		}
	}
	return errors.Join(addFieldLabels(scheme), scheme.SetVersionPriority(v1alpha1.SchemeGroupVersion))
}

func addFieldLabels(scheme *runtime.Scheme) error {
	for kind, labels := range map[string][]string{
		"Image": ImageFieldLabels, "ImageBuild": ImageBuildFieldLabels, "ImageReport": ImageReportFieldLabels,
	} {
		if err := scheme.AddFieldLabelConversionFunc(v1alpha1.Kind(kind), fieldLabels(labels)); err != nil {
			return fmt.Errorf("register field selectors of %s: %w", kind, err)
		}
	}
	return nil
}

func fieldLabels(supported []string) runtime.FieldLabelConversionFunc {
	return func(label, value string) (string, string, error) {
		if slices.Contains(supported, label) {
			return label, value, nil
		}
		return "", "", fmt.Errorf("field label %q is not supported: use one of %v", label, supported)
	}
}
