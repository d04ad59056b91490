// SPDX-License-Identifier: Apache-2.0

// Package imagespec has what a kind sets in the spec of an Image: the template, and the targets of bindings and derived values. It reads and
// writes them, and knows who owns them in managed fields.
package imagespec

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// A Target is a field of the spec of an Image that a kind sets: a scalar, an entry of a map, or the value of a parameter. Its path is
// compiled to the indices of struct fields, so that access needs no map of the whole Image. It is immutable, and safe for concurrent use.
type Target struct {
	// Path is the path in the Image, such as spec.parameters[size].
	Path string
	// Needed reports whether an Image that has the parent of the field needs the field.
	Needed bool
	// Defaulted reports whether an Image that has the parents of the target gets a default for the target, and Always whether every
	// Image does.
	Defaulted, Always bool
	// fields are the names of the fields to the target, after spec.
	fields []string
	// indices are the indices of the struct fields to the target, from v1alpha1.ImageSpec. Pointers on the way are followed.
	indices []int
	// entry is the key of the map, or the name of the parameter.
	entry string
	// place is the form in which the Image has the value.
	place place
	// value is the Go type of the value.
	value reflect.Type
	// written reports whether values are texts that must have a certain form, such as durations. An Image has them as they were written.
	written bool
	// parents are the fields on the way that are removed when nothing is left in them, the outermost first.
	parents []parent
}

// A parent is a pointer on the way to a target.
type parent struct {
	names int // the number of names to the parent
	depth int // the number of indices to the parent
	// empty is the parent with nothing but its defaults, and without the target.
	empty any
	// kept reports that the template sets the parent.
	kept bool
}

// place is the form in which an Image has a value.
type place int

const (
	// inString is a field that is a string. It has no value if the string is empty.
	inString place = iota
	// inPointer is a pointer to a value.
	inPointer
	// inMap is an entry of a map whose keys are strings.
	inMap
	// inParameter is the value of a parameter.
	inParameter
)

var errNoTarget = errors.New("must be the path of a scalar field of an Image, or of an entry in brackets, such as spec.base.reference or spec.parameters[size]")

// forbiddenTargets are the fields of an Image that no user of a kind may choose, with those below.
var forbiddenTargets = []string{
	"spec.builder", "spec.targets", "spec.template.serviceAccountName", "spec.template.priorityClassName", "spec.template.queueName", "spec.template.env",
}

