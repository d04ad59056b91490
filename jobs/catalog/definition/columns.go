// SPDX-License-Identifier: Apache-2.0

package definition

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// simplePath matches the paths of columns whose fields can be found in a schema: those without indices and filters.
var simplePath = regexp.MustCompile(`^\.(spec|status)(\.[A-Za-z0-9_-]+)*$`)

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

// CheckColumns checks columns as those of a CustomResourceDefinition. In addition, the schema of the object must have their fields.
func CheckColumns(columns []v1alpha1.ImageKindColumn, object *structuralschema.Structural, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, column := range columns {
		at := path.Index(i)
		internal := apiextensions.CustomResourceColumnDefinition(column)
		for _, err := range validation.ValidateCustomResourceColumnDefinition(&internal, at) {
			err.Field = strings.Replace(err.Field, ".JSONPath", ".jsonPath", 1)
			errs = append(errs, err)
		}
		if seen[column.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), column.Name))
		}
		seen[column.Name] = true
		if missing := missingField(column.JSONPath, object); missing != "" {
			errs = append(errs, field.Invalid(at.Child("jsonPath"), column.JSONPath, fmt.Sprintf("the schema has no field %s", missing)))
		}
	}
	return errs
}

// missingField returns the first field of a path that the schema does not have.
func missingField(path string, at *structuralschema.Structural) string {
	if !simplePath.MatchString(path) {
		return ""
	}
	steps := strings.Split(path[1:], ".")
	for i, step := range steps {
		if at.AdditionalProperties != nil {
			at = at.AdditionalProperties.Structural
			continue
		}
		property, ok := at.Properties[step]
		if !ok {
			return "." + strings.Join(steps[:i+1], ".")
		}
		at = &property
	}
	return ""
}
