// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const (
	all  = "<all>"
	none = "<none>"
	// maxNamed is the maximum number of values that a cell names.
	maxNamed = 4
)

// The columns have no age, because a computed object has no time of creation.
var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the builder, for spec.builder.name of an Image."},
	{Name: "Targets", Type: "string", Description: "Targets that the builder makes. * stands for all platforms or formats."},
	{Name: "Parameters", Type: "string", Description: "Parameters that the builder takes. * stands for any other parameter."},
	{Name: "Description", Type: "string", Description: "What the operator wrote about the builder."},
	{Name: "Reports", Type: "boolean", Priority: 1, Description: "Whether the builder can report the progress of builds."},
	{Name: "Probe", Type: "boolean", Priority: 1, Description: "Whether the builder checks archives for newer packages."},
	{Name: "Program", Type: "string", Priority: 1, Description: "Container image, or executable of the server's machine."},
}

func newTable() resources.Table[*v1alpha1.Builder] {
	return table.New(columns, func(builder *v1alpha1.Builder) []any {
		program := builder.Image
		if builder.Executable != nil {
			program = builder.Executable.Path
		}
		description := builder.Description
		if description == "" {
			description = none
		}
		targets, parameters := cells(builder)
		return []any{builder.Name, targets, parameters, description, builder.Reports, builder.Probe, program}
	})
}

// cells returns the targets and the parameters of a builder.
func cells(builder *v1alpha1.Builder) (targets, parameters string) {
	described, err := capability.FromBuilder(builder)
	if err != nil {
		return all, "<unknown>"
	}
	targets, parameters = all, all
	switch {
	case builder.Name == inputs.Tester:
		targets = none
	case len(described.Targets) > 0:
		names := make([]string, len(described.Targets))
		for i, target := range described.Targets {
			names[i] = target.String()
		}
		targets = list(names)
	}
	if schema := described.Parameters; schema != nil {
		parameters = list(slices.Sorted(maps.Keys(schema.Properties)))
		switch {
		case schema.AdditionalProperties && parameters == "":
			parameters = all
		case schema.AdditionalProperties:
			parameters += ",*"
		case parameters == "":
			parameters = none
		}
	}
	return targets, parameters
}

// list joins the first values, and counts the others.
func list(values []string) string {
	if more := len(values) - maxNamed; more > 0 {
		return fmt.Sprintf("%s+%d", strings.Join(values[:maxNamed], ","), more)
	}
	return strings.Join(values, ",")
}
