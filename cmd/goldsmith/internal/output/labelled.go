// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// Answer returns the message of a condition, after no or unknown if its status is not True.
func Answer(status metav1.ConditionStatus, message string) string {
	switch status {
	case metav1.ConditionTrue:
		return message
	case metav1.ConditionFalse:
		return "no: " + message
	}
	return "unknown: " + message
}

// Changes returns a line for each changed input. The lines are aligned.
func Changes(changed []v1alpha1.InputChange) []string {
	const missing = "none"
	paths, befores := 0, 0
	for _, change := range changed {
		paths, befores = max(paths, width(change.Path)), max(befores, width(Value(change.From, missing)))
	}
	var written []string
	for _, change := range changed {
		written = append(written, fmt.Sprintf("%-*s   %-*s → %s",
			paths, change.Path, befores, Value(change.From, missing), Value(change.To, missing)))
	}
	return written
}

func width(text string) int {
	return len([]rune(text))
}

// Value returns a value for people: the word missing for an empty value. A value is quoted if people could not tell it from another
// value: because of characters or spaces that they cannot see, or because it reads like the word missing or like a quoted value.
func Value(value, missing string) string {
	const emptyText = `""` // as the server shows it
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case value == "":
		return missing
	case value == emptyText:
		return value
	case value == missing, value[0] == '"', value != strings.Join(strings.Fields(value), " "), strings.ContainsFunc(value, unprintable):
		return strconv.Quote(value)
	}
	return value
}
