// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"unicode"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Labelled writes values below each other, beside their label, each on its line. The writer keeps its errors until it is flushed.
func Labelled(lines *tabwriter.Writer, label string, values ...string) {
	for _, value := range values {
		if value != "" {
			_, _ = fmt.Fprintf(lines, "  %s\t%s\n", label, OneLine(value))
			label = ""
		}
	}
}

// Changes returns a line for each change of an input, aligned among themselves.
func Changes(changed []v1alpha1.InputChange) []string {
	paths, befores := 0, 0
	for _, change := range changed {
		paths, befores = max(paths, width(change.Path)), max(befores, width(valueOf(change.From)))
	}
	var written []string
	for _, change := range changed {
		written = append(written, fmt.Sprintf("%-*s   %-*s → %s", paths, change.Path, befores, valueOf(change.From), valueOf(change.To)))
	}
	return written
}

func width(text string) int {
	return len([]rune(text))
}

// valueOf shows where a value has other lines.
func valueOf(value string) string {
	switch {
	case value == "":
		return "none"
	case strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Sprintf("%q", value)
	}
	return value
}
