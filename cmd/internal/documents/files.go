// SPDX-License-Identifier: Apache-2.0

// Package documents reads files with documents of an operator, and reads them again when they change. It does not know what the documents
// declare, and never writes a file.
package documents

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"
)

// extension is the end of the names of files in a directory that are read.
const extension = ".yaml"

// Place is where documents are.
type Place struct {
	// Path is the absolute path of a file, or of a directory. Each file NAME.yaml of the directory is read.
	Path string
	// Optional is whether Path may be missing. There are no documents then.
	Optional bool
	// MaxMiB is the size of the largest file that is read, in MiB.
	MaxMiB int64
}

// File is a file that was read.
type File struct {
	Path    string
	Content []byte
}

// Read returns the files in the order of their names, and an error for each file that cannot be read.
func (p Place) Read() (files []File, problems []error) {
	paths, err := p.paths()
	if err != nil {
		return nil, []error{err}
	}
	for _, path := range paths {
		content, err := ReadFile(path, p.MaxMiB)
		switch {
		case err == nil:
			files = append(files, File{Path: path, Content: content})
		case !p.Optional || !errors.Is(err, fs.ErrNotExist):
			problems = append(problems, fmt.Errorf("%s: %w", path, err))
		}
	}
	return files, problems
}

func (p Place) paths() ([]string, error) {
	if !isDirectory(p.Path) {
		return []string{p.Path}, nil
	}
	entries, err := os.ReadDir(p.Path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Path, WithoutPath(err))
	}
	var paths []string
	for _, entry := range entries {
		if isRead(entry.Name()) {
			paths = append(paths, filepath.Join(p.Path, entry.Name()))
		}
	}
	return paths, nil
}

// directory returns the directory that has the files.
func (p Place) directory() string {
	if isDirectory(p.Path) {
		return p.Path
	}
	return filepath.Dir(p.Path)
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// isRead reports whether a file of a directory is read. Editors give their temporary files other names, or names with a dot in front.
func isRead(name string) bool {
	return filepath.Ext(name) == extension && !strings.HasPrefix(name, ".")
}

// OpenRegular opens a regular file for reading with a function such as os.OpenFile, and flags of open(2) besides O_RDONLY. It does not wait for a
// named pipe, even if one replaces the file meanwhile.
func OpenRegular(open func(name string, flag int, mode fs.FileMode) (*os.File, error), path string, flags int) (*os.File, error) {
	file, err := open(path, os.O_RDONLY|syscall.O_NONBLOCK|flags, 0)
	if errors.Is(err, syscall.ENXIO) { // a socket
		err = notRegular(path)
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = notRegular(path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func notRegular(path string) error {
	return &fs.PathError{Op: "open", Path: path, Err: errors.New("it is not a regular file")}
}

// ReadFile reads a regular file of at most maxMiB MiB that is UTF-8. The error does not have the path.
func ReadFile(path string, maxMiB int64) (content []byte, err error) {
	file, err := OpenRegular(os.OpenFile, path, 0)
	if err != nil {
		return nil, WithoutPath(err)
	}
	defer func() { _ = file.Close() }() // only read from
	content, err = io.ReadAll(io.LimitReader(file, maxMiB<<20+1))
	switch {
	case err != nil:
		return nil, WithoutPath(err)
	case int64(len(content)) > maxMiB<<20:
		return nil, fmt.Errorf("it is larger than %d MiB", maxMiB)
	case !utf8.Valid(content):
		return nil, errors.New("it is not UTF-8")
	}
	return content, nil
}

// WithoutPath returns the cause of an error that names a path.
func WithoutPath(err error) error {
	if named, ok := errors.AsType[*fs.PathError](err); ok {
		return named.Err
	}
	return err
}
