// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"fmt"
	"io"
	"strings"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
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

// console copies what a guest writes to its console, and ends the guest when it has reached the goal or has failed.
type console struct {
	goal *goal
	out  io.Writer
	// terminal is true if out must not get the guest's control sequences.
	terminal bool
	// end ends the guest, with nil if it has reached the goal. Later calls do nothing.
	end func(error)

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
func (c *console) Write(data []byte) (int, error) {
	shown := data
	if plain := c.read(data); c.terminal {
		shown = plain
	}
	if _, err := c.out.Write(shown); err != nil {
		c.end(fmt.Errorf("write the console: %w", err))
		return 0, err
	}
	if c.goal.in(string(c.line)) { // a login prompt has no line end
		c.end(nil)
	}
	return len(data), nil
}

// read keeps the present and the last line, and returns the data without control sequences.
func (c *console) read(data []byte) (plain []byte) {
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

func (c *console) endLine() {
	line := string(c.line)
	c.line = c.line[:0]
	if strings.TrimSpace(line) == "" {
		return
	}
	c.last = line
	if c.goal.in(line) {
		c.end(nil)
	}
	for _, failure := range failures {
		if strings.Contains(line, failure.text) {
			c.end(fmt.Errorf("%s: %s", failure.meaning, output.OneLine(strings.TrimSpace(line))))
		}
	}
}

// seen returns the last line with text for an error.
func (c *console) seen() string {
	last := strings.TrimSpace(string(c.line))
	if last == "" {
		last = strings.TrimSpace(c.last)
	}
	if last == "" {
		return "its console is empty"
	}
	return fmt.Sprintf("the last line of its console is %q", last)
}
