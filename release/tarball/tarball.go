// SPDX-License-Identifier: Apache-2.0

// Package tarball writes archives whose bytes depend on nothing but the names, the modes and the contents of their files, and one time.
package tarball

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// File is a file of an archive.
type File struct {
	// Name is its path in the archive.
	Name string
	// Mode is its permissions.
	Mode int64
	// Content is what it has, unless Path names a file with it.
	Content []byte
	Path    string
	// Link is what a symbolic link names. A link has neither Content nor Path.
	Link string
}

// open returns the content and its size.
func (f *File) open() (io.ReadCloser, int64, error) {
	if f.Path == "" {
		return io.NopCloser(bytes.NewReader(f.Content)), int64(len(f.Content)), nil
	}
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

func sorted(files []File) []File {
	return slices.SortedFunc(slices.Values(files), func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
}

// Write writes a tar file whose files belong to root. Directories are not in it.
func Write(out io.Writer, files []File, at time.Time) error {
	archive := tar.NewWriter(out)
	for _, file := range sorted(files) {
		header := &tar.Header{Name: file.Name, Mode: file.Mode, ModTime: at, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		if file.Link != "" {
			header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, file.Link, 0o777
			if err := archive.WriteHeader(header); err != nil {
				return fmt.Errorf("%s: %w", file.Name, err)
			}
			continue
		}
		err := copyContent(&file, func(size int64) (io.Writer, error) {
			header.Size = size
			return archive, archive.WriteHeader(header)
		})
		if err != nil {
			return err
		}
	}
	return archive.Close()
}

// copyContent writes the content of a file to the writer that begin returns for its size.
func copyContent(file *File, begin func(size int64) (io.Writer, error)) error {
	content, size, err := file.open()
	if err != nil {
		return fmt.Errorf("%s: %w", file.Name, err)
	}
	to, err := begin(size)
	if err == nil {
		_, err = io.Copy(to, content)
	}
	if err := errors.Join(err, content.Close()); err != nil {
		return fmt.Errorf("%s: %w", file.Name, err)
	}
	return nil
}

// WriteGzip writes a compressed tar file, as Write does.
func WriteGzip(out io.Writer, files []File, at time.Time) error {
	compressed, err := gzip.NewWriterLevel(out, gzip.BestCompression) // its header has no time
	if err != nil {
		return err
	}
	return errors.Join(Write(compressed, files, at), compressed.Close())
}

// WriteZip writes a zip file.
func WriteZip(out io.Writer, files []File, at time.Time) error {
	archive := zip.NewWriter(out)
	for _, file := range sorted(files) {
		header := &zip.FileHeader{Name: file.Name, Method: zip.Deflate, Modified: at}
		header.SetMode(os.FileMode(file.Mode)) //nolint:gosec // permissions
		if err := copyContent(&file, func(int64) (io.Writer, error) { return archive.CreateHeader(header) }); err != nil {
			return err
		}
	}
	return archive.Close()
}
