// SPDX-License-Identifier: Apache-2.0

// Package wrongtype tells the users of a document which of its JSON values has the wrong type, without the names of Go types.
package wrongtype

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Explain replaces the error of a decoder about a value of the wrong type. The new error names the field, without the indexes of lists, and
// what its value must be. Any other error stays as it is.
func Explain(err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return err
	case wrong.Field == "":
		return fmt.Errorf("it must be %s", form(wrong.Type))
	}
	return fmt.Errorf("%s: must be %s", fieldPath(wrong.Field), form(wrong.Type))
}

// fieldPath leaves out the names of embedded types: names of fields begin with a lower-case letter.
func fieldPath(path string) string {
	var names []string
	for name := range strings.SplitSeq(path, ".") {
		if name != "" && (name[0] < 'A' || name[0] > 'Z') {
			names = append(names, name)
		}
	}
	return strings.Join(names, ".")
}

// form describes the values of a type.
func form(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text: write it in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "a whole number without quotes"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	default:
		return "an object with fields"
	}
}
