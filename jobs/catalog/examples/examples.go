// SPDX-License-Identifier: Apache-2.0

// Package examples makes examples of objects from their schema.
package examples

import (
	"context"
	"slices"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/jobs/catalog/schema"
)

// Of returns the spec from which users can start, and one with all fields. The start has the required fields, and those for which the schema
// has an example. Values are, in this order: the example of the schema, its default, its first value, or a text or number of its form. If the
// rules of the schema refuse the start, it has all fields. If the rules refuse that too, it is only a start. texts are the values of fields, by
// path, whose form the schema does not know. It can be nil.
func Of(ctx context.Context, spec *structuralschema.Structural, texts map[string]string) (start, full map[string]any) {
	start = (&sampler{texts: texts}).object(spec, "spec")
	full = (&sampler{all: true, texts: texts}).object(spec, "spec")
	if !accepts(ctx, spec, start) && accepts(ctx, spec, full) {
		start = full
	}
	return start, full
}

// Full returns a spec with all fields. The rules of the schema may refuse it.
func Full(spec *structuralschema.Structural) map[string]any {
	return (&sampler{all: true}).object(spec, "spec")
}

// accepts reports whether a schema accepts the spec of a new object.
func accepts(ctx context.Context, declared *structuralschema.Structural, spec map[string]any) bool {
	spec = runtime.DeepCopyJSON(spec)
	defaulting.Default(spec, declared)
	return len(schema.NewValidator(declared).Check(ctx, spec, nil)) == 0
}

// A sampler makes values that a schema accepts.
type sampler struct {
	// all reports whether objects have their optional fields.
	all bool
	// texts are the values of fields, by path, whose form the schema does not know.
	texts map[string]string
	// items is the number of items of lists that were made.
	items int
}

// maxItems is the number of items of lists that an example has: nobody reads more.
const maxItems = 100

func (s *sampler) object(schema *structuralschema.Structural, path string) map[string]any {
	object := map[string]any{}
	for name, property := range schema.Properties {
		required := schema.ValueValidation != nil && slices.Contains(schema.ValueValidation.Required, name)
		if s.all || required || property.Example.Object != nil {
			object[name] = s.value(&property, path+"."+name)
		}
	}
	return object
}

func (s *sampler) value(schema *structuralschema.Structural, path string) any {
	rules := schema.ValueValidation
	if rules == nil {
		rules = &structuralschema.ValueValidation{}
	}
	switch {
	case schema.Example.Object != nil:
		return runtime.DeepCopyJSONValue(schema.Example.Object)
	case schema.Default.Object != nil && (len(schema.Properties) == 0 || !s.all):
		return runtime.DeepCopyJSONValue(schema.Default.Object)
	case len(rules.Enum) > 0:
		return runtime.DeepCopyJSONValue(rules.Enum[0].Object)
	}
	switch schema.Type {
	case "object":
		if schema.AdditionalProperties != nil && schema.AdditionalProperties.Structural != nil {
			return map[string]any{"example": s.value(schema.AdditionalProperties.Structural, path)}
		}
		return s.object(schema, path)
	case "array":
		list := []any{}
		for range itemCount(rules) {
			if s.items++; s.items > maxItems {
				break
			}
			list = append(list, s.value(schema.Items, path))
		}
		return list
	case "integer", "number":
		return sampleNumber(rules, schema.Type == "integer")
	case "boolean":
		return false
	}
	return sampleText(rules, s.texts[path])
}

// itemCount returns how many items the example of a list has.
func itemCount(rules *structuralschema.ValueValidation) int64 {
	count := int64(1)
	if rules.MinItems != nil {
		count = max(count, *rules.MinItems)
	}
	if rules.MaxItems != nil {
		count = min(count, *rules.MaxItems)
	}
	return count
}
