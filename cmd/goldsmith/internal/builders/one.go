// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/capability"
)

// show prints what a registered builder takes and makes.
func show(registered *registry, name string, out io.Writer) error {
	builder, known := registered.builders[name]
	if !known {
		return fmt.Errorf("no builder is registered as %q: `goldsmith builders` lists the registered builders", name)
	}
	lines := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(lines, output.OneLine(name)) // the writer keeps errors until its Flush
	output.Labelled(lines, "description", builder.description)
	output.Labelled(lines, builder.kind(), builder.source)
	output.Labelled(lines, "runs", builder.runs())
	output.Labelled(lines, "problem", builder.problem)
	output.Labelled(lines, "reports", yes(builder.reports))
	output.Labelled(lines, "targets", cmp.Or(builder.capabilities.TargetNames(), "all"))
	schema := builder.capabilities.Parameters
	if schema == nil {
		output.Labelled(lines, "parameters", "all: the builder checks them itself")
		return lines.Flush()
	}
	output.Labelled(lines, "parameters", parameters(schema), schema.Description)
	if err := lines.Flush(); err != nil || len(schema.Properties) == 0 {
		return err
	}
	var rows [][]any
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		property, value := schema.Properties[name], none
		if property.Default != nil {
			value = output.Value(output.OneLine(capability.Text(property.Default)), `""`)
		}
		rows = append(rows, []any{
			name, property.TypeName(), yes(slices.Contains(schema.Required, name)), value,
			output.OneLine(cmp.Or(property.Values(), "any")), output.OneLine(cmp.Or(property.Description, none)),
		})
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	return output.Table([]string{"Parameter", "Type", "Required", "Default", "Values", "Description"}, rows, out)
}

// parameters describes how many parameters a schema has.
func parameters(schema *capability.Schema) string {
	count := "none"
	switch n := len(schema.Properties); {
	case n == 1:
		count = "1"
	case n > 1:
		count = fmt.Sprint(n)
	}
	if schema.AdditionalProperties {
		return count + ", and others"
	}
	return count
}
