// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"reflect"
	"slices"
	"strings"
)

// FieldNames are the names that `kubectl explain --recursive` must show of a type of Goldsmith's API: the JSON names of its fields
// and of the fields of their types. Fields of the types of Kubernetes are left out.
func FieldNames(kind reflect.Type) []string {
	for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, kind.Kind()) {
		kind = kind.Elem()
	}
	if kind.Kind() != reflect.Struct || !strings.HasSuffix(kind.PkgPath(), "apis/images/v1alpha1") {
		return nil
	}
	var fields []string
	for field := range kind.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			fields = append(fields, name)
		}
		fields = append(fields, FieldNames(field.Type)...)
	}
	return fields
}
