// SPDX-License-Identifier: Apache-2.0

package output

import (
	"cmp"
	"fmt"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// maxUpdates is how many updates Updates lists.
	maxUpdates = 10
	// maxAdvisories is how many advisories of an update Updates lists.
	maxAdvisories = 5
)

// Updates returns a line for each newer version of a package, below a line with the names of the columns. The lines are aligned. An update of
// several architectures or archives has one line. count is the number of updates, including those that are not passed.
func Updates(updates []v1alpha1.PackageUpdate, count int32) []string {
	if len(updates) == 0 {
		return nil
	}
	rows, seen := [][4]string{{"NAME", "FROM", "TO", "FIXES"}}, map[[4]string]bool{}
	for i := range updates {
		row := [4]string{OneLine(updates[i].Name), OneLine(cmp.Or(updates[i].From, "<none>")), OneLine(cmp.Or(updates[i].To, "<none>")), OneLine(fixes(&updates[i]))}
		if !seen[row] {
			seen[row] = true
			rows = append(rows, row)
		}
	}
	shown := rows[:min(len(rows), 1+maxUpdates)]
	more := len(rows) - len(shown) + int(count) - len(updates)
	var widths [4]int
	for _, row := range shown {
		for column, text := range row {
			widths[column] = max(widths[column], width(text))
		}
	}
	var lines []string
	for _, row := range shown {
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%-*s   %-*s   %-*s   %s", widths[0], row[0], widths[1], row[1], widths[2], row[2], row[3]), " "))
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return lines
}

// fixes returns what an update fixes.
func fixes(update *v1alpha1.PackageUpdate) string {
	switch shown := update.Advisories[:min(len(update.Advisories), maxAdvisories)]; {
	case len(shown) == 0 && update.Security:
		return "security"
	case len(shown) < len(update.Advisories):
		return fmt.Sprintf("%s and %d more", strings.Join(shown, ", "), len(update.Advisories)-len(shown))
	default:
		return strings.Join(shown, ", ")
	}
}
