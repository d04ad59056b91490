// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"sync"

	"golang.org/x/sys/unix"
)

// The priorities of lines, as in syslog.
const (
	Error   = 3
	Warning = 4
	Info    = 6
)

// IsJournal reports whether a file is the stream of the journal that $JOURNAL_STREAM names.
func IsJournal(file *os.File) bool {
	var stat unix.Stat_t
	return unix.Fstat(int(file.Fd()), &stat) == nil && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

var (
	// header is what klog writes in front of a message: severity, time, thread, and the position in the source.
	header = regexp.MustCompile(`^([IWEF])\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ `)
	// level is the severity and the time in a line of JSON of etcd's client.
	level = regexp.MustCompile(`^\{"level":"(\w+)"(,"ts":[^,]+)?`)
)

// Log writes logs of klog, and of zap in JSON, to the journal: with their priority, and without the time, which the journal adds.
type Log struct {
	Out io.Writer

	mu sync.Mutex
}

// Write writes one or more lines. The lines of a message that has several have the same priority.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	priority, text := Info, p
	if match := header.FindSubmatch(p); match != nil {
		priority, text = map[string]int{"I": Info, "W": Warning, "E": Error, "F": Error}[string(match[1])], p[len(match[0]):]
	} else if match := level.FindSubmatch(p); match != nil {
		text = append([]byte(`{"level":"`+string(match[1])+`"`), p[len(match[0]):]...)
		switch string(match[1]) {
		case "debug", "info":
		case "warn":
			priority = Warning
		default:
			priority = Error
		}
	}
	return len(p), writeLines(l.Out, priority, text)
}

// Lines writes each line of its input to the journal with a priority.
type Lines struct {
	Out      io.Writer
	Priority int
}

// Write writes one or more lines.
func (l Lines) Write(p []byte) (int, error) { return len(p), writeLines(l.Out, l.Priority, p) }

// writeLines writes all lines at once, so that no other line comes between them.
func writeLines(out io.Writer, priority int, text []byte) error {
	var lines bytes.Buffer
	for line := range bytes.Lines(bytes.TrimRight(text, "\n")) {
		fmt.Fprintf(&lines, "<%d>%s", priority, line)
	}
	lines.WriteByte('\n')
	_, err := out.Write(lines.Bytes())
	return err
}
