// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// FieldRenamer is a versioned type with renamed fields. Stored objects may have the former names. A request with a former
// name gets the error or the warning of an unknown field, with the current name.
type FieldRenamer interface {
	// RenamedFields returns the current path of each former path, such as spec.tags for spec.keywords. Both have the same parent.
	RenamedFields() map[string]string
}

// renamedFields returns the renamed fields of a kind in a version.
func renamedFields(scheme *runtime.Scheme, kind schema.GroupVersionKind) map[string]string {
	object, err := scheme.New(kind)
	if err != nil {
		return nil
	}
	if renamer, ok := object.(FieldRenamer); ok {
		return renamer.RenamedFields()
	}
	return nil
}

// renamedFieldsOfResource returns the renamed fields of objects like the example, in every version.
func renamedFieldsOfResource(scheme *runtime.Scheme, example runtime.Object) map[string]string {
	renamed := map[string]string{}
	kinds, _, err := scheme.ObjectKinds(example)
	if err != nil {
		return renamed
	}
	for _, version := range scheme.PrioritizedVersionsForGroup(kinds[0].Group) {
		maps.Copy(renamed, renamedFields(scheme, version.WithKind(kinds[0].Kind)))
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

// renamingCodec reads stored objects that have fields under their former names.
type renamingCodec struct {
	runtime.Codec
	scheme *runtime.Scheme
	former [][]byte // see formerNames
}

// formerNames returns the former names of fields of objects like the example, as JSON has them. To search an object for these names
// costs much less than to read its kind, and few objects contain one.
func formerNames(scheme *runtime.Scheme, example runtime.Object) [][]byte {
	var names [][]byte
	for former := range renamedFieldsOfResource(scheme, example) {
		names = append(names, []byte(strconv.Quote(former[strings.LastIndex(former, ".")+1:])))
	}
	return names
}

// Decode reads an object. Only JSON has names: protobuf has numbers.
func (c renamingCodec) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if bytes.HasPrefix(data, []byte("{")) && slices.ContainsFunc(c.former, func(name []byte) bool { return bytes.Contains(data, name) }) {
		var err error
		if data, err = renameStored(c.scheme, data); err != nil {
			return nil, nil, err
		}
	}
	return c.Codec.Decode(data, defaults, into)
}

// renameStored returns a stored object with the current names of its fields.
func renameStored(scheme *runtime.Scheme, data []byte) ([]byte, error) {
	var kind metav1.TypeMeta
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, fmt.Errorf("read the kind of a stored object: %w", err)
	}
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // no number is rounded
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("read a stored object: %w", err)
	}
	changed := false
	for former, current := range renamedFields(scheme, kind.GroupVersionKind()) {
		path := strings.Split(former, ".")
		name := path[len(path)-1]
		parent := object
		for _, step := range path[:len(path)-1] {
			parent, _ = parent[step].(map[string]any)
		}
		if value, found := parent[name]; found {
			delete(parent, name)
			parent[current[strings.LastIndex(current, ".")+1:]] = value
			changed = true
		}
	}
	if !changed {
		return data, nil
	}
	renamed, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("rename fields of a stored object: %w", err)
	}
	return renamed, nil
}
