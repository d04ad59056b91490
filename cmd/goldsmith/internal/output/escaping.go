// SPDX-License-Identifier: Apache-2.0

package output

import (
	"io"
	"regexp"
	"unicode/utf8"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Unescaped is the annotation of commands that control a terminal themselves, so that their output is not escaped.
const Unescaped = "unescaped"

// Escaping is a writer that makes unprintable characters visible: control characters, and characters that are invisible or change the
// direction of text. A terminal therefore does not interpret them. Newlines and tabs pass through.
type Escaping struct {
	out     io.Writer
	log     bool
	pending []byte // an incomplete character or colour sequence
	last    rune   // the character before pending
}

// NewEscaping returns a writer to out.
func NewEscaping(out io.Writer) *Escaping { return &Escaping{out: out} }

// ForLog returns a writer for the log of a build. Colours and carriage returns pass through as well.
func (e *Escaping) ForLog() *Escaping { return &Escaping{out: e.out, log: true} }

// Write writes the text. An incomplete character or colour sequence at the end of the text waits for the next Write.
func (e *Escaping) Write(text []byte) (int, error) {
	given := len(text)
	text = append(e.pending, text...)
	e.pending = nil
	var escaped []byte
	for len(text) > 0 {
		if e.log && text[0] == escape {
			if colour := colours.Find(text); colour != nil {
				escaped, text, e.last = append(escaped, colour...), text[len(colour):], 0
				continue
			}
			if len(text) < longestColour && colourBegins.Match(text) {
				break
			}
		}
		if !utf8.FullRune(text) {
			break
		}
		character, size := utf8.DecodeRune(text)
		escaped = e.append(escaped, character, text[:size])
		text = text[size:]
	}
	e.pending = append(e.pending, text...)
	if _, err := e.out.Write(escaped); err != nil {
		return 0, err
	}
	return given, nil
}

// Flush writes an incomplete character or colour sequence.
func (e *Escaping) Flush() error {
	var escaped []byte
	for _, each := range e.pending {
		character := rune(each)
		if each >= utf8.RuneSelf {
			character = utf8.RuneError
		}
		escaped = e.append(escaped, character, []byte{each})
	}
	e.pending = nil
	_, err := e.out.Write(escaped)
	return err
}

const (
	escape = '\x1b'
	// longestColour exceeds the length of every colour sequence that programs write.
	longestColour = 64
)

var (
	// colours matches a sequence that sets colours and attributes of text: SGR in ECMA-48.
	colours      = regexp.MustCompile(`^\x1b\[[0-9;:]*m`)
	colourBegins = regexp.MustCompile(`^\x1b(\[[0-9;:]*)?$`)
)

func (e *Escaping) append(escaped []byte, character rune, encoded []byte) []byte {
	previous := e.last
	e.last = character
	if e.log && character == '\r' || utf8.Valid(encoded) && !v1alpha1.Unprintable(previous, character) {
		return append(escaped, encoded...)
	}
	e.last = 0 // a joiner can change neither what is escaped nor a line end
	return append(escaped, v1alpha1.Escape(string(encoded))...)
}
