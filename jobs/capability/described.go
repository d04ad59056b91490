// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Describe writes the capabilities to a Builder of the API.
func (c Capabilities) Describe(builder *v1alpha1.Builder) error {
	for _, target := range c.Targets {
		builder.Targets = append(builder.Targets, v1alpha1.BuilderTarget(target))
	}
	builder.Reasons, builder.Probe = c.Reasons, c.Probe
	write := func(schema any, name string, into **runtime.RawExtension) error {
		text, err := json.Marshal(schema)
		if err != nil {
			return fmt.Errorf("write the %s of Builder %s: %w", name, builder.Name, err)
		}
		if string(text) != "null" {
			*into = &runtime.RawExtension{Raw: text}
		}
		return nil
	}
	return errors.Join(write(c.Base, "base", &builder.Base), write(c.FileNames, "fileNames", &builder.FileNames),
		write(c.Parameters, "parameters", &builder.Parameters))
}

// FromBuilder reads the capabilities from a Builder of the API. It ignores keywords of schemas that a newer server has added.
func FromBuilder(builder *v1alpha1.Builder) (Capabilities, error) {
	described := Capabilities{Reasons: builder.Reasons, Probe: builder.Probe}
	for _, target := range builder.Targets {
		described.Targets = append(described.Targets, Target(target))
	}
	var err error
	if described.Base, err = read[Property](builder.Base, "base", builder); err != nil {
		return described, err
	}
	if described.FileNames, err = read[Property](builder.FileNames, "fileNames", builder); err != nil {
		return described, err
	}
	described.Parameters, err = read[Schema](builder.Parameters, "parameters", builder)
	return described, err
}

// read returns a schema of a Builder, or nil if it has none.
func read[T any](schema *runtime.RawExtension, name string, builder *v1alpha1.Builder) (*T, error) {
	if schema == nil {
		return nil, nil
	}
	into := new(T)
	if err := json.Unmarshal(schema.Raw, into); err != nil {
		return nil, fmt.Errorf("read the %s of Builder %s: %w", name, builder.Name, err)
	}
	return into, nil
}
