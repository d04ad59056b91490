// SPDX-License-Identifier: Apache-2.0

package imagespec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// A Difference is a value that the template declares, and of which an Image has another one.
type Difference struct {
	Path *field.Path
	// At is Path with the keys of items instead of their indices.
	At string
	// Value is what the Image has, or nil.
	Value any
}

// Differences compares the spec of an Image with the template. Defaults of Images count as declared.
func (t *Template) Differences(spec *v1alpha1.ImageSpec) ([]Difference, error) {
	template := &v1alpha1.Image{Spec: *t.Spec.DeepCopy()}
	v1alpha1.SetObjectDefaults_Image(template)
	want, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&template.Spec)
	if err != nil {
		return nil, err
	}
	stored, err := runtime.DefaultUnstructuredConverter.ToUnstructured(spec)
	if err != nil {
		return nil, err
	}
	return compare(t.Declared, want, stored, spot{field.NewPath("spec"), "spec", "spec"}), nil
}

// spot is where a value of an Image is: its path, its path with the keys of items instead of their indices, and its path without both.
type spot struct {
	path      *field.Path
	at, field string
}

// child is the place of a field. A parameter has no field but its value, as in the paths of bindings.
func (p spot) child(name string) spot {
	child := spot{p.path.Child(name), p.at + "." + name, p.field + "." + name}
	if child.field == "spec.parameters.value" {
		child.at = p.at
	}
	return child
}

// item is the place of an item of a list with keys. An index of -1 means that the list lacks the item.
func (p spot) item(index int, keys []string, item any) spot {
	object, _ := item.(map[string]any)
	values := make([]string, len(keys))
	for i, key := range keys {
		values[i] = fmt.Sprint(object[key])
	}
	at := spot{p.path, p.at + "[" + strings.Join(values, ",") + "]", p.field}
	if index >= 0 {
		at.path = p.path.Index(index)
	}
	return at
}

// compare compares what a template declares.
func compare(declared, want, stored any, at spot) (differences []Difference) {
	switch declared := declared.(type) {
	case map[string]any:
		wanted, _ := want.(map[string]any)
		have, _ := stored.(map[string]any)
		for name, member := range declared {
			differences = append(differences, compare(member, wanted[name], have[name], at.child(name))...)
		}
		return differences
	case []any:
		if keys := listKeys[at.field]; keys != nil {
			for _, item := range declared {
				wanted, _ := itemWith(want, keys, item)
				have, index := itemWith(stored, keys, item)
				if index < 0 {
					lacked := at.item(index, keys, item)
					differences = append(differences, Difference{lacked.path, lacked.at, nil})
				} else {
					differences = append(differences, compare(item, wanted, have, at.item(index, keys, item))...)
				}
			}
			return differences
		}
	}
	if !reflect.DeepEqual(want, stored) {
		differences = append(differences, Difference{at.path, at.at, stored})
	}
	return differences
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
