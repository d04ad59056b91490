// SPDX-License-Identifier: Apache-2.0

package logfile

import (
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

// blockBytes is how much of a log is read at once.
const blockBytes = 32 << 10

// Options set which part of a log is read, and how.
type Options struct {
	// Follow waits for more at the end of a log that is not complete.
	Follow bool
	// Tail, if not nil, begins with the last so many lines. A line in several records counts once.
	Tail *int64
	// Since leaves out lines that begin before it, unless zero.
	Since time.Time
	// Timestamps prints the time before each line.
	Timestamps bool
	// Limit, if not nil, ends after so many bytes.
	Limit *int64
}

// NewReader reads the text of a log, without the records' headers; a record that is torn is left out. Reads end when ctx
// is done or the reader is closed; it has no goroutine of its own. Closing it closes the log.
func NewReader(ctx context.Context, log *Files, feed *Feed, options Options) (io.ReadCloser, error) {
	r := &reader{ctx: ctx, log: log, feed: feed, options: options, closed: make(chan struct{}), left: -1, atLineStart: true}
	if options.Limit != nil {
		r.left = *options.Limit
	}
	if options.Tail != nil {
		size, err := log.Size()
		if err != nil {
			return nil, err
		}
		if r.offset, err = tailStart(log, size, *options.Tail); err != nil {
			return nil, err
		}
	}
	return r, nil
}

type reader struct {
	ctx     context.Context
	log     *Files
	feed    *Feed
	options Options

	offset      int64  // where to read on
	unread      []byte // read, and not a whole record yet
	out         []byte // to be delivered
	left        int64  // how much may still be delivered; negative: any
	atLineStart bool
	skipping    bool // the line begins before Since
	ended       bool

	closed    chan struct{}
	closeOnce sync.Once
	closeErr  error
}

func (r *reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	for len(r.out) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
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

// fill reads one block, or waits for there to be one.
func (r *reader) fill() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	grown, complete := r.feed.next() // before the read, so that what comes after it is not missed
	start := len(r.unread)
	r.unread = append(r.unread, make([]byte, blockBytes)...)
	n, err := r.log.ReadAt(r.unread[start:], r.offset)
	r.unread = r.unread[:start+n]
	r.offset += int64(n)
	switch {
	case n > 0:
		r.log.Release(r.offset)
		r.takeRecords()
		return nil
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case complete || !r.options.Follow:
		r.take(r.unread) // a record whose line end is missing
		r.ended = true
		return nil
	}
	select {
	case <-grown:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-r.closed:
		return os.ErrClosed
	}
}

func (r *reader) takeRecords() {
	r.out = r.out[:0]
	rest := r.unread
	for {
		line, after, found := bytes.Cut(rest, []byte{'\n'})
		if !found {
			break
		}
		r.take(line)
		rest = after
	}
	if len(rest) > MaxRecordBytes+maxHeaderBytes {
		rest = rest[:0] // no record is that long: the log is damaged
	}
	r.unread = append(r.unread[:0], rest...)
}

func (r *reader) take(line []byte) {
	record, err := Parse(line)
	if err != nil {
		return
	}
	begins := r.atLineStart
	r.atLineStart = !record.Partial
	if begins {
		r.skipping = record.Time.Before(r.options.Since)
	}
	if r.skipping {
		return
	}
	if r.options.Timestamps && begins {
		r.out = record.Time.AppendFormat(r.out, timestampFormat)
		r.out = append(r.out, ' ')
	}
	r.out = append(r.out, record.Text...)
	if !record.Partial {
		r.out = append(r.out, '\n')
	}
}

// tailStart finds where the last n lines of a log of that size begin, reading it backwards.
func tailStart(log io.ReaderAt, size, n int64) (int64, error) {
	if n <= 0 {
		return size, nil
	}
	block := make([]byte, blockBytes+maxHeaderBytes)
	next := size // where the record after the one looked at begins
	for end := size - 1; end > 0; {
		start := max(0, end-blockBytes)
		// A few bytes more, for the header of a record that begins at the end of the block.
		read := block[:min(size, end+maxHeaderBytes)-start]
		if _, err := log.ReadAt(read, start); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		for i := bytes.LastIndexByte(read[:end-start], '\n'); i >= 0; i = bytes.LastIndexByte(read[:i], '\n') {
			begin := start + int64(i) + 1
			if next < size && endsLine(read[i+1:]) {
				if n--; n == 0 {
					return next, nil
				}
			}
			next = begin
		}
		end = start
	}
	// The record at the very beginning.
	head := block[:min(size, maxHeaderBytes)]
	if _, err := log.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if next < size && next > 0 && endsLine(head) && n == 1 {
		return next, nil
	}
	return 0, nil
}

// endsLine says, from the beginning of a record, whether the line ends with it. One that is torn is taken to.
func endsLine(record []byte) bool {
	fields := bytes.SplitN(record[:min(len(record), maxHeaderBytes)], []byte{' '}, 4)
	return len(fields) < 4 || !bytes.HasPrefix(fields[2], []byte{'P'})
}
