// SPDX-License-Identifier: Apache-2.0

package crilog

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// Writer turns what a container writes into records of the stream "stdout". It is not safe for concurrent use.
type Writer struct {
	log    io.Writer
	now    func() time.Time
	feed   *Feed
	limit  int64
	size   int64
	cut    bool
	rest   []byte // a line whose end has not come yet, shorter than MaxRecordBytes
	buffer []byte
	err    error
}

// NewWriter writes to log and tells the feed. After limit bytes of records the log is cut, which a last record says;
// what the container writes then is dropped.
func NewWriter(log io.Writer, now func() time.Time, feed *Feed, limit int64) *Writer {
	return &Writer{log: log, now: now, feed: feed, limit: limit}
}

// Write takes what the container has written. It always takes all of it, so that the container is never held up by its
// log: an error in writing the log ends the log and is given by Close.
func (w *Writer) Write(p []byte) (int, error) {
	n := len(p)
	if w.stopped() {
		return n, nil
	}
	at := w.now()
	for len(p) > 0 {
		line, after, ended := bytes.Cut(p, []byte{'\n'})
		if room := MaxRecordBytes - len(w.rest); len(line) > room {
			line, after, ended = p[:room], p[room:], false
		}
		w.rest = append(w.rest, line...)
		p = after
		if ended || len(w.rest) == MaxRecordBytes {
			w.record(at, !ended)
		}
	}
	w.flush()
	return n, nil
}

// Close writes the line whose end never came and completes the feed. It gives the first error met in writing the log.
func (w *Writer) Close() error {
	if len(w.rest) > 0 && !w.stopped() {
		w.record(w.now(), true)
		w.flush()
	}
	w.feed.Complete()
	return w.err
}

// stopped reports whether the log takes no more records: it is cut, or writing it failed.
func (w *Writer) stopped() bool { return w.cut || w.err != nil }

func (w *Writer) record(at time.Time, partial bool) {
	if !w.cut {
		start := len(w.buffer)
		w.buffer = Record{Time: at, Stream: "stdout", Partial: partial, Text: w.rest}.Append(w.buffer)
		if w.size+int64(len(w.buffer)) > w.limit {
			w.cut = true
			notice := fmt.Appendf(nil, "the log is cut here: it is longer than %d bytes", w.limit)
			w.buffer = Record{Time: at, Stream: "stdout", Text: notice}.Append(w.buffer[:start])
		}
	}
	w.rest = w.rest[:0]
}

func (w *Writer) flush() {
	if len(w.buffer) == 0 {
		return
	}
	n, err := w.log.Write(w.buffer)
	w.size += int64(n)
	w.buffer = w.buffer[:0]
	if err != nil {
		w.err = fmt.Errorf("write the log: %w", err)
	}
	w.feed.Notify()
}
