// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"fmt"
	"io"
	"strings"
)

// longestLine is how many bytes of a line are kept. The rest begins another line.
const longestLine = 4096

// nothingBoots explains what the firmware shows if no disk boots, or Secure Boot refuses the boot loader.
const nothingBoots = "the firmware finds nothing that it can boot"

// failures are parts of lines after which a guest reaches nothing any more: of Linux, of SeaBIOS and of UEFI.
var failures = []struct{ text, meaning string }{
	{"Kernel panic - not syncing", "the kernel panicked"},
	{"No bootable device.", nothingBoots},
	{"No bootable option or device was found", nothingBoots},
	{"UEFI Interactive Shell", nothingBoots},
}

// Console copies what a guest writes to its console, and ends the guest when it has reached the goal or has failed.
type Console struct {
	Goal *Goal
	Out  io.Writer
	// Terminal is true if Out must not get the guest's control sequences.
	Terminal bool
	// End ends the guest, with nil if it has reached the goal. Later calls do nothing.
	End func(error)

	line []byte // the present line, without control sequences
	last string // the last line with text
	in   sequence
}

// sequence is the part of a control sequence (ECMA-48) that the next byte belongs to.
type sequence int

const (
	text    sequence = iota
	escaped          // after ESC
	control          // after ESC [
	charset          // after ESC and an intermediate byte: one more byte
)

// Write implements io.Writer.
func (c *Console) Write(data []byte) (int, error) {
	shown := data
	if plain := c.read(data); c.Terminal {
		shown = plain
	}
	if _, err := c.Out.Write(shown); err != nil {
		c.End(fmt.Errorf("write the console: %w", err))
		return 0, err
	}
	if c.Goal.In(string(c.line)) { // a login prompt has no line end
		c.End(nil)
	}
	return len(data), nil
}

// read keeps the present and the last line, and returns the data without control sequences.
func (c *Console) read(data []byte) (plain []byte) {
	for _, b := range data {
		switch {
		case c.in == escaped && b == '[':
			c.in = control
		case c.in == escaped && ' ' <= b && b <= '/':
			c.in = charset
		case c.in == escaped, c.in == charset, c.in == control && '@' <= b && b <= '~':
			if c.in == control && (b == 'H' || b == 'f') && len(c.line) > 0 { // the cursor moves elsewhere
				plain = append(plain, '\n')
				c.endLine()
			}
			c.in = text
		case c.in == control:
		case b == '\x1b':
			c.in = escaped
		case b == '\n' || b == '\r':
			plain = append(plain, b)
			c.endLine()
		case b >= ' ' || b == '\t':
			plain = append(plain, b)
			if c.line = append(c.line, b); len(c.line) == longestLine {
				c.endLine()
			}
		}
	}
	return plain
}

func (c *Console) endLine() {
	line := string(c.line)
	c.line = c.line[:0]
	if strings.TrimSpace(line) == "" {
		return
	}
	c.last = line
	if c.Goal.In(line) {
		c.End(nil)
	}
	for _, failure := range failures {
		if strings.Contains(line, failure.text) {
			c.End(fmt.Errorf("%s: %s", failure.meaning, oneLine(strings.TrimSpace(line))))
		}
	}
}

// Seen returns the last line with text for an error.
func (c *Console) Seen() string {
	last := strings.TrimSpace(string(c.line))
	if last == "" {
		last = strings.TrimSpace(c.last)
	}
	if last == "" {
		return "its console is empty"
	}
	return fmt.Sprintf("the last line of its console is %q", last)
}
