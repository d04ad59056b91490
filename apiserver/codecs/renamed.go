// SPDX-License-Identifier: Apache-2.0

package codecs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// storedObjects reads stored objects that have fields under their former names. The objects have no kind, like internal objects: if
// the stored type is also the internal type, the items of a list would have kinds, unlike the items of Kubernetes' own lists.
type storedObjects struct {
	runtime.Codec
	scheme *runtime.Scheme
	former [][]byte // see formerNames
}

// formerNames returns the former names of fields of objects like the example, as JSON has them. To search an object for these names
// costs much less than to read its kind, and few objects contain one.
func formerNames(scheme *runtime.Scheme, example runtime.Object) [][]byte {
	var names [][]byte
	for former := range requesterrors.RenamedFieldsOf(scheme, example) {
		names = append(names, []byte(strconv.Quote(former[strings.LastIndex(former, ".")+1:])))
	}
	return names
}

// Decode reads an object. Only JSON has names: protobuf has numbers.
func (c storedObjects) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if bytes.HasPrefix(data, []byte("{")) && slices.ContainsFunc(c.former, func(name []byte) bool { return bytes.Contains(data, name) }) {
		var err error
		if data, err = renameStored(c.scheme, data); err != nil {
			return nil, nil, err
		}
	}
	object, kind, err := c.Codec.Decode(data, defaults, into)
	if object != nil {
		object.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	}
	return object, kind, err
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
	for former, current := range requesterrors.RenamedFields(scheme, kind.GroupVersionKind()) {
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
