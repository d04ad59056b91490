// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Value is the compared value at a path, and its shown text. The zero value stands for a missing value.
type Value struct{ exact, shown string }

// ValueOf is a value whose shown text differs from the compared text.
func ValueOf(exact, shown string) Value {
	return Value{exact: exact, shown: strings.ToValidUTF8(shown, string(utf8.RuneError))}
}

// TextValue is a value that is shown as it is compared. The empty text is shown as "".
func TextValue(text string) Value {
	if text == "" {
		return Value{shown: `""`}
	}
	return ValueOf(text, text)
}

// FileValue is the content of a file, which is shown as a short digest and its size.
func FileValue(content string) Value { return summaryValue(contents.Summary(content)) }

// summaryValue is the content of a file of which only the summary is known.
func summaryValue(summary string) Value {
	return Value{exact: summary, shown: contents.Short(summary)}
}

// Changes returns the paths at which two sets of values differ, in the order of compare. text returns the shown text of a path.
// Shown values are shortened, and the shown values of a change always differ.
//
// Compare of structured-merge-diff does not replace it, because that returns paths without values. The inputs would still have
// to be flattened to get the values.
func Changes[P comparable](from, to map[P]Value, compare func(a, b P) int, text func(P) string) []v1alpha1.InputChange {
	paths := maps.Clone(from)
	maps.Copy(paths, to)
	var changes []v1alpha1.InputChange
	for _, p := range slices.SortedFunc(maps.Keys(paths), compare) {
		if from[p] != to[p] {
			changes = append(changes, change(text(p), from[p], to[p]))
		}
	}
	return changes
}

// change is a change of a value, at least one of which exists.
func change(path string, from, to Value) v1alpha1.InputChange {
	if from.shown == to.shown {
		from, to = from.withDigest(), to.withDigest()
	}
	changed := v1alpha1.InputChange{Path: path}
	changed.From, changed.To = shorten(from.shown, to.shown)
	return changed
}

// withDigest is the value with its digest, which tells it from another value that reads the same.
func (v Value) withDigest() Value {
	return Value{exact: v.exact, shown: v.shown + " (" + contents.Digest([]byte(v.exact)) + ")"}
}

// LimitChanges returns at most limit changes. If there are more, the last one reports how many are left out.
func LimitChanges(changes []v1alpha1.InputChange, limit int) []v1alpha1.InputChange {
	if len(changes) <= limit {
		return changes
	}
	more := len(changes) - (limit - 1)
	return append(changes[:limit-1], v1alpha1.InputChange{Path: fmt.Sprintf("and %d more", more)})
}
