// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/jobs/catalog/expression"
)

// A form is what the value of a keyword of a JSON schema looks like.
type form int

const (
	text form = iota
	texts
	boolean
	number
	count
	anyValue
	values
	oneSchema
	schemas
	namedSchemas
	rules
	documentation
	regularExpression
	celExpression
)

// keywords are the keywords that a schema of a kind can have, with the forms of their values.
var keywords = map[string]form{
	"type": text, "title": text, "description": text, "format": text, "externalDocs": documentation,
	"default": anyValue, "example": anyValue, "enum": values, "nullable": boolean,
	"minimum": number, "maximum": number, "exclusiveMinimum": boolean, "exclusiveMaximum": boolean, "multipleOf": number,
	"minLength": count, "maxLength": count, "pattern": regularExpression,
	"items": oneSchema, "minItems": count, "maxItems": count,
	"properties": namedSchemas, "required": texts, "additionalProperties": oneSchema, "minProperties": count, "maxProperties": count,
	"allOf": schemas, "anyOf": schemas, "oneOf": schemas, "not": oneSchema,
	"x-kubernetes-list-type": text, "x-kubernetes-list-map-keys": texts, "x-kubernetes-map-type": text, "x-kubernetes-validations": rules,
}

// forbiddenKeywords are keywords that CustomResourceDefinitions know, with the reason why kinds cannot have them.
var forbiddenKeywords = map[string]string{
	"x-kubernetes-preserve-unknown-fields": "declare the fields, because each one needs a binding",
	"x-kubernetes-embedded-resource":       "declare the fields, because each one needs a binding",
	"x-kubernetes-int-or-string":           "choose integer or string, because the text of both is the same in an Image",
	"uniqueItems":                          "use x-kubernetes-list-type: set within a list that is stored as JSON, because comparing all items is too slow",
	"patternProperties":                    "use additionalProperties",
	"$ref":                                 "schemas must be written out",
	"definitions":                          "schemas must be written out",
}

var (
	ruleKeywords = map[string]form{
		"rule": celExpression, "message": text, "messageExpression": celExpression, "reason": text, "fieldPath": text, "optionalOldSelf": boolean,
	}
	documentationKeywords = map[string]form{"description": text, "url": text}
)

// A keywordCheck walks through the JSON of a schema and collects what no schema of a kind can have. The types of
// apiextensions cannot find this: they drop unknown keywords, and report a wrong form without the path.
type keywordCheck struct {
	steps *expression.Steps
	errs  field.ErrorList
	rules int
}

func (c *keywordCheck) schema(value any, path *field.Path, depth int) {
	if depth > maxDepth {
		c.errs = append(c.errs, field.Invalid(path, field.OmitValueType{}, fmt.Sprintf("schemas must be nested at most %d deep", maxDepth)))
		return
	}
	object, ok := value.(map[string]any)
	if !ok {
		detail := "must be a schema"
		if _, isBoolean := value.(bool); isBoolean {
			detail = "must be a schema: clients cannot read boolean schemas"
		}
		c.errs = append(c.errs, field.Invalid(path, field.OmitValueType{}, detail))
		return
	}
	c.members(object, keywords, path, depth)
	c.required(object, path)
}

// required reports required fields that an object does not declare, because then no object would be valid.
func (c *keywordCheck) required(object map[string]any, path *field.Path) {
	properties, declared := object["properties"].(map[string]any)
	_, typed := object["type"] // otherwise the fields are declared further up
	names, _ := object["required"].([]any)
	for i, value := range names {
		name, ok := value.(string)
		if _, found := properties[name]; ok && declared && typed && !found {
			c.errs = append(c.errs, field.Invalid(path.Child("required").Index(i), name, "is no field of the schema"))
		}
	}
}

// members checks the members of one JSON object, of which known has the forms.
func (c *keywordCheck) members(object map[string]any, known map[string]form, path *field.Path, depth int) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		at := path.Child(name)
		if form, ok := known[name]; ok {
			c.member(object[name], form, at, depth)
		} else if reason, ok := forbiddenKeywords[name]; ok {
			c.errs = append(c.errs, field.Forbidden(at, reason))
		} else {
			c.errs = append(c.errs, field.Invalid(at, field.OmitValueType{}, "unknown keyword"))
		}
	}
}

func (c *keywordCheck) member(value any, form form, path *field.Path, depth int) {
	switch form {
	case oneSchema:
		c.schema(value, path, depth+1)
	case schemas:
		for i, item := range c.list(value, path) {
			c.schema(item, path.Index(i), depth+1)
		}
	case namedSchemas:
		properties := c.object(value, path)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			c.schema(properties[name], path.Key(name), depth+1)
		}
	case rules:
		list := c.list(value, path)
		for i, item := range list {
			c.members(c.object(item, path.Index(i)), ruleKeywords, path.Index(i), depth)
		}
		if c.rules += len(list); c.rules > maxRules && c.rules-len(list) <= maxRules {
			c.errs = append(c.errs, field.TooMany(path, c.rules, maxRules))
		}
	case documentation:
		c.members(c.object(value, path), documentationKeywords, path, depth)
	case texts:
		for i, item := range c.list(value, path) {
			c.scalar(item, text, path.Index(i))
		}
	case values:
		c.list(value, path)
	default:
		c.scalar(value, form, path)
	}
}

func (c *keywordCheck) scalar(value any, form form, path *field.Path) {
	var expected string
	switch v := value.(type) {
	case nil:
		expected = "must not be null"
	case string:
		switch form {
		case text, anyValue:
		case regularExpression:
			c.pattern(v, path)
		case celExpression:
			c.expression(v, path)
		default:
			expected = formNames[form]
		}
	case bool:
		if form != boolean && form != anyValue {
			expected = formNames[form]
		}
	case int64:
		if form != number && form != anyValue && (form != count || v < 0) {
			expected = formNames[form]
		}
	case float64:
		if form != number && form != anyValue {
			expected = formNames[form]
		}
	default:
		if form != anyValue {
			expected = formNames[form]
		}
	}
	if expected != "" {
		c.errs = append(c.errs, field.Invalid(path, field.OmitValueType{}, expected))
	}
}

var formNames = map[form]string{
	text: "must be a string", regularExpression: "must be a string", celExpression: "must be a string", boolean: "must be true or false", number: "must be a number",
	count: "must be an integer that is not negative",
}

// pattern limits the size of a regular expression.
func (c *keywordCheck) pattern(pattern string, path *field.Path) {
	if detail := expression.PatternFault(pattern); detail != "" {
		c.errs = append(c.errs, field.Invalid(path, pattern, detail))
	}
}

// expression limits the work of compiling a rule. apiextensions checks the rule with the rest of the schema.
func (c *keywordCheck) expression(text string, path *field.Path) {
	if _, err := c.steps.Take(text, path); err != nil {
		c.errs = append(c.errs, err)
	}
}

func (c *keywordCheck) list(value any, path *field.Path) []any {
	list, ok := value.([]any)
	if !ok {
		c.errs = append(c.errs, field.Invalid(path, field.OmitValueType{}, "must be a list"))
	}
	return list
}

func (c *keywordCheck) object(value any, path *field.Path) map[string]any {
	object, ok := value.(map[string]any)
	if !ok {
		c.errs = append(c.errs, field.Invalid(path, field.OmitValueType{}, "must be an object"))
	}
	return object
}
