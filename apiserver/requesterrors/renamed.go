// SPDX-License-Identifier: Apache-2.0

package requesterrors

import (
	"fmt"
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

// NameRenamedFields adds the current names to the error of a strict decoder about former names of fields.
func NameRenamedFields(err error, object FieldRenamer) error {
	return nameRenamed(err, object.RenamedFields())
}

// nameRenamed completes the errors of unknown fields that had this name before.
func nameRenamed(err error, renamed map[string]string) error {
	strict, isStrict := runtime.AsStrictDecodingError(err)
	if !isStrict || len(renamed) == 0 {
		return err
	}
	faults := make([]error, 0, len(strict.Errors()))
	for _, fault := range strict.Errors() {
		for former, current := range renamed {
			if fault.Error() == fmt.Sprintf("unknown field %q", former) {
				fault = fmt.Errorf("%w: use %q", fault, current)
				break
			}
		}
		faults = append(faults, fault)
	}
	return runtime.NewStrictDecodingError(faults)
}
