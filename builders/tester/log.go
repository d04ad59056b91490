// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tester

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// maxConsole is how much of consoles is in the log of a test, in bytes. The end follows.
	maxConsole, maxEnd = 4 << 20, 64 << 10
	// lastLines is how many lines of the console are in the report about a test that did not pass.
	lastLines = 50
)

// log writes whole lines. Several goroutines use it.
type log struct {
	mu sync.Mutex
	to io.Writer
}

func (l *log) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.to, text+"\n") // a log that cannot be written does not fail a test
}

// consoleLog writes the lines of a guest's console to the logs of its tests.
type consoleLog struct {
	mu     sync.Mutex
	trials []*trial
	line   []byte
	// end are the last lines that the log of at least one test has no room for, of at most maxEnd bytes.
	end      []string
	endBytes int
	// last are the last lines, and lastAt is when the last of them ended. systemd is true if one of them is of systemd.
	last    []string
	lastAt  time.Time
	systemd bool
	clock   clock.PassiveClock
}

// ofSystemd matches lines that systemd writes when it starts.
var ofSystemd = regexp.MustCompile(`systemd\[1\]: |^Welcome to `)

// Write implements io.Writer. It gets no control sequences.
func (c *consoleLog) Write(data []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for rest := data; len(rest) > 0; {
		at := bytes.IndexAny(rest, "\r\n")
		part := rest
		if at >= 0 {
			part = rest[:at]
		}
		part = part[:min(len(part), maxLine-len(c.line))]
		c.line, rest = append(c.line, part...), rest[len(part):]
		if at == len(part) {
			rest = rest[1:]
		}
		if at == len(part) || len(c.line) == maxLine {
			c.endLine()
		}
	}
	return len(data), nil
}

func (c *consoleLog) endLine() {
	text := cut(printable(string(c.line)), maxLine)
	c.line = c.line[:0]
	if text == "" {
		return
	}
	if c.last = append(c.last, text); len(c.last) > lastLines {
		c.last = c.last[1:]
	}
	c.lastAt, c.systemd = c.clock.Now(), c.systemd || ofSystemd.MatchString(text) && !strings.Contains(text, "GRUB")
	var names []string
	for _, each := range c.trials {
		if each.console+len(text) > maxConsole {
			each.consoleLeft += len(text)
			continue
		}
		each.console += len(text)
		names = append(names, each.Name)
	}
	c.show(names, text)
	if len(names) == len(c.trials) {
		return
	}
	c.end, c.endBytes = append(c.end, text), c.endBytes+len(text)
	for c.endBytes > maxEnd {
		c.endBytes -= len(c.end[0])
		c.end = c.end[1:]
	}
}

// seen returns the last line for a message.
func (c *consoleLog) seen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := printable(string(c.line))
	if strings.TrimSpace(text) == "" && len(c.last) > 0 {
		text = c.last[len(c.last)-1]
	}
	if text = strings.TrimSpace(text); text == "" {
		return "; its console is empty"
	}
	return fmt.Sprintf("; the last line of its console is %q", cut(text, 200))
}

// progress returns whether systemd has written, and when the last line ended.
func (c *consoleLog) progress() (systemd bool, last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.systemd, c.lastAt
}

// lines returns the last lines.
func (c *consoleLog) lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.last)
}

// close writes what is still missing, and returns the last lines.
func (c *consoleLog) close() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLine()
	var names []string
	for _, each := range c.trials {
		if each.consoleLeft > 0 {
			each.say("%d bytes of the console are left out, except for its end:", each.consoleLeft-min(each.consoleLeft, c.endBytes))
			names, each.consoleLeft = append(names, each.Name), 0
		}
	}
	for _, text := range c.end {
		c.show(names, text)
	}
	return c.last
}

// show writes a line of the console to the log once, for all tests that it belongs to.
func (c *consoleLog) show(names []string, text string) {
	if len(names) > 0 {
		c.trials[0].log.line(strings.Join(names, ",") + "| " + text)
	}
}

// say writes a line to the log of the test.
func (t *test) say(format string, arguments ...any) {
	t.log.line(cut(t.Name+": "+printable(fmt.Sprintf(format, arguments...)), maxLine))
}
