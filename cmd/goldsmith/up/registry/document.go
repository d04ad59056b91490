// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/jobs/capability"
)

// The type of a document.
const (
	apiVersion = "goldsmith.dev/v1alpha1"
	kind       = "BuilderConfiguration"
)

// document is a file with builders.
type document struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Builders   []json.RawMessage `json:"builders"`
}

// declaration declares a builder.
type declaration struct {
	Name        string              `json:"name"`
	Description string              `json:"description"`
	Path        string              `json:"path"`
	Args        []string            `json:"args"`
	Env         []environment       `json:"env"`
	Workers     *int32              `json:"workers"`
	Unconfined  bool                `json:"unconfined"`
	Parameters  json.RawMessage     `json:"parameters"`
	Targets     []capability.Target `json:"targets"`
}

// environment declares a variable.
type environment struct {
	Name      string     `json:"name"`
	Value     *string    `json:"value"`
	ValueFrom *valueFrom `json:"valueFrom"`
}

type valueFrom struct {
	File string `json:"file"`
}

// parameters is a capability.Schema whose properties are decoded one by one, because errors of the decoder have no keys of maps.
type parameters struct {
	Type                 string                     `json:"type"`
	Description          string                     `json:"description"`
	Properties           map[string]json.RawMessage `json:"properties"`
	Required             []string                   `json:"required"`
	AdditionalProperties bool                       `json:"additionalProperties"`
}

// capabilities returns what the builder takes and makes. The error joins all problems.
func (d declaration) capabilities() (capability.Capabilities, error) {
	declared := capability.Capabilities{Targets: d.Targets}
	var problems []error
	if d.Parameters != nil {
		read := parameters{}
		if err := strict(d.Parameters, &read); err != nil {
			problems = append(problems, within("parameters", err)...)
		}
		schema := &capability.Schema{
			Type: read.Type, Description: read.Description, Properties: map[string]capability.Property{},
			Required: read.Required, AdditionalProperties: read.AdditionalProperties,
		}
		for _, name := range slices.Sorted(maps.Keys(read.Properties)) {
			property := capability.Property{}
			if err := strict(read.Properties[name], &property); err != nil {
				problems = append(problems, within("parameters.properties."+name, err)...)
			}
			schema.Properties[name] = property
		}
		declared.Parameters = schema
	}
	if len(problems) == 0 {
		problems = declared.Problems()
	}
	return declared, errors.Join(problems...)
}

// decode returns the builders of a document that have their fields. The error joins what is wrong with the others.
func decode(content []byte) ([]declaration, error) {
	text, err := single(content)
	if err != nil {
		return nil, err
	}
	read := document{}
	if err := strict(text, &read); err != nil {
		return nil, err
	}
	if read.APIVersion != apiVersion || read.Kind != kind {
		return nil, fmt.Errorf("apiVersion %q and kind %q must be %s and %s", read.APIVersion, read.Kind, apiVersion, kind)
	}
	var declarations []declaration
	var problems []error
	for i, text := range read.Builders {
		declared := declaration{}
		err := strict(text, &declared)
		switch {
		case err != nil && declared.Name != "":
			problems = append(problems, within(fmt.Sprintf("builder %q", declared.Name), err)...)
		case err != nil:
			problems = append(problems, within(fmt.Sprintf("builders[%d]", i), err)...)
		case declared.Name == "":
			problems = append(problems, fmt.Errorf("builders[%d]: name: set the name of the builder", i))
		default:
			declarations = append(declarations, declared)
		}
	}
	return declarations, errors.Join(problems...)
}

// single returns the only YAML document of a file as JSON. A file without one is an error: it may be in the middle of a write.
func single(content []byte) ([]byte, error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	var only []byte
	for {
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		text, err := yaml.YAMLToJSONStrict(part)
		switch {
		case err != nil:
			message := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
			return nil, errors.New(strings.Join(strings.Fields(message), " ")) // in one line
		case string(text) == "null": // comments alone
		case only != nil:
			return nil, errors.New("it has several YAML documents: write all builders in one")
		default:
			only = text
		}
	}
	if only == nil {
		return nil, fmt.Errorf("it is empty: set apiVersion: %s and kind: %s", apiVersion, kind)
	}
	return only, nil
}

// strict decodes JSON. The error names fields, and no types of Go.
func strict(text []byte, into any) error {
	problems, err := kjson.UnmarshalStrict(text, into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := wrong.Field
		if field == "" {
			return fmt.Errorf("it must be %s", kindOf(wrong.Type))
		}
		return fmt.Errorf("%s: must be %s", field, kindOf(wrong.Type))
	}
	if err != nil {
		return err
	}
	return errors.Join(problems...)
}

// kindOf describes the values of a type.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text: write it in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	default:
		return "an object with fields"
	}
}
