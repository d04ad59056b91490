// SPDX-License-Identifier: Apache-2.0

package logfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// A log that exceeds half of its limit continues in further files beside the first: <log>.<number>.<start>. Numbers begin at 1,
// and start counts the bytes that the container wrote after the first file. A file that begins within a line repeats a header.
func segmentName(path string, number int, start int64) string {
	return fmt.Sprintf("%s.%d.%d", path, number, start)
}

func parseSegment(log, name string) (number int, start int64, ok bool) {
	digits, found := strings.CutPrefix(name, log+".")
	before, after, _ := strings.Cut(digits, ".")
	number, err1 := strconv.Atoi(before)
	start, err2 := strconv.ParseInt(after, 10, 64)
	ok = found && err1 == nil && err2 == nil && number > 0 && start >= 0 && name == segmentName(log, number, start)
	return number, start, ok
}

// IsSegment reports whether a file beside a log is a part of the log.
func IsSegment(log, name string) bool {
	_, _, ok := parseSegment(log, name)
	return ok
}

// Files reads a log as if it were in one file. Where files were removed, Files inserts a line that reports how many bytes are
// missing. It is safe for concurrent use.
type Files struct {
	path string
	open func(path string) (*os.File, error)

	mu     sync.Mutex
	closed bool
	parts  []part // the last part may grow
}

// part is a file of a log, or a notice.
type part struct {
	file   *os.File // nil for a notice, and after Release
	notice []byte

	begin, end int64 // the offsets in the log; end is negative for the last part
	number     int   // of the file: see segmentName
	start      int64
	skip       int64 // the repeated header, if the file before exists
}

// Open opens the files of a log that exist now. open opens one file.
func Open(path string, open func(path string) (*os.File, error)) (*Files, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	f := &Files{path: path, open: open, parts: []part{{file: file, end: -1}}}
	for more := true; more; {
		if more, err = f.extend(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// Size is the offset of the present end.
func (f *Files) Size() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := &f.parts[len(f.parts)-1]
	size, err := last.size()
	return last.begin + size, err
}

// ReadAt implements io.ReaderAt.
func (f *Files) ReadAt(p []byte, offset int64) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n < len(p) {
		at := offset + int64(n)
		i := len(f.parts) - 1
		for i > 0 && f.parts[i].begin > at {
			i--
		}
		read, err := f.parts[i].readAt(p[n:], at)
		n += read
		switch {
		case read > 0 || err == nil:
			continue
		case !errors.Is(err, io.EOF):
			return n, err
		case f.parts[i].end >= 0: // it lacks bytes that it had
			return n, io.ErrUnexpectedEOF
		}
		if more, err := f.extend(); err != nil {
			return n, err
		} else if !more {
			return n, io.EOF
		}
	}
	return n, nil
}

// Release closes the files before an offset, so that removed files free their space.
func (f *Files) Release(offset int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.parts[:len(f.parts)-1] {
		if p := &f.parts[i]; p.end <= offset && p.file != nil {
			_ = p.file.Close() // only read from
			p.file = nil
		}
	}
}

// Close closes the files.
func (f *Files) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	var errs []error
	for i := range f.parts {
		if p := &f.parts[i]; p.file != nil {
			errs = append(errs, p.file.Close())
			p.file = nil
		}
	}
	return errors.Join(errs...)
}

// extend adds the next file, if it exists. The file before is complete then.
func (f *Files) extend() (bool, error) {
	if f.closed {
		return false, os.ErrClosed
	}
	for {
		last := &f.parts[len(f.parts)-1]
		name, number, start, err := f.next(last.number)
		if name == "" || err != nil {
			return false, err
		}
		file, err := f.open(filepath.Join(filepath.Dir(f.path), name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was removed meanwhile
		}
		if err != nil {
			return false, err
		}
		if added, err := f.add(last, part{file: file, number: number, start: start, end: -1}); err != nil || !added {
			return false, errors.Join(err, file.Close())
		}
		return true, nil
	}
}

// next finds the file after a file, or the oldest after it that exists.
func (f *Files) next(after int) (name string, number int, start int64, err error) {
	entries, err := os.ReadDir(filepath.Dir(f.path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // the files of a deleted pod are removed while they are read
		return "", 0, 0, err
	}
	for _, entry := range entries {
		n, s, ok := parseSegment(filepath.Base(f.path), entry.Name())
		if ok && n > after && (name == "" || n < number) {
			name, number, start = entry.Name(), n, s
		}
	}
	return name, number, start, nil
}

// add adds a file after the last. It returns false for a file that has no header yet.
func (f *Files) add(last *part, next part) (bool, error) {
	size, err := last.size()
	if err != nil {
		return false, err
	}
	first := make([]byte, maxHeaderBytes)
	n, err := next.file.ReadAt(first, 0)
	header, ok := parse(first[:n])
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return false, err
	case !ok && n < maxHeaderBytes:
		return false, nil
	}
	end := []byte{'\n'}
	if _, err := last.readAt(end, last.begin+size-1); size > 0 && err != nil {
		return false, err
	}
	var notice []byte
	switch {
	case next.number > last.number+1:
		missing := next.start - last.start
		if last.number > 0 { // the first file does not count
			text, err := new(lines).read(io.NewSectionReader(last.file, 0, size+last.skip))
			if err != nil {
				return false, err
			}
			missing -= text
		}
		if end[0] != '\n' {
			notice = append(notice, '\n')
		}
		// Package archive recognises this text, to report that the log is incomplete.
		notice = fmt.Appendf(appendHeader(notice, header.at), "[goldsmith: %d bytes of the log were dropped because it is too long]\n", missing)
	case end[0] != '\n' && ok:
		next.skip = int64(n - len(header.text))
	}
	last.end = last.begin + size
	next.begin = last.end + int64(len(notice))
	if len(notice) > 0 {
		f.parts = append(f.parts, part{notice: notice, begin: last.end, end: next.begin, number: last.number})
	}
	f.parts = append(f.parts, next)
	return true, nil
}

func (p *part) readAt(b []byte, offset int64) (int, error) {
	if p.end >= 0 {
		b = b[:min(int64(len(b)), p.end-offset)]
	}
	switch {
	case p.notice != nil:
		return copy(b, p.notice[offset-p.begin:]), nil
	case p.file == nil:
		return 0, os.ErrClosed
	}
	n, err := p.file.ReadAt(b, offset-p.begin+p.skip)
	if n > 0 {
		err = nil
	}
	return n, err
}

// size of the part of a file.
func (p *part) size() (int64, error) {
	if p.file == nil {
		return 0, os.ErrClosed
	}
	info, err := p.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size() - p.skip, nil
}
