// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// show prints what a registered builder takes and makes, and with which reasons it fails.
func show(builder *v1alpha1.Builder, out io.Writer) error {
	capabilities, err := capability.FromBuilder(builder)
	if err != nil {
		return err
	}
	lines := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(lines, output.OneLine(builder.Name)) // the writer keeps errors until its Flush
	output.Labelled(lines, "description", builder.Description)
	output.Labelled(lines, kind(builder), program(builder))
	output.Labelled(lines, "runs", runs(builder))
	output.Labelled(lines, "problem", problem(builder))
	if builder.Executable != nil && builder.Executable.Workers != nil {
		output.Labelled(lines, "workers", fmt.Sprint(*builder.Executable.Workers))
	}
	output.Labelled(lines, "reports", yesOrNo(builder.Reports))
	output.Labelled(lines, "probe", yesOrNo(capabilities.Probe))
	targets := cmp.Or(capabilities.TargetNames(), "all")
	if builder.Name == inputs.Tester {
		targets = "none: it runs the tests of images"
	}
	output.Labelled(lines, "targets", targets)
	for _, text := range []struct {
		label    string
		declared *capability.Property
	}{{"base", capabilities.Base}, {"files", capabilities.FileNames}} {
		if text.declared != nil {
			output.Labelled(lines, text.label, text.declared.Values(), text.declared.Description)
		}
	}
	schema := capabilities.Parameters
	if schema == nil {
		output.Labelled(lines, "parameters", "all: the builder checks them itself")
		schema = &capability.Schema{}
	} else {
		output.Labelled(lines, "parameters", parameters(schema), schema.Description)
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	var rows [][]any
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		property, value := schema.Properties[name], none
		if property.Default != nil {
			value = output.Value(output.OneLine(capability.Text(property.Default)), `""`)
		}
		rows = append(rows, []any{
			name, property.TypeName(), yesOrNo(slices.Contains(schema.Required, name)), value,
			output.OneLine(cmp.Or(property.Values(), "any")), output.OneLine(cmp.Or(property.Description, none)),
		})
	}
	if err := table([]string{"Parameter", "Type", "Required", "Default", "Values", "Description"}, rows, out); err != nil {
		return err
	}
	rows = nil
	for _, of := range capabilities.Reasons {
		rows = append(rows, []any{of.Reason, of.Class, output.OneLine(of.Meaning), output.OneLine(cmp.Or(of.Remedy, none))})
	}
	return table([]string{"Reason", "Class", "Meaning", "What to do"}, rows, out)
}

// table prints a table with rows after an empty line.
func table(columns []string, rows [][]any, out io.Writer) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	return output.Table(columns, rows, out)
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
