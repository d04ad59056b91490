// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/util"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Ratchet validates a changed object, and drops the errors of values that the change does not touch. So a stored object stays
// writable after a rule became stricter, or where a rule depends on the server's configuration. An error is dropped if the
// stored object has the same error, and the same value, at the same path. Entries of a list are compared by the list's keys
// in the OpenAPI document, and entries of a list without keys by their values.
//
// validate must not change the object, and must accept that a change is from the stored object to itself. If it stops at an
// error that Ratchet then drops, the rules after it are not checked.
func (s *Scope) Ratchet(object, old runtime.Object, validate func(object runtime.Object) field.ErrorList) field.ErrorList {
	errs := validate(object)
	if len(errs) == 0 {
		return nil
	}
	stored := validate(old)
	if len(stored) == 0 {
		return errs
	}
	change := s.change(object, old)
	return slices.DeleteFunc(errs, func(err *field.Error) bool {
		path, unchanged := change.trace(err.Field)
		return unchanged && slices.ContainsFunc(stored, func(before *field.Error) bool {
			return before.Field == path && before.Type == err.Type && before.Detail == err.Detail
		})
	})
}

// ratcheting is an update strategy that judges only what an update changes.
type ratcheting struct {
	rest.RESTUpdateStrategy
	scope *Scope
}

// PrepareForUpdate also keeps apiVersion and kind, which the library clears in one of two objects that have the same Go type. It
// would take the two for different, and store an apply that changes nothing.
func (r ratcheting) PrepareForUpdate(ctx context.Context, object, old runtime.Object) {
	keepField(object, old, "TypeMeta")
	r.RESTUpdateStrategy.PrepareForUpdate(ctx, object, old)
}

// ValidateUpdate validates a change.
func (r ratcheting) ValidateUpdate(ctx context.Context, object, old runtime.Object) field.ErrorList {
	return r.scope.Ratchet(object, old, func(object runtime.Object) field.ErrorList {
		return append(checkTimes(object), r.RESTUpdateStrategy.ValidateUpdate(ctx, object, old)...)
	})
}

// change compares the fields of an object and its stored object in the version that clients prefer, which has the names and
// the lists that the paths of errors refer to.
type change struct {
	equalities    conversion.Equalities
	models        map[string]*spec.Schema
	schema        *spec.Schema
	object, store reflect.Value
}

func (s *Scope) change(object, old runtime.Object) change {
	object, old = s.preferred(object), s.preferred(old)
	c := change{equalities: s.Equalities, object: reflect.ValueOf(object), store: reflect.ValueOf(old)}
	if s.Schemas != nil {
		c.models = s.Schemas()
		reference := modelReference(util.GetCanonicalTypeName(object))
		c.schema = c.models[reference.String()]
	}
	return c
}

// preferred returns an object in the first version of its group with its kind.
func (s *Scope) preferred(object runtime.Object) runtime.Object {
	kinds, _, err := s.Scheme.ObjectKinds(object)
	if err != nil {
		return object
	}
	for _, version := range s.Scheme.PrioritizedVersionsForGroup(kinds[0].Group) {
		if !s.Scheme.Recognizes(version.WithKind(kinds[0].Kind)) {
			continue
		}
		if versioned, err := s.Scheme.ConvertToVersion(object, version); err == nil {
			return versioned
		}
	}
	return object
}

// trace returns the path at which the stored object has the field, and whether its value is the same. Only indices of lists
// differ between the paths. If a part of the path is unknown, the value in which it would be is compared.
func (c change) trace(path string) (stored string, unchanged bool) {
	object, store, schema := value(c.object), value(c.store), c.schema
	for rest := path; rest != ""; {
		var step string
		if strings.HasPrefix(rest, "[") {
			step = subscript(rest, object, store)
		} else {
			step = rest[:1+len(until(rest[1:], ".["))]
		}
		rest = rest[len(step):]
		schema = c.resolve(schema)
		switch kind(object, store) {
		case reflect.Slice, reflect.Array:
			index, err := strconv.Atoi(strings.Trim(step, "[]"))
			if err != nil || !object.IsValid() || index >= object.Len() {
				return stored + step + rest, c.same(object, store)
			}
			before := c.correlate(object, store, index, listKeys(schema))
			if before < 0 {
				return stored, false
			}
			stored += "[" + strconv.Itoa(before) + "]"
			object, store, schema = value(object.Index(index)), value(store.Index(before)), itemsOf(schema)
		case reflect.Map:
			key := strings.TrimPrefix(step, ".")
			if strings.HasPrefix(step, "[") {
				key = step[1 : len(step)-1]
			}
			stored += step
			object, store, schema = entry(object, key), entry(store, key), entriesOf(schema)
		case reflect.Struct:
			name := strings.TrimPrefix(step, ".")
			if !hasMember(object, name) && !hasMember(store, name) {
				return stored + step + rest, c.same(object, store)
			}
			stored += step
			object, store, schema = member(object, name), member(store, name), propertyOf(schema, name)
		default: // of neither object, or of a value without fields
			return stored + step + rest, c.same(object, store)
		}
	}
	return stored, c.same(object, store)
}

// until returns the text before the first of some characters.
func until(text, characters string) string {
	if end := strings.IndexAny(text, characters); end >= 0 {
		return text[:end]
	}
	return text
}

