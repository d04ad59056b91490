// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// joining are the scripts that need joiners, and the symbols, such as emoji, that joiners and selectors combine.
var joining = []*unicode.RangeTable{
	unicode.Arabic, unicode.Bengali, unicode.Common, unicode.Devanagari, unicode.Gujarati, unicode.Gurmukhi, unicode.Kannada, unicode.Khmer,
	unicode.Malayalam, unicode.Mongolian, unicode.Myanmar, unicode.Oriya, unicode.Sinhala, unicode.Syriac, unicode.Tamil, unicode.Telugu, unicode.Tibetan,
}

// blank are the letters and symbols without a visible glyph that are neither white space nor ignorable for Unicode: the blank of Braille,
// the blanks of hieroglyphs, and the null note head.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x2800, Hi: 0x2800, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x13441, Hi: 0x13442, Stride: 1}, {Lo: 0x1d159, Hi: 0x1d159, Stride: 1}},
}

const (
	textSelector  = '\ufe0e'
	emojiSelector = '\ufe0f'
)

// Unprintable reports whether a character does not show as itself: it controls a terminal, breaks a line, changes the direction of
// text, is invisible, or tags other characters. White space shows as itself, except where it ends a line. Joiners and emoji selectors are
// printable directly after a character that needs them, as in Persian and in emoji. previous is the character before it in the text, or 0.
func Unprintable(previous, character rune) bool {
	if character < utf8.RuneSelf {
		return unicode.IsControl(character)
	}
	if unicode.Is(unicode.Join_Control, character) && previous == emojiSelector {
		return false
	}
	if unicode.Is(unicode.Join_Control, character) || character == textSelector || character == emojiSelector {
		return previous < utf8.RuneSelf || !unicode.In(previous, joining...) || unicode.IsSpace(previous) || Unprintable(0, previous)
	}
	if unicode.Is(unicode.Prepended_Concatenation_Mark, character) {
		return false // signs of numbers and verses, which are visible
	}
	return unicode.In(character, unicode.Cc, unicode.Cf, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Bidi_Control, unicode.Variation_Selector,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point, blank)
}

// Printable reports whether a text is one line of UTF-8 without unprintable characters.
func Printable(text string) bool {
	var previous rune
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(character rune) bool {
		unprintable := Unprintable(previous, character)
		previous = character
		return unprintable
	})
}

// Escape makes the unprintable characters of a text visible, such as ^[ for an escape and \u202e for an override of the direction.
// Line ends and tabs stay.
func Escape(text string) string {
	if Printable(text) {
		return text
	}
	var escaped strings.Builder
	var previous rune
	for len(text) > 0 {
		character, size := utf8.DecodeRuneInString(text)
		shown := escapeCharacter(previous, character, text[:size])
		escaped.WriteString(shown)
		if previous = character; shown != text[:size] {
			previous = 0 // a joiner cannot change what is escaped
		}
		text = text[size:]
	}
	return escaped.String()
}

func escapeCharacter(previous, character rune, encoded string) string {
	const (
		toggled = 0x40 // the bit between an ASCII control character and the letter that represents it
		lastBMP = 0xffff
	)
	switch {
	case character == utf8.RuneError && len(encoded) == 1:
		return fmt.Sprintf(`\x%02x`, encoded[0])
	case character == '\n', character == '\t', !Unprintable(previous, character):
		return encoded
	case character < utf8.RuneSelf:
		return "^" + string(character^toggled)
	case character <= lastBMP:
		return fmt.Sprintf(`\u%04x`, character)
	}
	return fmt.Sprintf(`\U%08x`, character)
}
