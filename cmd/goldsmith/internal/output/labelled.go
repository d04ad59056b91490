// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"unicode"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Labelled writes each value that is not empty on its own line, with the label before the first value. The tabwriter keeps write
// errors until its Flush.
func Labelled(lines *tabwriter.Writer, label string, values ...string) {
	for _, value := range values {
		if value != "" {
			_, _ = fmt.Fprintf(lines, "  %s\t%s\n", label, OneLine(value))
			label = ""
		}
	}
}

// Changes returns a line for each changed input. The lines are aligned.
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

// valueOf returns a value for people: "none" for an empty value, and a value with control characters quoted.
func valueOf(value string) string {
	switch {
	case value == "":
		return "none"
	case strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Sprintf("%q", value)
	}
	return value
}