var parameterName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`)

// newTarget compiles the path of a target.
func newTarget(path string) (*Target, error) {
	for _, forbidden := range forbiddenTargets {
		if rest, found := strings.CutPrefix(path, forbidden); found && (rest == "" || strings.ContainsAny(rest[:1], ".[")) {
			return nil, fmt.Errorf("%s cannot be set by users of the kind: set it in the template", forbidden)
		}
	}
	way, entry, bracket := strings.Cut(path, "[")
	way, found := strings.CutPrefix(way, "spec.")
	if !found || bracket && (!strings.HasSuffix(entry, "]") || entry == "]") {
		return nil, errNoTarget
	}
	entry = strings.TrimSuffix(entry, "]")
	t := &Target{Path: path, fields: strings.Split(way, "."), entry: entry}
	at := reflect.TypeFor[v1alpha1.ImageSpec]()
	for i, name := range t.fields {
		if at.Kind() == reflect.Pointer {
			t.parents = append(t.parents, parent{names: i, depth: len(t.indices)})
			at = at.Elem()
		}
		field, omitted, ok := jsonField(at, name)
		if !ok {
			return nil, errNoTarget
		}
		t.indices, t.Needed = append(t.indices, field.Index...), !omitted
		at = field.Type
	}
	t.Needed = t.Needed || path == "spec.base.reference" // or imageRef, but a kind has one of them
	if err := t.setPlace(at, bracket); err != nil {
		return nil, err
	}
	for i := range t.parents {
		spec := &v1alpha1.ImageSpec{}
		at, _ := t.descend(spec, t.parents[i].depth, true)
		at.Set(reflect.New(at.Type().Elem()))
		t.parents[i].empty = t.parentWithDefaults(spec, t.parents[i].depth)
	}
	image := &v1alpha1.Image{}
	t.descend(&image.Spec, len(t.indices), true)
	v1alpha1.SetObjectDefaults_Image(image)
	_, t.Defaulted = t.Get(&image.Spec)
	image = &v1alpha1.Image{}
	v1alpha1.SetObjectDefaults_Image(image)
	_, t.Always = t.Get(&image.Spec)
	return t, nil
}

// jsonField returns the field of a struct with a name in JSON, and whether JSON omits it when it is empty. Embedded structs are
// those whose fields JSON has inline.
func jsonField(at reflect.Type, name string) (reflect.StructField, bool, bool) {
	if at.Kind() != reflect.Struct {
		return reflect.StructField{}, false, false
	}
	for _, field := range reflect.VisibleFields(at) {
		tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if tag != "" && tag == name {
			return field, strings.Contains(options, "omitempty"), true
		}
	}
	return reflect.StructField{}, false, false
}

// setPlace sets the form of the value whose Go type is at the end of the path.
func (t *Target) setPlace(at reflect.Type, bracket bool) error {
	switch {
	case bracket && at == reflect.TypeFor[[]v1alpha1.Parameter]():
		t.place, t.value = inParameter, reflect.TypeFor[string]()
		if !parameterName.MatchString(t.entry) {
			return errors.New("the name of a parameter must be 1 to 63 letters, digits, '-', '_' and '.'")
		}
	case bracket && at.Kind() == reflect.Map && at.Key().Kind() == reflect.String:
		t.place, t.value = inMap, at.Elem()
	case bracket:
		return errNoTarget
	case at.Kind() == reflect.String:
		t.place, t.value = inString, at
	case at.Kind() == reflect.Pointer:
		t.place, t.value = inPointer, at.Elem()
	default:
		return errNoTarget
	}
	t.written = reflect.PointerTo(t.value).Implements(reflect.TypeFor[json.Unmarshaler]()) && t.value.Implements(reflect.TypeFor[fmt.Stringer]())
	if t.Type() == "" {
		return errNoTarget
	}
	return nil
}

// Type returns the type of the values in JSON schemas: string, integer or boolean. It is empty for values that are no scalars.
func (t *Target) Type() string {
	switch {
	case t.written, t.value.Kind() == reflect.String:
		return "string"
	case t.value.Kind() == reflect.Bool:
		return "boolean"
	case t.value.Kind() == reflect.Int32:
		return "integer"
	}
	return ""
}

// TakesText reports whether the target can have the text of every value of a type of JSON schemas.
func (t *Target) TakesText(typ string) bool {
	return t.value.Kind() == reflect.String && !t.written || t.value == reflect.TypeFor[v1alpha1.Quantity]() && typ == "integer"
}

// LacksEmpty reports whether an Image does not tell the empty string in the target from no value.
func (t *Target) LacksEmpty() bool { return t.place == inString }

// Example returns an example of a text that has the form that the target needs, and "" if it needs none.
func (t *Target) Example() string {
	switch t.value {
	case reflect.TypeFor[v1alpha1.Duration]():
		return "1h"
	case reflect.TypeFor[v1alpha1.Quantity]():
		return "1Gi"
	}
	return ""
}

// Parent returns the names of the fields to the parent of the target, after spec.
func (t *Target) Parent() []string { return t.fields[:len(t.fields)-1] }

// In returns the path of the target in an Image, with the index of the parameter in place of its name.
func (t *Target) In(spec *v1alpha1.ImageSpec) *field.Path {
	if t.place != inParameter {
		return field.NewPath(t.Path)
	}
	parameters := field.NewPath("spec", "parameters")
	if i := t.parameter(spec); i >= 0 {
		return parameters.Index(i).Child("value")
	}
	return parameters
}
