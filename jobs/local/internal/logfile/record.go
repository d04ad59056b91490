// SPDX-License-Identifier: Apache-2.0

// Package logfile writes and reads container logs: each line has the time, the stream and the text, separated by tabs.
//
//	2006-01-02T15:04:05.999999999Z	stdout	text
//
// A long log is in several files. Writer keeps the first file and the last files, and removes those in the middle. Files reads the
// rest as one log. A log is read while it is written: Feed connects the two. The package must never block the writer for a
// reader, and never trust a log's content, which a crash may have torn.
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
}

// parse is false for what is not a record. The text is a part of line.
func parse(line []byte) (r record, ok bool) {
	stamp, rest, found := bytes.Cut(line[:min(len(line), maxHeaderBytes)], []byte{'\t'})
	stream, _, okStream := bytes.Cut(rest, []byte{'\t'})
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil || !found || !okStream || string(stream) != "stdout" && string(stream) != "stderr" {
		return record{}, false
	}
	r = record{at: at, text: line[len(stamp)+len(stream)+2:]}
	return r, len(r.text) > 0
}

// appendHeader appends what precedes a line of the container.
func appendHeader(b []byte, at time.Time) []byte {
	return append(at.UTC().AppendFormat(b, time.RFC3339Nano), "\tstdout\t"...)
}
