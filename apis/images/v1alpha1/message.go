// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxMessageBytes limits the message of a failure, and of a condition with text from elsewhere, such as from a webhook.
const MaxMessageBytes = 1024

// CutMessage makes text from elsewhere fit for a status: one line without unprintable characters and passwords of URLs, of at most
// MaxMessageBytes. It cuts between characters and ends what it has cut with an ellipsis.
func CutMessage(text string) string {
	var previous rune // of the result
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case Unprintable(previous, r):
			return -1
		}
		previous = r
		return r
	}, text)
	text = HidePasswords(strings.TrimSpace(text))
	if len(text) <= MaxMessageBytes {
		return text
	}
	const ellipsis = "…"
	end := MaxMessageBytes - len(ellipsis)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
