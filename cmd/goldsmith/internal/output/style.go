// SPDX-License-Identifier: Apache-2.0

package output

import (
	"io"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

// NoColor is the flag that disables colours, for every verb. The environment variable NO_COLOR also disables colours
// (https://no-color.org).
const NoColor = "no-color"

// The marks at the beginning of lines for people.
const (
	Success = "✓"
	Failure = "✗"
	Step    = "•"
)

// Style formats text for people: with colours or without, and for outputs whose last line can be rewritten or not. The zero value
// formats plain text.
type Style struct {
	colours bool
	// Rewrites is true if the last line can be rewritten: on a terminal, unless TERM is dumb.
	Rewrites bool
}

// StyleOf returns the style for an output of a command.
func StyleOf(command *cobra.Command, out io.Writer) Style {
	rewrites := printers.IsTerminal(Terminal(out)) && os.Getenv("TERM") != "dumb" && interpretsSequences(Terminal(out))
	refused := command.Flags().Changed(NoColor) || os.Getenv("NO_COLOR") != ""
	return Style{colours: rewrites && !refused, Rewrites: rewrites}
}

// Good marks the text as a success.
func (s Style) Good(text string) string { return s.coloured("32", text) }

// Bad marks the text as a failure.
func (s Style) Bad(text string) string { return s.coloured("31", text) }

// Faint marks the text as less important than the text around it.
func (s Style) Faint(text string) string { return s.coloured("2", text) }

// coloured sets an SGR attribute (ECMA-48) for this text only.
func (s Style) coloured(attribute, text string) string {
	if !s.colours {
		return text
	}
	return "\x1b[" + attribute + "m" + text + "\x1b[0m"
}

// Terminal returns the writer below an escaping writer, so that callers can check whether that writer is a terminal.
func Terminal(out io.Writer) io.Writer {
	if escaping, ok := out.(*Escaping); ok {
		return escaping.out
	}
	return out
}

// Colours returns a writer to the same output that lets colours and carriage returns through.
func Colours(out io.Writer) io.Writer {
	if escaping, ok := out.(*Escaping); ok {
		return escaping.ForLog()
	}
	return out
}
