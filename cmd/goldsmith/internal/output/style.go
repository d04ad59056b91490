// SPDX-License-Identifier: Apache-2.0

package output

import (
	"io"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

// NoColor is the name of the flag that turns colours off, for every verb. The variable NO_COLOR does the same (https://no-color.org).
const NoColor = "no-color"

// The marks at the beginning of lines for people.
const (
	Success = "✓"
	Failure = "✗"
	Step    = "•"
)

// Style is how text for people is written to a certain output: with colours, on a terminal whose last line can be rewritten, or plain.
// Its zero value is plain.
type Style struct {
	colours bool
	// Rewrites is true if the last line can be rewritten: on a terminal, unless TERM is dumb.
	Rewrites bool
}

// StyleOf returns the style for an output of a command.
func StyleOf(command *cobra.Command, out io.Writer) Style {
	rewrites := printers.IsTerminal(Terminal(out)) && os.Getenv("TERM") != "dumb"
	refused := command.Flags().Changed(NoColor) || os.Getenv("NO_COLOR") != ""
	return Style{colours: rewrites && !refused, Rewrites: rewrites}
}

// Good returns the text as that of a success.
func (s Style) Good(text string) string { return s.coloured("32", text) }

// Bad returns the text as that of a failure.
func (s Style) Bad(text string) string { return s.coloured("31", text) }

// Faint returns the text as less important than the text around it.
func (s Style) Faint(text string) string { return s.coloured("2", text) }

// coloured sets an attribute of text for the text alone: SGR in ECMA-48.
func (s Style) coloured(attribute, text string) string {
	if !s.colours {
		return text
	}
	return "\x1b[" + attribute + "m" + text + "\x1b[0m"
}

// Terminal returns the writer that is a terminal if out is one: that inside a writer that escapes.
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
