// SPDX-License-Identifier: Apache-2.0

package imagespec

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// descend returns the field after a number of indices. It creates the pointers on the way, or returns false for one that is nil.
func (t *Target) descend(spec *v1alpha1.ImageSpec, depth int, create bool) (reflect.Value, bool) {
	at := reflect.ValueOf(spec).Elem()
	for _, index := range t.indices[:depth] {
		if at.Kind() == reflect.Pointer {
			if at.IsNil() {
				if !create {
					return reflect.Value{}, false
				}
				at.Set(reflect.New(at.Type().Elem()))
			}
			at = at.Elem()
		}
		at = at.Field(index)
	}
	return at, true
}

// Get returns the value of a target as JSON has it: a string, an int64 or a bool. It returns false for a field that is absent.
func (t *Target) Get(spec *v1alpha1.ImageSpec) (any, bool) {
	if t.place == inParameter {
		if i := t.parameter(spec); i >= 0 {
			return spec.Parameters[i].Value, true
		}
		return nil, false
	}
	at, found := t.descend(spec, len(t.indices), false)
	if !found {
		return nil, false
	}
	switch t.place {
	case inString:
		return at.String(), at.Len() > 0
	case inMap:
		if at = at.MapIndex(reflect.ValueOf(t.entry)); !at.IsValid() {
			return nil, false
		}
	default:
		if at.IsNil() {
			return nil, false
		}
		at = at.Elem()
	}
	switch {
	case t.written:
		return at.Interface().(fmt.Stringer).String(), true
	case at.Kind() == reflect.Bool:
		return at.Bool(), true
	case at.Kind() == reflect.Int32:
		return at.Int(), true
	}
	return at.String(), true
}

// Set sets a value that Get can return. It refuses a text that does not have the form that the field needs.
func (t *Target) Set(spec *v1alpha1.ImageSpec, value any) error {
	parsed, err := t.parse(value)
	if err != nil {
		return err
	}
	if t.place == inParameter {
		if i := t.parameter(spec); i >= 0 {
			spec.Parameters[i].Value = parsed.String()
		} else {
			spec.Parameters = append(spec.Parameters, v1alpha1.Parameter{Name: t.entry, Value: parsed.String()})
		}
		return nil
	}
	at, _ := t.descend(spec, len(t.indices), true)
	switch t.place {
	case inString:
		at.Set(parsed)
	case inMap:
		if at.IsNil() {
			at.Set(reflect.MakeMap(at.Type()))
		}
		at.SetMapIndex(reflect.ValueOf(t.entry), parsed)
	default:
		pointer := reflect.New(t.value)
		pointer.Elem().Set(parsed)
		at.Set(pointer)
	}
	return nil
}

// Check reports why the target cannot have a value.
func (t *Target) Check(value any) error {
	_, err := t.parse(value)
	return err
}

// parse returns the value in its Go type.
func (t *Target) parse(value any) (reflect.Value, error) {
	switch v := value.(type) {
	case string:
		if t.written {
			text, err := json.Marshal(v)
			if err != nil {
				return reflect.Value{}, err
			}
			parsed := reflect.New(t.value)
			err = parsed.Interface().(json.Unmarshaler).UnmarshalJSON(text)
			return parsed.Elem(), err
		}
		if t.value.Kind() == reflect.String {
			return reflect.ValueOf(v).Convert(t.value), nil
		}
	case bool:
		if t.value.Kind() == reflect.Bool {
			return reflect.ValueOf(v), nil
		}
	case int64:
		if t.value.Kind() == reflect.Int32 {
			if v < math.MinInt32 || v > math.MaxInt32 {
				return reflect.Value{}, fmt.Errorf("must be between %d and %d", math.MinInt32, math.MaxInt32)
			}
			return reflect.ValueOf(int32(v)), nil
		}
	}
	return reflect.Value{}, fmt.Errorf("must be of type %s", t.Type())
}

// Remove removes a target, and the parents in which nothing else is left but defaults.
func (t *Target) Remove(spec *v1alpha1.ImageSpec) {
	if t.place == inParameter {
		spec.Parameters = slices.DeleteFunc(spec.Parameters, func(p v1alpha1.Parameter) bool { return p.Name == t.entry })
		if len(spec.Parameters) == 0 {
			spec.Parameters = nil
		}
		return
	}
	at, found := t.descend(spec, len(t.indices), false)
	if !found {
		return
	}
	if t.place == inMap && !at.IsNil() {
		at.SetMapIndex(reflect.ValueOf(t.entry), reflect.Value{})
	}
	if t.place != inMap || at.Len() == 0 {
		at.SetZero()
	}
	for _, parent := range slices.Backward(t.parents) {
		if parent.kept || !reflect.DeepEqual(t.parentWithDefaults(spec, parent.depth), parent.empty) {
			return
		}
		at, _ := t.descend(spec, parent.depth, false)
		at.SetZero()
	}
}

// parentWithDefaults returns a parent with the defaults of Images, but without one for the target.
func (t *Target) parentWithDefaults(spec *v1alpha1.ImageSpec, depth int) any {
	image := &v1alpha1.Image{Spec: *spec.DeepCopy()}
	v1alpha1.SetObjectDefaults_Image(image)
	if leaf, found := t.descend(&image.Spec, len(t.indices), false); found && t.place != inMap {
		leaf.SetZero()
	}
	at, _ := t.descend(&image.Spec, depth, false)
	return at.Elem().Interface()
}

// parameter returns the index of the parameter of the target, or -1.
func (t *Target) parameter(spec *v1alpha1.ImageSpec) int {
	return slices.IndexFunc(spec.Parameters, func(p v1alpha1.Parameter) bool { return p.Name == t.entry })
}
