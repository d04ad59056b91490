// SPDX-License-Identifier: Apache-2.0

package tarball

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// WriteDirectory writes a tar file with everything in a directory: directories, files and links with their permissions. All belongs to root and has
// one time.
func WriteDirectory(out io.Writer, directory string, at time.Time) error {
	archive := tar.NewWriter(out)
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == directory {
			return err
		}
		name, err := filepath.Rel(directory, path)
		if err != nil {
			return err
		}
		return writeEntry(archive, path, filepath.ToSlash(name), entry, at)
	})
	return errors.Join(err, archive.Close())
}

func writeEntry(archive *tar.Writer, path, name string, entry fs.DirEntry, at time.Time) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(path); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	written := &tar.Header{Typeflag: header.Typeflag, Name: name, Linkname: link, Size: header.Size, Mode: header.Mode, ModTime: at, Format: tar.FormatPAX}
	switch header.Typeflag {
	case tar.TypeDir:
		written.Name += "/"
	case tar.TypeReg:
		return copyContent(&File{Name: name, Path: path}, func(size int64) (io.Writer, error) {
			written.Size = size
			return archive, archive.WriteHeader(written)
		})
	case tar.TypeSymlink:
	default:
		return fmt.Errorf("%s: is neither a directory, a file nor a link", name)
	}
	return archive.WriteHeader(written)
}
