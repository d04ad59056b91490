// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// MaxShownRunes is how many characters of a value, or of a name in a path, a change shows.
const MaxShownRunes = 128

// Value is the compared value at a path, and its shown text. The zero value stands for a missing value.
type Value struct{ exact, shown string }

// ValueOf is a value whose shown text differs from the compared text. The shown text is shortened.
func ValueOf(exact, shown string) Value {
	return Value{exact: exact, shown: shorten(shown)}
}

// TextValue is a value that is shown as it is compared, but shortened. The empty text is shown as "".
func TextValue(text string) Value {
	if text == "" {
		return Value{shown: `""`}
	}
	return ValueOf(text, text)
}

// FileValue is the content of a file, which is shown as a short digest and its size.
func FileValue(content string) Value {
	return Value{exact: content, shown: fmt.Sprintf("%s (%d bytes)", ShortDigest(content), len(content))}
}

// ShortDigest is "sha256:" and the first 12 hex digits of the digest of a text.
func ShortDigest(text string) string {
	return DigestBytes([]byte(text))[:len("sha256:")+12]
}

// Changes returns the paths at which two sets of values differ, in the order of compare. text returns the shown text of a path.
//
// Compare of structured-merge-diff does not replace it, because that returns paths without values. The inputs would still have
// to be flattened to get the values.
func Changes[P comparable](from, to map[P]Value, compare func(a, b P) int, text func(P) string) []v1alpha1.InputChange {
	paths := maps.Clone(from)
	maps.Copy(paths, to)
	var changes []v1alpha1.InputChange
	for _, p := range slices.SortedFunc(maps.Keys(paths), compare) {
		if from[p] != to[p] {
			changes = append(changes, v1alpha1.InputChange{Path: text(p), From: from[p].shown, To: to[p].shown})
		}
	}
	return changes
}

// LimitChanges returns at most limit changes. If there are more, the last one reports how many are left out.
func LimitChanges(changes []v1alpha1.InputChange, limit int) []v1alpha1.InputChange {
	if len(changes) <= limit {
		return changes
	}
	more := len(changes) - (limit - 1)
	return append(changes[:limit-1], v1alpha1.InputChange{Path: fmt.Sprintf("and %d more", more)})
}

// shorten cuts text to MaxShownRunes characters, the last of them an ellipsis.
func shorten(text string) string {
	if utf8.RuneCountInString(text) <= MaxShownRunes {
		return text
	}
	return string([]rune(text)[:MaxShownRunes-1]) + "…"
}
