// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// MaxMessage is the longest message or reason that a user gives, in characters.
const MaxMessage = 1024

// Printable validates one line of text that other users read in a terminal. It refuses control characters, which a terminal
// executes, and characters that are invisible or change the direction of text, which can disguise it.
func Printable(text string, maxCharacters int, path *field.Path) field.ErrorList {
	errs := Text(text, maxCharacters, path)
	return append(errs, Line(text, path)...)
}

// Line validates one line of text of any length.
func Line(text string, path *field.Path) field.ErrorList {
	if v1alpha1.Printable(text) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, text, "must be one line of printable characters: "+RemoveUnprintable)}
}

// RemoveUnprintable is how a text becomes printable.
const RemoveUnprintable = "remove control characters, and characters that are invisible or change the direction of text"

// Text limits the length of a text.
func Text(text string, maxCharacters int, path *field.Path) field.ErrorList {
	if utf8.RuneCountInString(text) <= maxCharacters {
		return nil
	}
	return field.ErrorList{field.TooLongCharacters(path, text, maxCharacters)}
}
