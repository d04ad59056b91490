// SPDX-License-Identifier: Apache-2.0

// Package logfile writes and reads container logs in the format of the Container Runtime Interface, as a kubelet does:
// one record a line, "2006-01-02T15:04:05.999999999Z stdout F text", where F ends a line of the container and P is a
// part of a line that continues in the next record.
//
// A long log is in several files, of which those in the middle are removed: Writer sets which, and Files reads the rest as one
// log. A log is read while it is written: Feed connects the two. The package must never block the writer for a reader, and
// never trust a log's content, which a crash may have torn.
//
// The reader of k8s.io/cri-client/pkg/logs does not fit. It counts records instead of lines, so that a tail cuts long lines;
// it does not count an unfinished last line; and it needs a container runtime to find out that the container has ended.
package logfile

import (
	"bytes"
	"errors"
	"time"
)

// MaxRecordBytes is how much text of the container one record holds; a longer line becomes several records.
const MaxRecordBytes = 16 << 10

// maxHeaderBytes is more than a record takes beside its text.
const maxHeaderBytes = 64

// Record is one record of a log.
type Record struct {
	Time time.Time
	// Stream is where the text was written to: "stdout" or "stderr".
	Stream string
	// Partial is whether the line continues in the next record.
	Partial bool
	// Text has no line end.
	Text []byte
}

var errMalformed = errors.New("malformed log record")

// Parse reads a record from its line, without the line end. Text is a part of line.
func Parse(line []byte) (Record, error) {
	stamp, rest, okTime := bytes.Cut(line, []byte{' '})
	stream, rest, okStream := bytes.Cut(rest, []byte{' '})
	tag, text, okTag := bytes.Cut(rest, []byte{' '})
	if !okTime || !okStream || !okTag || len(stamp) > maxHeaderBytes {
		return Record{}, errMalformed
	}
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return Record{}, errMalformed
	}
	r := Record{Time: at, Stream: string(stream), Text: text}
	if r.Stream != "stdout" && r.Stream != "stderr" {
		return Record{}, errMalformed
	}
	// Further tags may follow the first, after a colon.
	switch first, _, _ := bytes.Cut(tag, []byte{':'}); string(first) {
	case "F":
	case "P":
		r.Partial = true
	default:
		return Record{}, errMalformed
	}
	return r, nil
}

// Append appends the record's line, with its line end, to a buffer.
func (r Record) Append(b []byte) []byte {
	b = r.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, ' ')
	b = append(b, r.Stream...)
	if r.Partial {
		b = append(b, " P "...)
	} else {
		b = append(b, " F "...)
	}
	b = append(b, r.Text...)
	return append(b, '\n')
}
