// SPDX-License-Identifier: Apache-2.0

package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"
)

// Writer writes what a container writes, as the stream "stdout". It is not safe for concurrent use.
//
// The limit counts the bytes that the container writes. Half of it is for the beginning of the log, and half for the end, in
// files of at most a sixteenth of the limit: the Writer removes the oldest of these. A file ends at the end of a line, unless
// the line is longer than an eighth of the file.
type Writer struct {
	path  string
	file  *os.File
	now   func() time.Time
	feed  *Feed
	limit int64

	size   int64     // of the text in file
	number int       // of file: 0 is the beginning of the log
	before int64     // the text between the beginning of the log and file
	tail   []segment // the files of the end before file, oldest first

	inLine bool // the end of the last line has not come yet
	buffer []byte
	err    error
}

// segment is a complete file of the end of a log.
type segment struct {
	name string
	size int64 // of its text
}

// NewWriter writes to log, the file of a new log, and tells the feed. Close closes the file. The limit is at least 1 KiB.
func NewWriter(log *os.File, now func() time.Time, feed *Feed, limit int64) *Writer {
	return &Writer{path: log.Name(), file: log, now: now, feed: feed, limit: limit}
}

// MaxFileBytes is the maximum size of a file that a Writer with a limit writes: a log of empty lines.
func MaxFileBytes(limit int64) int64 {
	const emptyLine = len("2006-01-02T15:04:05.999999999Z\tstdout\t\n") // holds one byte that the container wrote
	return limit / 2 * int64(emptyLine)
}

// Write takes what the container has written. It always takes all of it, so that the container is never held up by its
// log: an error in writing the log ends the log and is given by Close.
func (w *Writer) Write(p []byte) (int, error) {
	n, at := len(p), w.now()
	for len(p) > 0 && w.err == nil {
		room := w.room()
		if room <= 0 {
			w.roll()
			continue
		}
		if !w.inLine || w.size == 0 { // every file begins with a header
			w.buffer = appendHeader(w.buffer, at)
		}
		line := p[:min(int64(len(p)), room)]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end+1]
		}
		w.buffer = append(w.buffer, line...)
		w.size += int64(len(line))
		w.inLine = line[len(line)-1] != '\n'
		p = p[len(line):]
	}
	w.flush()
	return n, nil
}

// WriteLine writes a line that is not the container's. It ends an unfinished line of the container before.
func (w *Writer) WriteLine(text string) {
	if w.inLine {
		text = "\n" + text
	}
	_, _ = w.Write([]byte(text + "\n")) // Close gives its error
}

// Close completes the feed and closes the file. It gives the first error met in writing the log.
func (w *Writer) Close() error {
	w.feed.Complete()
	return errors.Join(w.err, w.file.Close())
}

// room is how much more text the file takes.
func (w *Writer) room() int64 {
	most := w.segmentSize()
	reserve := most / 8
	if w.number == 0 {
		most = w.limit / 2
	}
	if !w.inLine && w.size+reserve >= most {
		return 0
	}
	return most - w.size
}

func (w *Writer) segmentSize() int64 { return w.limit / 16 }

// roll begins another file. The file before is complete then, as readers assume of every file but the last.
func (w *Writer) roll() {
	w.flush()
	if w.err != nil {
		return
	}
	if w.number > 0 {
		w.before += w.size
		w.tail = append(w.tail, segment{name: w.file.Name(), size: w.size})
	}
	w.number, w.size = w.number+1, 0
	next, err := os.OpenFile(segmentName(w.path, w.number, w.before), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		w.fail(err)
		return
	}
	if err := w.file.Close(); err != nil {
		w.fail(err)
	}
	w.file = next
	w.trim()
}

// trim removes the oldest files, so that a further full file does not exceed the limit.
func (w *Writer) trim() {
	kept := w.segmentSize()
	for _, s := range w.tail {
		kept += s.size
	}
	for ; len(w.tail) > 0 && kept > w.limit-w.limit/2; w.tail = w.tail[1:] {
		if err := os.Remove(w.tail[0].name); err != nil {
			w.fail(err)
			return
		}
		kept -= w.tail[0].size
	}
}

func (w *Writer) flush() {
	if len(w.buffer) == 0 || w.err != nil {
		return
	}
	if _, err := w.file.Write(w.buffer); err != nil {
		w.fail(err)
	}
	w.buffer = w.buffer[:0]
	w.feed.Notify()
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = fmt.Errorf("write the log: %w", err)
	}
}
