// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Lengths of texts, and numbers of items.
const (
	maxPath     = 512
	maxPrefix   = 512
	maxJoin     = 16
	maxValue    = 512
	maxStored   = 4096
	maxFormat   = 63
	maxBindings = 128
	maxValues   = 128
	maxDerived  = 64
)

// checkTexts checks what no other check does: the length and the characters of texts, and the numbers of items.
func checkTexts(version *v1alpha1.ImageKindVersion, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	line := func(at *field.Path, text string) {
		if !v1alpha1.Printable(text) {
			errs = append(errs, field.Invalid(at, field.OmitValueType{}, "must be one line of printable characters"))
		}
	}
	text := func(at *field.Path, text string, limit int) {
		if len(text) > limit {
			errs = append(errs, field.TooLong(at, "", limit))
		}
		line(at, text)
	}
	items := func(at *field.Path, count, limit int) {
		if count > limit {
			errs = append(errs, field.TooMany(at, count, limit))
		}
	}
	items(path.Child("bindings"), len(version.Bindings), maxBindings)
	for i, binding := range version.Bindings {
		at := path.Child("bindings").Index(i)
		text(at.Child("field"), binding.Field, maxPath)
		text(at.Child("to"), binding.To, maxPath)
		text(at.Child("prefix"), binding.Prefix, maxPrefix)
		if len(binding.Join) > maxJoin {
			errs = append(errs, field.TooLong(at.Child("join"), "", maxJoin))
		}
		line(at.Child("join"), strings.NewReplacer("\n", " ", "\t", " ").Replace(binding.Join))
		items(at.Child("values"), len(binding.Values), maxValues)
		for j, value := range binding.Values {
			text(at.Child("values").Index(j).Child("value"), value.Value, maxValue)
			text(at.Child("values").Index(j).Child("to"), value.To, maxStored)
		}
	}
	items(path.Child("derived"), len(version.Derived), maxDerived)
	for i, derived := range version.Derived {
		text(path.Child("derived").Index(i).Child("to"), derived.To, maxPath)
		if !v1alpha1.Printable(strings.ReplaceAll(derived.Expression, "\n", " ")) {
			errs = append(errs, field.Invalid(path.Child("derived").Index(i).Child("expression"), field.OmitValueType{}, "must be lines of printable characters"))
		}
	}
	for i, column := range version.Columns {
		at := path.Child("columns").Index(i)
		line(at.Child("name"), column.Name)
		text(at.Child("format"), column.Format, maxFormat)
		line(at.Child("description"), column.Description)
		text(at.Child("jsonPath"), column.JSONPath, maxPath)
	}
	return errs
}

// checkChoice checks a field with listed values. Documents of the configuration can leave it out.
func checkChoice[T ~string](value T, path *field.Path, values ...T) field.ErrorList {
	if value == "" || slices.Contains(values, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(path, value, values)}
}
