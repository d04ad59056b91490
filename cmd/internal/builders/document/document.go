// SPDX-License-Identifier: Apache-2.0

// Package document decodes documents that declare builders: files of `goldsmith up`, and entries of a ConfigMap in a cluster.
package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/jobs/capability"
)

// The type of a document.
const (
	apiVersion = "goldsmith.dev/v1alpha1"
	kind       = "BuilderConfiguration"
)

// maxDescription is the length of a description, in characters: it is a line of a table.
const maxDescription = 120

// document is a file with builders.
type document struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Builders   []json.RawMessage `json:"builders"`
}

// Builder declares a builder.
type Builder struct {
	// Name is the name of the builder.
	Name string `json:"name"`
	// Description is a line for users. Optional.
	Description string `json:"description"`
	// Image is the reference of the container image of a builder of a cluster.
	Image string `json:"image"`
	// Path is the executable of a builder of one machine.
	Path string `json:"path"`
	// Reports is whether the builder reports its progress. Defaults to true for an executable, and to false for a container image, whose
	// pods get a token of their service account for it.
	Reports *bool `json:"reports"`
	// Args, Env, Workers and Unconfined are for an executable. Optional.
	Args       []string              `json:"args"`
	Env        []EnvironmentVariable `json:"env"`
	Workers    *int32                `json:"workers"`
	Unconfined bool                  `json:"unconfined"`
	// NodeSelector, Tolerations and Resources are for the pods of a builder of a cluster, and those that a template of an Image has. Optional.
	NodeSelector map[string]string              `json:"nodeSelector"`
	Tolerations  []corev1.Toleration            `json:"tolerations"`
	Resources    *v1alpha1.ResourceRequirements `json:"resources"`
	// Base and FileNames describe the references of bases and the names of files that the builder takes. They default to all.
	Base      *capability.Property `json:"base"`
	FileNames *capability.Property `json:"fileNames"`
	// Parameters is the JSON of a capability.Schema. Optional.
	Parameters json.RawMessage `json:"parameters"`
	// Targets are the targets that the builder makes. Defaults to all.
	Targets []capability.Target `json:"targets"`
	// Reasons are those with which the builder explains its failures. Optional.
	Reasons []v1alpha1.BuilderReason `json:"reasons"`
	// Probe is whether the builder checks archives for newer packages.
	Probe bool `json:"probe"`
}

// EnvironmentVariable declares a variable.
type EnvironmentVariable struct {
	// Name is the name of the variable.
	Name string `json:"name"`
	// Value is the value. It excludes ValueFrom.
	Value *string `json:"value"`
	// ValueFrom is where the value is. It excludes Value.
	ValueFrom *ValueFrom `json:"valueFrom"`
}

// ValueFrom is where a value is.
type ValueFrom struct {
	// File is the path of a file with the value.
	File string `json:"file"`
}

// Check returns what is wrong with the name and the description.
func (b Builder) Check() []error {
	var problems []error
	if names := validation.IsDNS1123Label(b.Name); len(names) > 0 {
		problems = append(problems, fmt.Errorf("name: %s", strings.Join(names, "; ")))
	}
	switch {
	case strings.ContainsFunc(b.Description, func(r rune) bool { return !unicode.IsPrint(r) }):
		problems = append(problems, errors.New("description: must be one line of printable characters"))
	case utf8.RuneCountInString(b.Description) > maxDescription:
		problems = append(problems, fmt.Errorf("description: must have at most %d characters", maxDescription))
	}
	return problems
}

// parameters is a capability.Schema whose properties are decoded one by one, because errors of the decoder have no keys of maps.
type parameters struct {
	Type                 string                     `json:"type"`
	Description          string                     `json:"description"`
	Properties           map[string]json.RawMessage `json:"properties"`
	Required             []string                   `json:"required"`
	AdditionalProperties bool                       `json:"additionalProperties"`
}

// Capabilities returns what the builder takes and makes. The error joins all problems, each with the path of its field.
func (b Builder) Capabilities() (capability.Capabilities, error) {
	declared := capability.Capabilities{Base: b.Base, FileNames: b.FileNames, Targets: b.Targets, Reasons: b.Reasons, Probe: b.Probe}
	var problems []error
	if b.Parameters != nil {
		read := parameters{}
		if err := documents.Strict(b.Parameters, &read); err != nil {
			problems = append(problems, documents.Within("parameters", err)...)
		}
		schema := &capability.Schema{
			Type: read.Type, Description: read.Description, Properties: map[string]capability.Property{},
			Required: read.Required, AdditionalProperties: read.AdditionalProperties,
		}
		for _, name := range slices.Sorted(maps.Keys(read.Properties)) {
			property := capability.Property{}
			if err := documents.Strict(read.Properties[name], &property); err != nil {
				problems = append(problems, documents.Within("parameters.properties."+name, err)...)
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

// Decode returns the builders of a document that have their fields. The error joins what is wrong with the others.
func Decode(content []byte) ([]Builder, error) {
	text, err := onlyDocument(content)
	if err != nil {
		return nil, err
	}
	read := document{}
	if err := documents.Strict(text, &read); err != nil {
		return nil, err
	}
	if read.APIVersion != apiVersion || read.Kind != kind {
		return nil, fmt.Errorf("apiVersion %q and kind %q must be %s and %s", read.APIVersion, read.Kind, apiVersion, kind)
	}
	var declarations []Builder
	var problems []error
	for i, text := range read.Builders {
		declared := Builder{}
		err := documents.Strict(text, &declared)
		switch {
		case err != nil && declared.Name != "":
			problems = append(problems, documents.Within(fmt.Sprintf("builder %q", declared.Name), err)...)
		case err != nil:
			problems = append(problems, documents.Within(fmt.Sprintf("builders[%d]", i), err)...)
		case declared.Name == "":
			problems = append(problems, fmt.Errorf("builders[%d]: name: set the name of the builder", i))
		default:
			declarations = append(declarations, declared)
		}
	}
	return declarations, errors.Join(problems...)
}

// onlyDocument returns the only YAML document of a file as JSON. A file without one is an error: it may be in the middle of a write.
func onlyDocument(content []byte) ([]byte, error) {
	var only []byte
	for _, part := range documents.Split(content) {
		text, err := part.JSON()
		switch {
		case err != nil:
			return nil, err
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
