// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Describe writes the capabilities to a Builder of the API.
func (c Capabilities) Describe(builder *v1alpha1.Builder) error {
	for _, target := range c.Targets {
		builder.Targets = append(builder.Targets, v1alpha1.BuilderTarget(target))
	}
	if c.Parameters == nil {
		return nil
	}
	schema, err := json.Marshal(c.Parameters)
	if err != nil {
		return fmt.Errorf("write the parameters of Builder %s: %w", builder.Name, err)
	}
	builder.Parameters = &runtime.RawExtension{Raw: schema}
	return nil
}

// Described reads the capabilities from a Builder of the API. It ignores keywords of the schema that a newer server has added.
func Described(builder *v1alpha1.Builder) (Capabilities, error) {
	var described Capabilities
	for _, target := range builder.Targets {
		described.Targets = append(described.Targets, Target(target))
	}
	if builder.Parameters != nil {
		described.Parameters = &Schema{}
		if err := json.Unmarshal(builder.Parameters.Raw, described.Parameters); err != nil {
			return described, fmt.Errorf("read the parameters of Builder %s: %w", builder.Name, err)
		}
	}
	return described, nil
}
