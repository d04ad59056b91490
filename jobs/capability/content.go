// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// mediaTypeYAML is the type of a text that ContentSchema describes. JSON is YAML, too.
const mediaTypeYAML = "application/yaml"

// Content describes a value in the YAML of a parameter: one of the types of a Property, a list, or an object. In contrast to JSON schema, null is
// the same as no value, and fields that an object does not declare are refused by default.
type Content struct {
	// Property describes the value. Its type can also be array or object.
	Property
	// Items describes the items of an array. Nil means any.
	Items *Content `json:"items,omitempty"`
	// Properties are the fields of an object by name.
	Properties map[string]Content `json:"properties,omitempty"`
	// Required are the names of the fields that an object must have.
	Required []string `json:"required,omitempty"`
	// AdditionalProperties is whether an object can have fields that Properties lack.
	AdditionalProperties bool `json:"additionalProperties,omitempty"`
}

// MarshalJSON writes the defaults that differ from those of JSON schema.
func (c Content) MarshalJSON() ([]byte, error) {
	type property Property // without its method
	explicit := struct {
		property
		Items                *Content           `json:"items,omitempty"`
		Properties           map[string]Content `json:"properties,omitempty"`
		Required             []string           `json:"required,omitempty"`
		AdditionalProperties *bool              `json:"additionalProperties,omitempty"`
	}{property: property(c.Property), Items: c.Items, Properties: c.Properties, Required: c.Required}
	explicit.Type = c.TypeName()
	if explicit.Type == typeObject {
		explicit.AdditionalProperties = &c.AdditionalProperties
	}
	return json.Marshal(explicit)
}

// problems returns what is wrong with the description of a value at a path.
func (c *Content) problems(path string) []error {
	var problems []error
	if c.TypeName() != typeArray && c.Items != nil {
		problems = append(problems, fmt.Errorf("%s.items: has no effect: it is for type %s", path, typeArray))
	}
	if c.TypeName() != typeObject && (c.Properties != nil || c.Required != nil) {
		problems = append(problems, fmt.Errorf("%s: properties and required have no effect: they are for type %s", path, typeObject))
	}
	if c.ContentSchema != nil {
		problems = append(problems, fmt.Errorf("%s.contentSchema: must not be in another one", path))
	}
	switch c.TypeName() {
	case typeArray:
		if c.Items != nil {
			problems = append(problems, c.Items.problems(path+".items")...)
		}
	case typeObject:
		for _, name := range slices.Sorted(maps.Keys(c.Properties)) {
			described := c.Properties[name]
			problems = append(problems, described.problems(path+".properties."+name)...)
		}
		problems = append(problems, undeclared(c.Required, c.Properties, path)...)
	case typeString, typeInteger, typeNumber, typeBoolean:
		problems = append(problems, c.Property.problems(path)...)
	default:
		problems = append(problems, fmt.Errorf("%s.type: must be %s, %s, %s, %s, %s or %s", path, typeString, typeInteger, typeNumber, typeBoolean, typeArray, typeObject))
	}
	return problems
}

// checkText reports what is wrong with a text, each with the path of the value.
func (c *Content) checkText(text string, at *field.Path, report func(at *field.Path, problem string)) {
	var value any
	if err := yaml.UnmarshalStrict([]byte(text), &value); err != nil {
		cause := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: yaml: ")
		report(at, "must be YAML or JSON: "+strings.Join(strings.Fields(cause), " "))
		return
	}
	c.check(value, at, report)
}

// check reports what is wrong with a value of the JSON decoder.
func (c *Content) check(value any, at *field.Path, report func(at *field.Path, problem string)) {
	switch typed := value.(type) {
	case nil:
	case []any:
		if c.TypeName() != typeArray {
			report(at, c.wrongType())
			return
		}
		for i, item := range typed {
			if item == nil {
				report(at.Index(i), "must not be empty")
			} else if c.Items != nil {
				c.Items.check(item, at.Index(i), report)
			}
		}
	case map[string]any:
		if c.TypeName() != typeObject {
			report(at, c.wrongType())
			return
		}
		c.checkFields(typed, at, report)
	default:
		if number, isNumber := value.(float64); !c.isOfType(value) || c.TypeName() == typeInteger && isNumber && number != math.Trunc(number) {
			report(at, c.wrongType())
		} else if problem := c.checkParsed(value); problem != "" {
			report(at, problem)
		}
	}
}

func (c *Content) checkFields(fields map[string]any, at *field.Path, report func(at *field.Path, problem string)) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if described, known := c.Properties[name]; known {
			described.check(fields[name], at.Child(name), report)
		} else if !c.AdditionalProperties {
			report(at.Child(name), unknown("field", name, slices.Sorted(maps.Keys(c.Properties))))
		}
	}
	for _, name := range c.Required {
		if fields[name] == nil {
			report(at.Child(name), "must be set")
		}
	}
}

// isOfType reports whether a value that is neither a list nor an object has the type that is described.
func (c *Content) isOfType(value any) bool {
	switch value.(type) {
	case string:
		return c.TypeName() == typeString
	case bool:
		return c.TypeName() == typeBoolean
	default:
		return c.TypeName() == typeInteger || c.TypeName() == typeNumber
	}
}
