// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Line validates one line of text that other users read in a terminal. It refuses control characters, which a terminal
// executes, and characters that are invisible or change the direction of text, which can disguise it.
func Line(text string, path *field.Path) field.ErrorList {
	if v1alpha1.Printable(text) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, text, "must be one line of printable characters: "+RemoveUnprintable)}
}

// Reason validates a line that tells other users why. It accepts an empty one: whether a reason is required is declared.
func Reason(text string, path *field.Path) field.ErrorList {
	if text != "" && strings.TrimSpace(text) == "" {
		return field.ErrorList{field.Invalid(path, text, "must not be blank: tell why")}
	}
	return Line(text, path)
}

// RemoveUnprintable is how a text becomes printable.
const RemoveUnprintable = "remove control characters, and characters that are invisible or change the direction of text"
