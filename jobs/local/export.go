// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/jobs/local/internal/logfile"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// Kept returns which bytes of a file belong in a backup of the agent's directory, by the file's path there and its size: those
// from begin up to end. kept is false for files that do not belong there, such as a builder's output and its token. The logs, the
// results, the inputs and the markers that prevent a second start of a pod's process belong there, as far as an agent writes or
// reads them.
func Kept(path string, size int64) (begin, end int64, kept bool) {
	dir, name := filepath.Split(path)
	d := podDir(filepath.Clean(dir))
	if !uidPattern.MatchString(string(d)) {
		return 0, 0, false
	}
	switch path := filepath.Join(dir, name); {
	case path == d.result(), path == d.marker():
		return max(0, size-result.MaxBytes), size, true
	case path == d.input():
		return 0, min(size, render.MaxInputBytes), true
	case path == d.log(), logfile.IsSegment(filepath.Base(d.log()), name):
		return 0, min(size, logfile.MaxFileBytes(maxLogBytes)), true
	}
	return 0, 0, false
}

// Export calls each with every file in the agent's directory that belongs in a backup, as it is now. An agent may run meanwhile.
//
// Builders can write to all of these files, so no file makes Export fail, wait, or read without end. Export passes the path of a
// file that it leaves out or shortens to report, with the cause. It leaves out files that are deleted meanwhile without a report,
// and shortens a file at its first hole, because an agent writes none. Export fails if each fails.
func Export(dir string, each func(path string, content io.Reader) error, report func(path string, cause error)) error {
	leaveOut := func(path string, cause error) error { //nolint:unparam // the walk returns it, to continue
		if !errors.Is(cause, fs.ErrNotExist) {
			report(path, cause)
		}
		return nil
	}
	top, err := os.OpenRoot(dir)
	if err != nil {
		return leaveOut(".", err)
	}
	defer func() { _ = top.Close() }() // only read from
	return fs.WalkDir(top.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return leaveOut(path, err)
		}
		_, _, kept := Kept(path, 0)
		if kept && !entry.Type().IsRegular() {
			report(path, errNotRegular)
		}
		switch {
		case entry.IsDir() && path != "." && !uidPattern.MatchString(path):
			return fs.SkipDir
		case !kept || !entry.Type().IsRegular():
			return nil
		}
		file, err := openRegularWith(top.OpenFile, path)
		if err != nil {
			return leaveOut(path, err)
		}
		defer func() { _ = file.Close() }() // only read from
		begin, end, size, err := resumablePart(file, path)
		if err != nil {
			return leaveOut(path, err)
		}
		if end-begin < size {
			report(path, fmt.Errorf("too long, or with a hole: the backup has the bytes from %d up to %d of %d", begin, end, size))
		}
		return each(path, failingReader{io.NewSectionReader(file, begin, end-begin), func(err error) { report(path, err) }})
	})
}

// resumablePart returns which part of a file belongs in a backup, and the size of the whole file.
func resumablePart(file *os.File, path string) (begin, end, size int64, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, 0, 0, err
	}
	begin, end, _ = Kept(path, info.Size())
	if begin == 0 && end > 0 {
		hole, err := file.Seek(0, unix.SEEK_HOLE)
		if err != nil && !errors.Is(err, unix.ENXIO) { // the file was emptied meanwhile
			return 0, 0, 0, err
		}
		end = min(end, hole)
	}
	return begin, end, info.Size(), nil
}

// failingReader ends where it cannot be read, and reports that.
type failingReader struct {
	io.Reader
	report func(error)
}

// Read implements io.Reader.
func (u failingReader) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		u.report(err)
		err = io.EOF
	}
	return n, err
}
