// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"io"
	"reflect"
	"slices"
	"strings"
)

// lines reads lines as they come.
func lines(from io.Reader) <-chan string {
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(from)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
	}()
	return lines
}

// fieldsOf are the names in JSON of the fields of a type, and of the types of those, as far as they are ours.
func fieldsOf(kind reflect.Type) []string {
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
		fields = append(fields, fieldsOf(field.Type)...)
	}
	return fields
}
