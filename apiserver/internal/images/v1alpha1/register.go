// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var (
	localSchemeBuilder = runtime.NewSchemeBuilder(addFieldLabels)
	// AddToScheme adds conversions and field selectors of v1alpha1 to a scheme.
	AddToScheme = localSchemeBuilder.AddToScheme
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
