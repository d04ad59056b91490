// SPDX-License-Identifier: Apache-2.0

// Package shellword writes words of command lines that a user can copy into a shell.
package shellword

import (
	"regexp"
	"strings"
)

// plain is a word that every shell leaves as it is.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,-]+$`)

// Quote returns text as one word of a POSIX shell.
func Quote(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
