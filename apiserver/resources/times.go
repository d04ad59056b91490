// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
)

// maxYear is the last year that RFC 3339 can express.
const maxYear = 9999

// timely is a strategy that judges the times of new objects too.
type timely struct{ rest.RESTCreateStrategy }

// Validate validates a new object.
func (t timely) Validate(ctx context.Context, object runtime.Object) field.ErrorList {
	return append(checkTimes(object), t.RESTCreateStrategy.Validate(ctx, object)...)
}

// checkTimes refuses each time of an object whose year in UTC is not from 0 to 9999, such as 9999-12-31T23:59:59-01:00. The library
// reads this form, but writes times in UTC: afterwards nobody can read the stored object, nor any list that has it.
func checkTimes(object runtime.Object) field.ErrorList {
	var errs field.ErrorList
	for _, wrong := range wrongTimes(reflect.ValueOf(object)) {
		path := field.NewPath(strings.TrimPrefix(wrong.path, "."))
		errs = append(errs, field.Invalid(path, wrong.time.Format(time.RFC3339), "must be in the years 0 to 9999 in UTC"))
	}
	return errs
}

type wrongTime struct {
	path string
	time time.Time
}

// wrongTimes returns the times in a value that have no form in JSON. It makes paths for these alone, because it reads every written
// object.
func wrongTimes(value reflect.Value) (found []wrongTime) {
	add := func(path func() string, more []wrongTime) {
		for _, wrong := range more {
			found = append(found, wrongTime{path() + wrong.path, wrong.time})
		}
	}
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !value.IsNil() {
			return wrongTimes(value.Elem())
		}
	case reflect.Struct:
		if moment, ok := reflect.TypeAssert[time.Time](value); ok {
			if year := moment.UTC().Year(); year < 0 || year > maxYear {
				return []wrongTime{{"", moment}}
			}
			return nil
		}
		kind := value.Type()
		for i := range kind.NumField() {
			if member := kind.Field(i); member.IsExported() {
				add(func() string { return stepTo(member) }, wrongTimes(value.Field(i)))
			}
		}
	case reflect.Slice:
		if mayHaveTimes(value.Type().Elem()) {
			for i := range value.Len() {
				add(func() string { return "[" + strconv.Itoa(i) + "]" }, wrongTimes(value.Index(i)))
			}
		}
	case reflect.Map:
		if mayHaveTimes(value.Type().Elem()) {
			for entries := value.MapRange(); entries.Next(); {
				add(func() string { return "[" + entries.Key().String() + "]" }, wrongTimes(entries.Value()))
			}
		}
	}
	return found
}

func mayHaveTimes(kind reflect.Type) bool {
	return slices.Contains([]reflect.Kind{reflect.Struct, reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map}, kind.Kind())
}

// stepTo returns the last part of the path of a member of a struct. Internal types have no names in JSON, so their names are those of Go.
func stepTo(member reflect.StructField) string {
	name, _, _ := strings.Cut(member.Tag.Get("json"), ",")
	switch {
	case name != "":
	case member.Name == "ObjectMeta":
		name = "metadata"
	case member.Anonymous:
		return ""
	default:
		name = strings.ToLower(member.Name[:1]) + member.Name[1:]
	}
	return "." + name
}
