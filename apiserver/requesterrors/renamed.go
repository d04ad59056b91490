// SPDX-License-Identifier: Apache-2.0

package requesterrors

import (
	"maps"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// FieldRenamer is a versioned type with renamed fields. Stored objects may have the former names. A request with a former
// name gets the error or the warning of an unknown field, with the current name.
type FieldRenamer interface {
	// RenamedFields returns the current path of each former path, such as spec.tags for spec.keywords. Both have the same parent.
	RenamedFields() map[string]string
}

// RenamedFields returns the renamed fields of a kind in a version.
func RenamedFields(scheme *runtime.Scheme, kind schema.GroupVersionKind) map[string]string {
	object, err := scheme.New(kind)
	if err != nil {
		return nil
	}
	if renamer, ok := object.(FieldRenamer); ok {
		return renamer.RenamedFields()
	}
	return nil
}

// RenamedFieldsOf returns the renamed fields of objects like the example, in every version.
func RenamedFieldsOf(scheme *runtime.Scheme, example runtime.Object) map[string]string {
	renamed := map[string]string{}
	kinds, _, err := scheme.ObjectKinds(example)
	if err != nil {
		return renamed
	}
	for _, version := range scheme.PrioritizedVersionsForGroup(kinds[0].Group) {
		maps.Copy(renamed, RenamedFields(scheme, version.WithKind(kinds[0].Kind)))
	}
	return renamed
}
