// SPDX-License-Identifier: Apache-2.0

package logfile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// timestampFormat is how a kubelet prints the time before a line: of fixed width.
const timestampFormat = "2006-01-02T15:04:05.000000000Z07:00"

// blockBytes is how much of a log is read at once. An old record is smaller.
const blockBytes = 32 << 10

// Options set which part of a log is read, and how.
type Options struct {
	// Follow waits for more at the end of a log that is not complete.
	Follow bool
	// Tail, if not nil, begins with the last so many lines.
	Tail *int64
	// Since leaves out lines that begin before it, unless zero.
	Since time.Time
	// Timestamps prints the time before each line.
	Timestamps bool
	// Limit, if not nil, ends after so many bytes.
	Limit *int64
}

// NewReader reads the text of a log, without headers; what has no header, because it is torn, is left out, and counts in no limit.
// Reads end when ctx is done or the reader is closed; it has no goroutine of its own. Closing it closes the log.
func NewReader(ctx context.Context, log *Files, feed *Feed, options Options) (io.ReadCloser, error) {
	r := &reader{ctx: ctx, log: log, feed: feed, follow: options.Follow, closed: make(chan struct{}), left: -1}
	r.lines = lines{since: options.Since, timestamps: options.Timestamps}
	if options.Limit != nil {
		r.left = *options.Limit
	}
	if options.Tail != nil {
		if err := r.seekTail(*options.Tail); err != nil {
			return nil, err
		}
	}
	r.source = bufio.NewReaderSize(grown{r}, blockBytes)
	return r, nil
}

type reader struct {
	ctx    context.Context
	log    *Files
	feed   *Feed
	follow bool

	offset int64 // where to read on
	source *bufio.Reader
	lines  lines
	buffer []byte
	out    []byte // to be delivered
	left   int64  // how much may still be delivered; negative: any
	err    error  // after out

	closed    chan struct{}
	closeOnce sync.Once
	closeErr  error
}

func (r *reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	if r.left >= 0 {
		p = p[:min(int64(len(p)), r.left)]
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	if r.left > 0 {
		r.left -= int64(n)
	}
	return n, nil
}

// Close closes the log. It may be called more than once, and while Read waits.
func (r *reader) Close() error {
	r.closeOnce.Do(func() {
		close(r.closed)
		r.closeErr = r.log.Close()
	})
	return r.closeErr
}

// fill takes the next line, and the further lines that have been read with it.
func (r *reader) fill() {
	r.buffer = r.buffer[:0]
	for more := true; more; {
		var piece []byte
		piece, r.err = r.source.ReadSlice('\n')
		r.buffer = r.lines.take(r.buffer, piece)
		if errors.Is(r.err, bufio.ErrBufferFull) {
			r.err = nil
		}
		next, _ := r.source.Peek(r.source.Buffered())
		more = r.err == nil && bytes.IndexByte(next, '\n') >= 0
	}
	r.out = r.buffer
}

// grown reads the files of a log. At their end it waits for more, if the reader follows.
type grown struct{ *reader }

// Read implements io.Reader.
func (r grown) Read(p []byte) (int, error) {
	for {
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		more, complete := r.feed.next() // before the read, so that what comes after it is not missed
		n, err := r.log.ReadAt(p, r.offset)
		r.offset += int64(n)
		switch {
		case n > 0:
			r.log.Release(r.offset)
			return n, nil
		case err != nil && !errors.Is(err, io.EOF):
			return 0, err
		case complete || !r.follow:
			return 0, io.EOF
		}
		select {
		case <-more:
		case <-r.ctx.Done():
		case <-r.closed:
			return 0, os.ErrClosed
		}
	}
}

// seekTail moves to the last n lines. It counts the lines of an ever larger part of the log's end. The first of more than n lines
// may be the rest of a line.
func (r *reader) seekTail(n int64) error {
	size, err := r.log.Size()
	if err != nil {
		return err
	}
	for part := int64(8 * blockBytes); ; part *= 16 {
		r.offset = max(0, size-part)
		var end lines
		if _, err := end.read(io.NewSectionReader(r.log, r.offset, size-r.offset)); err != nil {
			return err
		}
		if end.count > n || r.offset == 0 {
			r.lines.skip = end.count - n
			return nil
		}
	}
}

// lines turns the lines of a file into what a user sees.
type lines struct {
	skip       int64 // hides so many lines
	since      time.Time
	timestamps bool

	count    int64 // of lines that begin, including those that are hidden
	inRecord bool  // the end of the line of the file has not come yet
	torn     bool  // it has no header
	hidden   bool  // this line is
}

// take appends what is seen of a line of the file, or of a piece of it. The first piece has the whole header.
func (l *lines) take(out, piece []byte) []byte {
	if !l.inRecord {
		r, ok := parse(piece)
		if l.torn = !ok; ok {
			out, piece = l.begin(out, r), r.text
		}
	}
	l.inRecord = len(piece) > 0 && piece[len(piece)-1] != '\n'
	if l.torn || l.hidden {
		return out
	}
	return append(out, piece...)
}

// begin appends what precedes the text of a record.
func (l *lines) begin(out []byte, r record) []byte {
	l.count++
	if l.hidden = l.count <= l.skip || r.at.Before(l.since); !l.hidden && l.timestamps {
		out = append(r.at.AppendFormat(out, timestampFormat), ' ')
	}
	return out
}

// read takes everything of source, and returns the size of what is seen.
func (l *lines) read(source io.Reader) (size int64, err error) {
	var seen []byte
	for pieces := bufio.NewReaderSize(source, blockBytes); ; {
		piece, err := pieces.ReadSlice('\n')
		seen = l.take(seen[:0], piece)
		size += int64(len(seen))
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return 0, err
		}
	}
}
