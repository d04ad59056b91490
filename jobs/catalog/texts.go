// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// checkTexts refuses characters that are not printable.
func checkTexts(version *v1alpha1.ImageKindVersion, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	lines := func(at *field.Path, text, problem string) {
		if !v1alpha1.Printable(text) {
			errs = append(errs, field.Invalid(at, field.OmitValueType{}, problem))
		}
	}
	line := func(at *field.Path, text string) { lines(at, text, "must be one line of printable characters") }
	for i, binding := range version.Bindings {
		at := path.Child("bindings").Index(i)
		line(at.Child("field"), binding.Field)
		line(at.Child("to"), binding.To)
		line(at.Child("prefix"), binding.Prefix)
		line(at.Child("join"), strings.NewReplacer("\n", " ", "\t", " ").Replace(binding.Join))
		for j, value := range binding.Values {
			line(at.Child("values").Index(j).Child("value"), value.Value)
			line(at.Child("values").Index(j).Child("to"), value.To)
		}
	}
	for i, derived := range version.Derived {
		at := path.Child("derived").Index(i)
		line(at.Child("to"), derived.To)
		lines(at.Child("expression"), strings.ReplaceAll(derived.Expression, "\n", " "), "must be lines of printable characters")
	}
	for i, column := range version.Columns {
		at := path.Child("columns").Index(i)
		line(at.Child("name"), column.Name)
		line(at.Child("format"), column.Format)
		line(at.Child("description"), column.Description)
		line(at.Child("jsonPath"), column.JSONPath)
	}
	return errs
}
