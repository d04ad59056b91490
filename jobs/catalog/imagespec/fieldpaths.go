// SPDX-License-Identifier: Apache-2.0

package imagespec

import (
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

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
