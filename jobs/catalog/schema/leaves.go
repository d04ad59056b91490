// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A Leaf is a field of the schema that is stored as a whole: a scalar, a list, a map, or an object that the schema declares as
// atomic.
type Leaf struct {
	// Path is the path in objects of the kind: spec.network.address.
	Path string
	// At is the path of the schema of the field in the ImageKind.
	At *field.Path
	// Type is the type of the values in JSON schemas, and Schema their whole schema.
	Type   string
	Schema *structuralschema.Structural
	// Required reports whether every valid object has the field, once defaults are applied.
	Required bool
}

// fieldName excludes the characters that separate the steps of a path.
var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// readLeaves collects the leaves of the schema, and reports what an Image cannot store.
func (d *Schema) readLeaves(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch typ := d.Structural.Type; {
	case typ != "object" && typ != "":
		return field.ErrorList{field.Invalid(path.Child("type"), typ, "spec must be an object")}
	case typ == "object" && len(d.Structural.Properties) == 0:
		errs = append(errs, field.Required(path.Child("properties"), "declare at least one field"))
	}
	errs = append(errs, checkField(d.Structural, path)...)
	if d.Structural.XMapType != nil && *d.Structural.XMapType == atomic {
		errs = append(errs, field.Forbidden(path.Child("x-kubernetes-map-type"), "spec is stored field by field"))
	}
	errs = append(errs, d.readProperties(d.Structural, "spec", path, true)...)
	d.Order = slices.Sorted(maps.Keys(d.Leaves))
	if len(d.Order) > maxFields {
		errs = append(errs, field.TooMany(path, len(d.Order), maxFields))
	}
	return errs
}

// readProperties reads the properties of an object that is not a leaf. present reports whether every valid object has it.
func (d *Schema) readProperties(object *structuralschema.Structural, path string, at *field.Path, present bool) field.ErrorList {
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(object.Properties)) {
		property := object.Properties[name]
		path, at := path+"."+name, at.Child("properties").Key(name)
		if !fieldName.MatchString(name) {
			errs = append(errs, field.Invalid(at, name, "the name of a field must begin with a letter, and must consist of letters, digits, - and _"))
		}
		errs = append(errs, checkField(&property, at)...)
		present := present && alwaysSet(object, name)
		if !isLeaf(&property) {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(property.Properties)), func(child string) bool { return alwaysSet(&property, child) }) {
				errs = append(errs, field.Invalid(at, field.OmitValueType{},
					"at least one of its fields must be required or have a default, because an Image cannot store an empty object"))
			}
			errs = append(errs, d.readProperties(&property, path, at, present)...)
			continue
		}
		errs = append(errs, checkLeaf(&property, at)...)
		d.Leaves[path] = Leaf{Path: path, At: at, Type: property.Type, Schema: &property, Required: present}
	}
	return errs
}

const atomic = "atomic"

func isLeaf(s *structuralschema.Structural) bool {
	return len(s.Properties) == 0 || s.XMapType != nil && *s.XMapType == atomic
}

// alwaysSet reports whether an object that is valid has the property, once defaults are applied.
func alwaysSet(object *structuralschema.Structural, property string) bool {
	return isRequired(object, property) || object.Properties[property].Default.Object != nil
}

func isRequired(object *structuralschema.Structural, property string) bool {
	return object.ValueValidation != nil && slices.Contains(object.ValueValidation.Required, property)
}

// checkField reports what neither a leaf nor an object with fields of its own can have. Schemas within a leaf can.
func checkField(s *structuralschema.Structural, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.Nullable {
		errs = append(errs, field.Forbidden(at.Child("nullable"), "leave the field out instead, because an Image cannot store null"))
	}
	return errs
}

func checkLeaf(s *structuralschema.Structural, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch {
	case s.XListType != nil && *s.XListType != atomic:
		errs = append(errs, field.NotSupported(at.Child("x-kubernetes-list-type"), *s.XListType, []string{atomic}))
	case s.AdditionalProperties != nil && (s.XMapType == nil || *s.XMapType != atomic):
		errs = append(errs, field.Required(at.Child("x-kubernetes-map-type"), "must be atomic, because an Image stores the map as one value"))
	case s.Type == "object" && s.AdditionalProperties == nil && len(s.Properties) == 0:
		errs = append(errs, field.Required(at.Child("properties"), "declare the fields of the object, or additionalProperties for a map"))
	}
	if s.ValueValidation != nil {
		for i, value := range s.ValueValidation.Enum {
			if !HasType(value.Object, s.Type) {
				errs = append(errs, field.Invalid(at.Child("enum").Index(i), value.Object, fmt.Sprintf("must be of type %s", s.Type)))
			}
		}
	}
	return errs
}

// HasType reports whether a JSON value has a type of JSON schemas.
func HasType(value any, typ string) bool {
	switch v := value.(type) {
	case string:
		return typ == "string"
	case bool:
		return typ == "boolean"
	case int64:
		return typ == "integer" || typ == "number"
	case float64:
		return typ == "number" || typ == "integer" && v == float64(int64(v))
	case []any:
		return typ == "array"
	case map[string]any:
		return typ == "object"
	}
	return false
}

// Implies reports whether every valid object that has one field has the other field. Both are the names of the fields on the way, after
// spec.
func (d *Schema) Implies(has, other []string) bool {
	object := d.Structural
	common := true
	for i, name := range other {
		common = common && i < len(has) && has[i] == name
		if !common && !alwaysSet(object, name) {
			return false
		}
		property := object.Properties[name]
		object = &property
	}
	return true
}

// Optional returns the ways to the fields without which an object is valid, also after defaults are set. Each begins with spec.
func (d *Schema) Optional() iter.Seq[[]string] { return optionalFields(d.Structural, []string{"spec"}) }

func optionalFields(object *structuralschema.Structural, way []string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, name := range slices.Sorted(maps.Keys(object.Properties)) {
			property, at := object.Properties[name], append(slices.Clip(way), name)
			if !alwaysSet(object, name) && !yield(at) {
				return
			}
			for below := range optionalFields(&property, at) {
				if !yield(below) {
					return
				}
			}
		}
	}
}
