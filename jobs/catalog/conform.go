// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Conforms returns what an Image has that no object of the kind has, with the paths of the Image: values of bound fields that cannot be
// decoded or that the schema refuses, and other values of the template and of derived fields. Fields that the kind does not set may have
// any value. Users with permission to change Images can write such values.
func (k *Kind) Conforms(image *v1alpha1.Image) field.ErrorList {
	errs := k.checkDecodable(image)
	view, err := k.Get(image)
	if err != nil {
		return append(errs, field.InternalError(field.NewPath("spec"), err))
	}
	object, err := view.Unstructured()
	if err != nil {
		return append(errs, field.InternalError(field.NewPath("spec"), err))
	}
	if len(errs) == 0 {
		errs = append(k.checkSchema(image, object.Object), k.checkDerived(image, object.Object)...)
	}
	return append(errs, k.checkTemplate(image)...)
}

func (k *Kind) checkDecodable(image *v1alpha1.Image) (errs field.ErrorList) {
	for _, b := range k.bindings {
		if stored, found := b.target.get(&image.Spec); found {
			if _, decodable := b.codec.decode(stored); !decodable {
				errs = append(errs, field.Invalid(b.target.in(image), stored, fmt.Sprintf("is no value of %s of a %s", b.leaf.Path, k.declared.Spec.Names.Kind)))
			}
		}
	}
	return errs
}

// checkSchema checks the object of an Image against the schema and its rules, except for rules about changes.
func (k *Kind) checkSchema(image *v1alpha1.Image, object map[string]any) (errs field.ErrorList) {
	spec, _ := object["spec"].(map[string]any)
	for _, fault := range k.validators().check(spec, field.NewPath("spec")) {
		at := field.NewPath("spec")
		for _, b := range k.bindings {
			if fault.Field == b.leaf.Path || isBelow(fault.Field, b.leaf.Path) {
				at = b.target.in(image)
			}
		}
		errs = append(errs, field.Invalid(at, field.OmitValueType{}, fmt.Sprintf("as a %s: %s", k.declared.Spec.Names.Kind, fault.Error())))
	}
	return errs
}

func (k *Kind) checkDerived(image *v1alpha1.Image, object map[string]any) (errs field.ErrorList) {
	for i := range k.derived {
		d := &k.derived[i]
		want, wanted, err := d.expression.evaluate(object)
		if err != nil {
			continue // the Image cannot be blamed for it
		}
		if stored, found := d.target.get(&image.Spec); found != wanted || stored != want {
			errs = append(errs, k.setsItself(d.target.in(image), stored))
		}
	}
	return errs
}

func (k *Kind) setsItself(path *field.Path, value any) *field.Error {
	return field.Invalid(path, value, fmt.Sprintf("kind %s sets this field: change ImageKind %s instead", k.declared.Spec.Names.Kind, k.Name()))
}

// checkTemplate checks that an Image has the template. Defaults of Images count as declared.
func (k *Kind) checkTemplate(image *v1alpha1.Image) field.ErrorList {
	template := &v1alpha1.Image{Spec: *k.template.spec.DeepCopy()}
	v1alpha1.SetObjectDefaults_Image(template)
	want, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&template.Spec)
	if err != nil {
		return field.ErrorList{field.InternalError(field.NewPath("spec"), err)}
	}
	stored, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&image.Spec)
	if err != nil {
		return field.ErrorList{field.InternalError(field.NewPath("spec"), err)}
	}
	return k.compare(k.template.declared, want, stored, field.NewPath("spec"), "spec")
}

// compare compares what a template declares. at is the path without the keys of lists.
func (k *Kind) compare(declared, want, stored any, path *field.Path, at string) (errs field.ErrorList) {
	switch declared := declared.(type) {
	case map[string]any:
		wanted, _ := want.(map[string]any)
		have, _ := stored.(map[string]any)
		for name, member := range declared {
			errs = append(errs, k.compare(member, wanted[name], have[name], path.Child(name), at+"."+name)...)
		}
		return errs
	case []any:
		if keys := listKeys[at]; keys != nil {
			for _, item := range declared {
				wanted, _ := itemWith(want, keys, item)
				have, index := itemWith(stored, keys, item)
				if index < 0 {
					errs = append(errs, k.setsItself(path, stored))
				} else {
					errs = append(errs, k.compare(item, wanted, have, path.Index(index), at)...)
				}
			}
			return errs
		}
	}
	if !reflect.DeepEqual(want, stored) {
		errs = append(errs, k.setsItself(path, stored))
	}
	return errs
}

// itemWith returns the item of a list that has the keys of another item, and its index, or -1.
func itemWith(list any, keys []string, like any) (any, int) {
	items, _ := list.([]any)
	wanted, _ := like.(map[string]any)
	index := slices.IndexFunc(items, func(item any) bool {
		object, _ := item.(map[string]any)
		return !slices.ContainsFunc(keys, func(key string) bool { return object[key] != wanted[key] })
	})
	if index < 0 {
		return nil, -1
	}
	return items[index], index
}

// in returns the path of a target in an Image.
func (t *target) in(image *v1alpha1.Image) *field.Path {
	if t.place != inParameter {
		return field.NewPath(t.path)
	}
	parameters := field.NewPath("spec", "parameters")
	if i := t.parameter(&image.Spec); i >= 0 {
		return parameters.Index(i).Child("value")
	}
	return parameters
}
