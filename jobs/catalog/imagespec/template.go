// SPDX-License-Identifier: Apache-2.0

package imagespec

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

// A Template is the part of the spec that all Images of a kind have in common. It must not be changed.
type Template struct {
	Spec v1alpha1.ImageSpec
	// Declared is the same as JSON: it tells fields that are absent from fields that are empty.
	Declared map[string]any
}

// ReadTemplate reads a template, and requires what no binding can set. path is where the ImageKind has it.
func ReadTemplate(raw []byte, path *field.Path) (*Template, field.ErrorList) {
	if len(raw) > maxTemplateSize {
		return nil, field.ErrorList{field.TooLong(path, "", maxTemplateSize)}
	}
	t := &Template{}
	if len(raw) == 0 {
		raw = []byte("{}")
	}
	strict, err := json.UnmarshalStrict(raw, &t.Spec)
	if err == nil {
		err = json.UnmarshalCaseSensitivePreserveInts(raw, &t.Declared)
	}
	if err = errors.Join(append(strict, err)...); err != nil {
		return nil, field.ErrorList{field.Invalid(path, field.OmitValueType{}, strings.ReplaceAll(err.Error(), "\n", "; "))}
	}
	var errs field.ErrorList
	names := sets.New[string]()
	for i, parameter := range t.Spec.Parameters {
		if names.Has(parameter.Name) {
			errs = append(errs, field.Duplicate(path.Child("parameters").Index(i).Child("name"), parameter.Name))
		}
		names.Insert(parameter.Name)
	}
	if t.Spec.Builder.Name == "" && t.Spec.Builder.Image == "" {
		errs = append(errs, field.Required(path.Child("builder"), "no binding can set the builder"))
	}
	if len(t.Spec.Targets) == 0 {
		errs = append(errs, field.Required(path.Child("targets"), "no binding can set the targets"))
	}
	return t, errs
}

// Target compiles the path of a target, which the template must not set. at is where the ImageKind has the path.
func (t *Template) Target(path string, at *field.Path) (*Target, field.ErrorList) {
	target, err := newTarget(path)
	switch {
	case err != nil:
		return nil, field.ErrorList{field.Invalid(at, path, err.Error())}
	case t.sets(target):
		return nil, field.ErrorList{field.Forbidden(at, "the template sets "+path)}
	}
	for i := range target.parents {
		parent := &target.parents[i]
		parent.kept = t.Has(target.fields[:parent.names]...)
	}
	return target, nil
}

// destinations are the fields of an Image to which a Secret is sent, each with the field that selects the Secret. A Secret of a registry can name
// hosts of many teams, such as *.azurecr.io. spec.output.repository is not one of them, because kinds with a field for it exist.
var destinations = map[string][]string{
	"spec.source.git.url":        {"source", "git", "secretRef"},
	"spec.source.oci.repository": {"source", "oci", "secretRef"},
}

// SecretSentTo returns the field of the template that selects the Secret that is sent to the value of a target. It is empty if the template
// selects none: then a user who selects a Secret needs permission to get it.
func (t *Template) SecretSentTo(target *Target) string {
	if fields := destinations[target.Path]; fields != nil && t.Has(fields...) {
		return "spec." + strings.Join(fields, ".")
	}
	return ""
}

func (t *Template) sets(target *Target) bool {
	switch target.place {
	case inParameter:
		return target.parameter(&t.Spec) >= 0
	case inMap:
		return t.Has(append(slices.Clip(target.fields), target.entry)...)
	}
	return t.Has(target.fields...)
}

// Has reports whether the template has a value at a path of fields, after spec.
func (t *Template) Has(fields ...string) bool {
	var at any = t.Declared
	for _, name := range fields {
		object, ok := at.(map[string]any)
		if !ok {
			return false
		}
		at = object[name]
	}
	return at != nil
}
