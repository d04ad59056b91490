// SPDX-License-Identifier: Apache-2.0

package logfile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
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

// Open reads the text of a log, without headers; what has no header, because it is torn, is left out, and counts in no limit. Where
// files were removed, it inserts a line that reports how many bytes are missing. open opens one file. Reads end when ctx is done or
// the reader is closed, which may happen while Read waits. The reader has no goroutine of its own.
func Open(ctx context.Context, path string, open func(path string) (*os.File, error), feed *Feed, options Options) (io.ReadCloser, error) {
	r := &reader{ctx: ctx, log: path, open: open, feed: feed, follow: options.Follow, closed: make(chan struct{}), left: math.MaxInt64}
	r.lines = lines{since: options.Since, timestamps: options.Timestamps}
	if options.Limit != nil {
		r.left = *options.Limit
	}
	_, err := r.seekEnd(math.MaxInt64) // opens each file, so that no later read finds that one cannot be opened
	if err == nil && options.Tail != nil {
		err = r.seekTail(*options.Tail)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.source = bufio.NewReaderSize(text{r}, blockBytes)
	return r, nil
}

type reader struct {
	ctx    context.Context
	log    string
	open   func(path string) (*os.File, error)
	feed   *Feed
	follow bool

	place
	inLine bool   // the end of the last line that was read has not come yet
	notice []byte // to be read before the file

	source *bufio.Reader
	lines  lines
	buffer []byte
	out    []byte // to be delivered
	left   int64  // how much may still be delivered
	err    error  // after out

	mu        sync.Mutex // guards place.file against Close
	closed    chan struct{}
	closeOnce sync.Once
	closeErr  error
}

// place is where a log is read.
type place struct {
	segment
	begins []byte // the header, if it is one, and maybe more
	file   *os.File
	offset int64
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
	n := copy(p[:min(int64(len(p)), r.left)], r.out)
	r.out = r.out[n:]
	r.left -= int64(n)
	return n, nil
}

// Close closes the log. It may be called more than once.
func (r *reader) Close() error {
	r.closeOnce.Do(func() {
		close(r.closed)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.file != nil {
			r.closeErr = r.file.Close()
		}
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

// text is what the files of a log have from a place on. At their end it waits for more, if the reader follows.
type text struct{ *reader }

// Read implements io.Reader.
func (r text) Read(p []byte) (int, error) {
	for {
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		if n := copy(p, r.notice); n > 0 {
			r.notice = r.notice[n:]
			return n, nil
		}
		more, complete := r.feed.next() // before the read, so that what comes after it is not missed
		if n, err := r.readFile(p); n > 0 || err != nil {
			return n, err
		}
		next, err := r.openNext()
		if err != nil {
			return 0, err
		}
		if next != nil { // so this file is complete, and the rest of it can be read
			n, err := r.readFile(p)
			if n > 0 || err != nil {
				return n, errors.Join(err, next.file.Close())
			}
			if err := r.advance(*next); err != nil {
				return 0, err
			}
			continue
		}
		if complete || !r.follow {
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

// readFile reads the present file. At its end it reads nothing.
func (r *reader) readFile(p []byte) (int, error) {
	n, err := r.file.ReadAt(p, r.offset)
	r.offset += int64(n)
	if n > 0 {
		r.inLine = p[n-1] != '\n'
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return 0, err
}

// openFile opens a file of the log at its beginning. It returns nil if the file was removed meanwhile, which the first file never is.
func (r *reader) openFile(s segment) (*place, error) {
	file, err := r.open(s.path)
	if errors.Is(err, fs.ErrNotExist) && s.number > 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	begins := make([]byte, maxHeaderBytes)
	n, err := file.ReadAt(begins, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, file.Close())
	}
	return &place{segment: s, file: file, begins: begins[:n]}, nil
}

// openNext opens the oldest file after the present one. It returns nil if none exists, or if that file has no header yet.
func (r *reader) openNext() (*place, error) {
	all, err := segments(r.log)
	for _, s := range all {
		if s.number <= r.number {
			continue
		}
		next, err := r.openFile(s)
		if next == nil && err == nil {
			continue
		}
		if next != nil && len(next.begins) < maxHeaderBytes {
			if _, ok := parse(next.begins); !ok {
				return nil, next.file.Close()
			}
		}
		return next, err
	}
	return nil, err
}

// advance goes on with the next file. It reports files that were removed, or else drops a header that repeats the header of the line
// that is being read.
func (r *reader) advance(next place) error {
	header, ok := parse(next.begins)
	switch {
	case next.number > r.number+1:
		missing := next.start - r.start
		if r.number > 0 { // the first file does not count
			size, err := new(lines).read(io.NewSectionReader(r.file, 0, math.MaxInt64))
			if err != nil {
				return errors.Join(err, next.file.Close())
			}
			missing -= size
		}
		if r.inLine {
			r.notice = append(r.notice, '\n')
		}
		// Package archive recognises this text, to report that the log is incomplete.
		r.notice = fmt.Appendf(appendHeader(r.notice, header.at), "[goldsmith: %d bytes of the log were dropped because it is too long]\n", missing)
		r.inLine = false
	case r.inLine && ok:
		next.offset = int64(len(next.begins) - len(header.text))
	}
	return r.move(next)
}

// move goes on at another place.
func (r *reader) move(to place) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil {
		if err := r.file.Close(); err != nil { // the reader is closed
			return errors.Join(err, to.file.Close())
		}
	}
	r.place = to
	return nil
}

// seekTail moves to the last n lines. It counts the lines of an ever larger part of the log's end. The first of more than n lines
// may be the rest of a line.
func (r *reader) seekTail(n int64) error {
	for part := int64(8 * blockBytes); ; part *= 16 {
		whole, err := r.seekEnd(part)
		if err != nil {
			return err
		}
		again, err := r.openFile(r.segment)
		if err != nil {
			return err
		}
		if again == nil {
			continue
		}
		again.offset = r.offset
		counting := &reader{ctx: r.ctx, log: r.log, open: r.open, place: *again}
		var end lines
		_, err = end.read(text{counting})
		if err = errors.Join(err, counting.file.Close()); err == nil && end.count <= n && !whole {
			continue
		}
		r.lines.skip = end.count - n
		return err
	}
}

// seekEnd moves to so many bytes before the end, or to the beginning of a log that is not longer.
func (r *reader) seekEnd(part int64) (whole bool, err error) {
	all, err := segments(r.log)
	for i, s := range slices.Backward(slices.Insert(all, 0, segment{path: r.log})) {
		to, openErr := r.openFile(s)
		if openErr != nil {
			return false, openErr
		}
		if to == nil {
			continue
		}
		info, statErr := to.file.Stat()
		if statErr == nil && (i == 0 || info.Size() >= part) {
			to.offset = max(0, info.Size()-part)
			return to.offset == 0 && i == 0, errors.Join(err, r.move(*to))
		}
		if err := errors.Join(statErr, to.file.Close()); err != nil {
			return false, err
		}
		part -= info.Size()
	}
	return false, err
}

// lines turns the lines of a file into what a user sees.
type lines struct {
	skip       int64 // hides so many lines
	since      time.Time
	timestamps bool

	count     int64 // of lines that begin, including those that are hidden
	inRecord  bool  // the end of the line of the file has not come yet
	torn      bool  // it has no header
	continues bool  // the last record is a part of a line
	hidden    bool  // this line is
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
	switch {
	case l.torn || l.hidden:
		return out
	case l.continues:
		piece = bytes.TrimSuffix(piece, []byte{'\n'})
	}
	return append(out, piece...)
}

// begin appends what precedes the text of a record.
func (l *lines) begin(out []byte, r record) []byte {
	continued := l.continues
	l.continues = r.partial
	switch {
	case continued && r.old:
		return out
	case continued && !l.hidden: // a notice follows, in place of the rest of the line
		out = append(out, '\n')
	}
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
