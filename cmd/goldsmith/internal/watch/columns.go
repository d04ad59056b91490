// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	namespaceColumn = "Namespace"
	phaseColumn     = "Phase"
)

// dispensable returns the columns that a narrow terminal can omit, least important first.
func dispensable() []string {
	return []string{"Attempt", "Progress", "Duration", "Age", "Image", "Why"}
}

// without returns columns and builds without the given number of the least important columns. more reports whether further
// columns can be dropped.
func without(columns []metav1.TableColumnDefinition, builds []row, dropped int) (left []metav1.TableColumnDefinition, narrowed []row, more bool) {
	order := dispensable()
	var kept []int
	for i, column := range columns {
		if !slices.Contains(order[:dropped], column.Name) {
			left, kept = append(left, column), append(kept, i)
		}
	}
	for _, build := range builds {
		cells := make([]any, 0, len(kept))
		for _, i := range kept {
			if i < len(build.cells) {
				cells = append(cells, build.cells[i])
			}
		}
		build.cells = cells
		narrowed = append(narrowed, build)
	}
	return left, narrowed, dropped < len(order)
}

// phaseIn returns the start and the end of the phase in a row, in bytes. Both are equal if the table has no phase.
func phaseIn(header, row string) (begin, end int) {
	column := strings.Index(header, " "+strings.ToUpper(phaseColumn))
	if column < 0 {
		return 0, 0
	}
	at, runes := 0, 0
	for i := range row {
		if runes == column+1 {
			at = i
			break
		}
		runes++
	}
	if at == 0 {
		return 0, 0
	}
	text, _, _ := strings.Cut(row[at:], " ")
	return at, at + len(text)
}
