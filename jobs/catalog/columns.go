// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// columnsOf returns the columns that kubectl get prints besides NAME.
func columnsOf(version *v1alpha1.ImageKindVersion) []apiextensionsv1.CustomResourceColumnDefinition {
	if len(version.Columns) == 0 {
		return []apiextensionsv1.CustomResourceColumnDefinition{{Name: "Age", Type: "date", JSONPath: ".metadata.creationTimestamp"}}
	}
	columns := make([]apiextensionsv1.CustomResourceColumnDefinition, len(version.Columns))
	for i, column := range version.Columns {
		columns[i] = apiextensionsv1.CustomResourceColumnDefinition(column)
	}
	return columns
}
