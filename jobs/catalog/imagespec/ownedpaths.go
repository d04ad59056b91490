// SPDX-License-Identifier: Apache-2.0

package imagespec

import (
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// OwnedPaths returns the paths that a new Image has from the template in managed fields.
func (t *Template) OwnedPaths() *fieldpath.Set {
	set := fieldpath.NewSet()
	if len(t.Declared) > 0 {
		insertOwned(set, fieldPath("spec"), "spec", t.Declared)
	}
	return set
}

// Keys of the lists in the spec of an Image whose items are owned one by one. All other lists are owned as a whole.
var listKeys = map[string][]string{
	"spec.parameters":   {"name"},
	"spec.targets":      {"platform", "format"},
	"spec.template.env": {"name"},
}

// Objects in the spec of an Image that are owned as a whole, and lists whose items are.
var (
	wholeObjects = []string{
		"spec.template.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
		"spec.template.env.valueFrom.configMapKeyRef", "spec.template.env.valueFrom.fieldRef", "spec.template.env.valueFrom.fileKeyRef",
		"spec.template.env.valueFrom.resourceFieldRef", "spec.template.env.valueFrom.secretKeyRef",
	}
	setLists = []string{"spec.retry.classes"}
)

// insertOwned inserts the paths that an owner of a value has, as in the managed fields of an Image that was created with the value. at is
// the path without the keys of lists.
func insertOwned(set *fieldpath.Set, path fieldpath.Path, at string, content any) {
	switch content := content.(type) {
	case map[string]any:
		if len(content) > 0 && !slices.Contains(wholeObjects, at) {
			for name, member := range content {
				insertOwned(set, append(slices.Clip(path), fieldPath(name)...), at+"."+name, member)
			}
			return
		}
	case []any:
		if keys := listKeys[at]; keys != nil {
			for _, item := range content {
				insertItem(set, path, at, keys, item)
			}
			return
		}
		if slices.Contains(setLists, at) {
			for _, item := range content {
				set.Insert(append(slices.Clip(path), fieldpath.ValueElement(value.NewValueInterface(item))))
			}
			return
		}
	}
	set.Insert(path)
}

// insertItem inserts the paths of an item of a list whose items have keys.
func insertItem(set *fieldpath.Set, list fieldpath.Path, at string, keys []string, item any) {
	object, _ := item.(map[string]any)
	var key []any
	for _, name := range keys {
		key = append(key, name, object[name])
	}
	path := append(slices.Clip(list), fieldpath.KeyElementByFields(key...))
	set.Insert(path)
	insertOwned(set, path, at, object)
}

// fieldPath is a path of named fields.
func fieldPath(names ...string) fieldpath.Path {
	path := make(fieldpath.Path, len(names))
	for i := range names {
		path[i].FieldName = &names[i]
	}
	return path
}

// ownerPath is the path of a target in the managed fields of an Image.
func (t *Target) ownerPath() fieldpath.Path {
	path := fieldPath(append([]string{"spec"}, t.fields...)...)
	switch t.place {
	case inParameter:
		return append(t.itemPath(), fieldPath("value")...)
	case inMap:
		return append(path, fieldPath(t.entry)...)
	}
	return path
}

// itemPath is the path of the item of a list that has a parameter.
func (t *Target) itemPath() fieldpath.Path {
	return append(fieldPath("spec", "parameters"), fieldpath.KeyElementByFields("name", t.entry))
}

// OwnerPaths are the paths that an owner of the target has in the managed fields of an Image: first that of its value. An owner of a
// parameter also owns its item and its name. Otherwise an owner that no longer sets the parameter would leave an item without a value.
func (t *Target) OwnerPaths() []fieldpath.Path {
	paths := []fieldpath.Path{t.ownerPath()}
	if t.place == inParameter {
		paths = append(paths, t.itemPath(), append(t.itemPath(), fieldPath("name")...))
	}
	return paths
}

// LostPaths are the paths that no longer exist in an Image from which the target was removed.
func (t *Target) LostPaths(spec *v1alpha1.ImageSpec) []fieldpath.Path {
	paths := t.OwnerPaths()
	lost := func(names int) { paths = append(paths, fieldPath(append([]string{"spec"}, t.fields[:names]...)...)) }
	for _, parent := range t.parents {
		if at, found := t.descend(spec, parent.depth, false); !found || at.IsNil() {
			lost(parent.names)
		}
	}
	if t.place == inMap || t.place == inParameter {
		if at, found := t.descend(spec, len(t.indices), false); !found || at.IsNil() {
			lost(len(t.fields))
		}
	}
	return paths
}
