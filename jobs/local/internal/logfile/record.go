// SPDX-License-Identifier: Apache-2.0

// Package logfile writes and reads container logs: each line has the time, the stream and the text, separated by tabs.
//
//	2006-01-02T15:04:05.999999999Z	stdout	text
//
// A long log is in several files. Writer keeps the first file and the last files, and removes those in the middle. Files reads the
// rest as one log. A log is read while it is written: Feed connects the two. The package must never block the writer for a
// reader, and never trust a log's content, which a crash may have torn.
//
// Logs of earlier versions have records of the Container Runtime Interface, with spaces: "time stdout F text". P in place of F
// is a part of a line that continues in the next record.
package logfile

import (
	"bytes"
	"time"
)

// maxHeaderBytes is more than any header takes.
const maxHeaderBytes = 64

// record is one line of a file, or its beginning.
type record struct {
	at   time.Time
	text []byte
	// old is whether it is a record of the Container Runtime Interface, and partial whether the line continues in the next record.
	old, partial bool
}

// parse is false for what is not a record. The text is a part of line.
func parse(line []byte) (r record, ok bool) {
	i := bytes.IndexByte(line[:min(len(line), maxHeaderBytes)], 'Z') + 1
	if i == 0 || i == len(line) {
		return record{}, false
	}
	separator := line[i : i+1]
	stream, text, okStream := bytes.Cut(line[i+1:], separator)
	at, err := time.Parse(time.RFC3339Nano, string(line[:i]))
	if err != nil || !okStream || string(stream) != "stdout" && string(stream) != "stderr" {
		return record{}, false
	}
	switch r = (record{at: at, text: text}); separator[0] {
	case '\t':
	case ' ':
		tag, text, _ := bytes.Cut(text, separator)
		tag, _, _ = bytes.Cut(tag, []byte{':'}) // further tags may follow
		r.old, r.partial, r.text = true, string(tag) == "P", text
		if !r.partial && string(tag) != "F" {
			return record{}, false
		}
	default:
		return record{}, false
	}
	return r, len(r.text) > 0
}

// appendHeader appends what precedes a line of the container.
func appendHeader(b []byte, at time.Time) []byte {
	return append(at.UTC().AppendFormat(b, time.RFC3339Nano), "\tstdout\t"...)
}
