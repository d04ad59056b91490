// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"errors"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/json"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const maxTemplateSize = 256 * 1024

// A template is the part of the spec that all Images of a kind have in common.
type template struct {
	spec v1alpha1.ImageSpec
	// declared is the same as JSON: it tells fields that are absent from fields that are empty.
	declared map[string]any
}

// readTemplate reads a template, and requires what no binding can set.
func readTemplate(raw []byte, path *field.Path) (*template, field.ErrorList) {
	if len(raw) > maxTemplateSize {
		return nil, field.ErrorList{field.TooLong(path, "", maxTemplateSize)}
	}
	t := &template{}
	if len(raw) == 0 {
		raw = []byte("{}")
	}
	strict, err := json.UnmarshalStrict(raw, &t.spec)
	if err == nil {
		err = json.UnmarshalCaseSensitivePreserveInts(raw, &t.declared)
	}
	if err = errors.Join(append(strict, err)...); err != nil {
		return nil, field.ErrorList{field.Invalid(path, field.OmitValueType{}, strings.ReplaceAll(err.Error(), "\n", "; "))}
	}
	var errs field.ErrorList
	names := sets.New[string]()
	for i, parameter := range t.spec.Parameters {
		if names.Has(parameter.Name) {
			errs = append(errs, field.Duplicate(path.Child("parameters").Index(i).Child("name"), parameter.Name))
		}
		names.Insert(parameter.Name)
	}
	if t.spec.Builder.Name == "" && t.spec.Builder.Image == "" {
		errs = append(errs, field.Required(path.Child("builder"), "no binding can set the builder"))
	}
	if len(t.spec.Targets) == 0 {
		errs = append(errs, field.Required(path.Child("targets"), "no binding can set the targets"))
	}
	return t, errs
}

// has reports whether the template sets a target.
func (t *template) has(target *target) bool {
	if target.place == inParameter {
		return target.parameter(&t.spec) >= 0
	}
	fields := target.fields
	if target.place == inMap {
		fields = append(slices.Clip(fields), target.entry)
	}
	return t.hasFields(fields)
}

// hasFields reports whether the template has a value at a path of fields.
func (t *template) hasFields(fields []string) bool {
	var at any = t.declared
	for _, name := range fields {
		object, ok := at.(map[string]any)
		if !ok {
			return false
		}
		at = object[name]
	}
	return at != nil
}