// subscript returns the index or key, with its brackets, at the beginning of a path. A key can itself contain brackets.
func subscript(path string, maps ...reflect.Value) string {
	longest := until(path, "]") + "]"
	for _, object := range maps {
		if !object.IsValid() || object.Kind() != reflect.Map {
			continue
		}
		for _, key := range object.MapKeys() {
			if step := "[" + key.String() + "]"; strings.HasPrefix(path, step) && len(step) > len(longest) {
				longest = step
			}
		}
	}
	return longest[:min(len(longest), len(path))]
}

// value returns the value that pointers and interfaces point to. The result is invalid if a pointer or an interface is nil.
func value(of reflect.Value) reflect.Value {
	for of.IsValid() && (of.Kind() == reflect.Pointer || of.Kind() == reflect.Interface) {
		of = of.Elem()
	}
	return of
}

// kind returns the kind of two values of one type, of which one or both may be absent.
func kind(object, store reflect.Value) reflect.Kind {
	if object.IsValid() {
		return object.Kind()
	}
	return store.Kind()
}

func (c change) same(object, store reflect.Value) bool {
	if !object.IsValid() || !store.IsValid() {
		return object.IsValid() == store.IsValid()
	}
	return c.equalities.DeepEqual(object.Interface(), store.Interface())
}

func entry(object reflect.Value, key string) reflect.Value {
	if !object.IsValid() {
		return object
	}
	named := reflect.New(object.Type().Key()).Elem()
	named.SetString(key)
	return value(object.MapIndex(named))
}

// member returns the value of the field of a struct with a name in JSON.
func member(object reflect.Value, name string) reflect.Value {
	named, found := fieldOf(object, name)
	if !found {
		return reflect.Value{}
	}
	held, err := object.FieldByIndexErr(named.Index)
	if err != nil {
		return reflect.Value{}
	}
	return value(held)
}

// fieldOf finds the field of a struct with a name in JSON. An invalid value has no fields.
func fieldOf(object reflect.Value, name string) (reflect.StructField, bool) {
	if object.IsValid() {
		for _, candidate := range reflect.VisibleFields(object.Type()) {
			if tagged, _, _ := strings.Cut(candidate.Tag.Get("json"), ","); tagged == name {
				return candidate, true
			}
		}
	}
	return reflect.StructField{}, false
}

func hasMember(object reflect.Value, name string) bool {
	_, found := fieldOf(object, name)
	return found
}

// correlate returns the index of the stored entry of a list that an entry of the changed list continues, or -1. If several
// entries are alike, each continues one of them. In a list without keys, an entry that is not stored continues the entry in
// its place.
func (c change) correlate(list, stored reflect.Value, index int, keys []string) int {
	if !stored.IsValid() {
		return -1
	}
	wanted, occurrence := list.Index(index), 0
	for i := range index {
		if c.alike(list.Index(i), wanted, keys) {
			occurrence++
		}
	}
	for i := range stored.Len() {
		if !c.alike(stored.Index(i), wanted, keys) {
			continue
		}
		if occurrence == 0 {
			return i
		}
		occurrence--
	}
	if len(keys) == 0 && index < stored.Len() {
		return index
	}
	return -1
}

// alike reports whether two entries of a list have the same keys. Entries without keys are alike if they are equal.
func (c change) alike(a, b reflect.Value, keys []string) bool {
	a, b = value(a), value(b)
	if len(keys) == 0 || kind(a, b) != reflect.Struct {
		return c.same(a, b)
	}
	return !slices.ContainsFunc(keys, func(key string) bool { return !c.same(member(a, key), member(b, key)) })
}

// modelReference returns the reference to a model of the OpenAPI document.
func modelReference(name string) spec.Ref {
	return spec.MustCreateRef("#/definitions/" + common.EscapeJsonPointer(name))
}

// Schemas returns the schemas of an OpenAPI document by their references.
func Schemas(definitions common.GetOpenAPIDefinitions) map[string]*spec.Schema {
	schemas := map[string]*spec.Schema{}
	for name, definition := range definitions(modelReference) {
		reference := modelReference(name)
		schemas[reference.String()] = &definition.Schema
	}
	return schemas
}

// resolve follows the references of a schema. It returns nil if there is no schema.
func (c change) resolve(schema *spec.Schema) *spec.Schema {
	for schema != nil {
		switch {
		case schema.Ref.String() != "":
			schema = c.models[schema.Ref.String()]
		case len(schema.AllOf) == 1:
			schema = &schema.AllOf[0]
		default:
			return schema
		}
	}
	return nil
}

func propertyOf(schema *spec.Schema, name string) *spec.Schema {
	if schema == nil {
		return nil
	}
	if property, known := schema.Properties[name]; known {
		return &property
	}
	return nil
}

func itemsOf(schema *spec.Schema) *spec.Schema {
	if schema == nil || schema.Items == nil {
		return nil
	}
	return schema.Items.Schema
}

func entriesOf(schema *spec.Schema) *spec.Schema {
	if schema == nil || schema.AdditionalProperties == nil {
		return nil
	}
	return schema.AdditionalProperties.Schema
}

// listKeys returns the keys of the entries of a list, by which server-side apply identifies them too.
func listKeys(schema *spec.Schema) []string {
	if schema == nil {
		return nil
	}
	given, _ := schema.Extensions["x-kubernetes-list-map-keys"].([]any)
	keys := make([]string, 0, len(given))
	for _, key := range given {
		if name, ok := key.(string); ok {
			keys = append(keys, name)
		}
	}
	return keys
}
