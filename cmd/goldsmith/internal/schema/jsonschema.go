// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	draft         = "http://json-schema.org/draft-07/schema#" // the newest that kubeconform and editors support
	refPrefix     = "#/components/schemas/"
	extensionMark = "x-"
	kindExtension = "x-kubernetes-group-version-kind"
)

type object = map[string]any

// document is an OpenAPI v3 document.
type document struct {
	all, paths, schemas object
}

func parse(text string) (*document, error) {
	all := object{}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("parse the OpenAPI document: %w", err)
	}
	paths, _ := all["paths"].(object)
	components, _ := all["components"].(object)
	schemas, _ := components["schemas"].(object)
	if len(paths) == 0 || len(schemas) == 0 {
		return nil, fmt.Errorf("the OpenAPI document has %d paths and %d schemas", len(paths), len(schemas))
	}
	return &document{all: all, paths: paths, schemas: schemas}, nil
}

// JSONSchemas returns the JSON schemas of all kinds that a manifest can declare, by their path in the layout of the CRDs-catalog. Each
// schema stands alone. It refuses unknown fields, and has the defaults that the server sets.
func JSONSchemas() (map[string][]byte, error) {
	api, err := parse(openapi.Document())
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, kind := range api.declarable() {
		schema, err := api.ofKind(kind)
		if err != nil {
			return nil, fmt.Errorf("JSON schema of %s: %w", kind, err)
		}
		if files[jsonSchemaPath(kind)], err = encode(schema); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// declarable returns the kinds of which clients can create objects: there is a POST to their collection.
func (d *document) declarable() (kinds []string) {
	for path, item := range d.paths {
		operations, _ := item.(object)
		post, _ := operations["post"].(object)
		of, _ := post[kindExtension].(object)
		if kind, ok := of["kind"].(string); ok && !strings.Contains(path, "{name}") {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// ofKind returns the JSON schema of manifests of a kind. Unlike the OpenAPI schema, it requires the fields that a server cannot do
// without in a manifest: apiVersion, kind, and a name.
func (d *document) ofKind(kind string) (object, error) {
	schema, err := d.inline(object{"$ref": refPrefix + "dev.goldsmith.images.v1alpha1." + kind})
	if err != nil {
		return nil, err
	}
	properties, _ := schema["properties"].(object)
	apiVersion, _ := properties["apiVersion"].(object)
	ofKind, _ := properties["kind"].(object)
	metadata, _ := properties["metadata"].(object)
	if apiVersion == nil || ofKind == nil || metadata == nil {
		return nil, fmt.Errorf("it is no kind: its properties are %v", properties)
	}
	apiVersion["type"], apiVersion["enum"] = "string", []any{v1alpha1.SchemeGroupVersion.String()}
	ofKind["type"], ofKind["enum"] = "string", []any{kind}
	metadata["type"] = "object"
	metadata["anyOf"] = []any{object{"required": []any{"name"}}, object{"required": []any{"generateName"}}}
	required, _ := schema["required"].([]any)
	schema["required"] = append([]any{"apiVersion", "kind", "metadata"}, required...)
	schema["$schema"], schema["title"] = draft, kind

	defaults, err := defaultsOf(kind)
	if err != nil {
		return nil, err
	}
	setDefaults(properties["spec"], defaults["spec"])
	return schema, nil
}

// inline returns a schema of OpenAPI as a JSON schema, with what it refers to in the place of the reference.
func (d *document) inline(schema object) (object, error) {
	inlined := object{}
	for key, value := range schema {
		var err error
		switch {
		case key == "$ref":
			err = d.include(inlined, schema, value)
		case key == "allOf": // of one reference, because OpenAPI allows nothing beside a reference
			parts, _ := value.([]any)
			if len(parts) != 1 {
				return nil, fmt.Errorf("an allOf of %d schemas", len(parts))
			}
			part, _ := parts[0].(object)
			err = d.include(inlined, schema, part["$ref"])
		case key == "oneOf": // of types
			inlined["type"], err = typesOf(value)
		case key == "default" && isZero(value), strings.HasPrefix(key, extensionMark):
		case key == "properties":
			inlined["additionalProperties"] = false
			inlined[key], err = d.properties(schema)
		case key == "items":
			part, _ := value.(object)
			inlined[key], err = d.inline(part)
		case key == "additionalProperties":
			part, _ := value.(object)
			var of object
			of, err = d.inline(part)
			allowNull(of) // the server reads null as the empty value
			inlined[key] = of
		default:
			inlined[key] = value
		}
		if err != nil {
			return nil, err
		}
	}
	return inlined, nil
}

// include adds what a reference refers to, apart from what the schema itself has.
func (d *document) include(inlined, schema object, ref any) error {
	name, _ := ref.(string)
	target, ok := d.schemas[strings.TrimPrefix(name, refPrefix)].(object)
	if !ok {
		return fmt.Errorf("nothing has the name %q", name)
	}
	included, err := d.inline(target)
	if err != nil {
		return err
	}
	for key, value := range included {
		if _, own := schema[key]; !own {
			inlined[key] = value
		}
	}
	return nil
}

// properties returns the fields of an object. Optional fields can also be null, as in a template that fills in nothing: the server
// reads null as an absent field.
func (d *document) properties(schema object) (object, error) {
	fields, _ := schema["properties"].(object)
	required, _ := schema["required"].([]any)
	inlined := object{}
	for name, value := range fields {
		field, _ := value.(object)
		of, err := d.inline(field)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if !slices.Contains(required, any(name)) {
			allowNull(of)
		}
		inlined[name] = of
	}
	return inlined, nil
}

// allowNull adds null to the types of a schema, and to its values. Without a type it allows null already.
func allowNull(schema object) {
	switch types := schema["type"].(type) {
	case string:
		schema["type"] = []any{types, "null"}
	case []any:
		schema["type"] = append(slices.Clone(types), "null")
	}
	if values, ok := schema["enum"].([]any); ok {
		schema["enum"] = append(slices.Clone(values), nil)
	}
}

// typesOf returns the types of an oneOf, such as that of quantities.
func typesOf(oneOf any) (types []any, err error) {
	parts, _ := oneOf.([]any)
	for _, part := range parts {
		schema, _ := part.(object)
		if len(schema) != 1 || schema["type"] == nil {
			return nil, fmt.Errorf("an oneOf of more than types: %v", oneOf)
		}
		types = append(types, schema["type"])
	}
	return types, nil
}

// dropZeroDefaults removes all defaults that are a zero value.
func dropZeroDefaults(value any) {
	switch value := value.(type) {
	case object:
		if zero, ok := value["default"]; ok && isZero(zero) {
			delete(value, "default")
		}
		for _, part := range value {
			dropZeroDefaults(part)
		}
	case []any:
		for _, part := range value {
			dropZeroDefaults(part)
		}
	}
}

func isZero(value any) bool {
	of := reflect.ValueOf(value)
	return !of.IsValid() || of.IsZero() || of.Kind() == reflect.Map && of.Len() == 0
}

// defaultsOf returns what the server sets in an object of a kind that has nothing but the optional parts that have defaults.
func defaultsOf(kind string) (object, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("add the types of the API: %w", err)
	}
	empty, err := scheme.New(v1alpha1.Kind(kind))
	if err != nil {
		return nil, err
	}
	inputs := v1alpha1.BuildInputs{Output: &v1alpha1.Output{}}
	tests := []v1alpha1.ImageTest{{Boot: &v1alpha1.TestBoot{}, Checks: &v1alpha1.TestChecks{
		Ports: []v1alpha1.PortCheck{{HTTP: &v1alpha1.HTTPCheck{}}}, Commands: []v1alpha1.CommandCheck{{}},
	}}}
	triggers := &v1alpha1.Triggers{Schedule: &v1alpha1.Schedule{}, OnPackageChange: &v1alpha1.PackageTrigger{Window: &v1alpha1.TriggerWindow{}}}
	image := v1alpha1.ImageSpec{BuildInputs: inputs, Triggers: triggers, Tests: tests, Channels: []v1alpha1.ChannelRule{{}}}
	switch of := empty.(type) {
	case *v1alpha1.Image:
		of.Spec = image
	case *v1alpha1.ImagePlan:
		of.Spec = image
	case *v1alpha1.ImageBuild:
		of.Spec.Inputs, of.Spec.Tests = inputs, tests
	}
	scheme.Default(empty)
	return runtime.DefaultUnstructuredConverter.ToUnstructured(empty)
}

// setDefaults adds defaults to a schema, wherever an object of it has a value.
func setDefaults(schema, value any) {
	of, _ := schema.(object)
	if of == nil || value == nil || value == "" {
		return
	}
	if items, isList := value.([]any); isList && len(items) == 1 {
		if _, ofObjects := items[0].(object); ofObjects {
			setDefaults(of["items"], items[0])
			return
		}
	}
	fields, isObject := value.(object)
	if !isObject {
		of["default"] = value
		return
	}
	properties, _ := of["properties"].(object)
	required, _ := of["required"].([]any)
	for name, value := range fields {
		if !slices.Contains(required, any(name)) {
			setDefaults(properties[name], value)
		}
	}
}

func encode(schema object) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		return nil, fmt.Errorf("encode a schema: %w", err)
	}
	return text.Bytes(), nil
}
