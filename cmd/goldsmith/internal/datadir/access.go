// SPDX-License-Identifier: Apache-2.0

package datadir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/cmd/internal/ownfile"
)

// CheckWritable reports why this user can neither write to a directory nor make it. It makes nothing.
func CheckWritable(directory string) error {
	refused := func(cause error) error { return &fs.PathError{Op: "write to", Path: directory, Err: cause} }
	info, err := os.Stat(directory)
	switch {
	case errors.Is(err, fs.ErrNotExist) && filepath.Dir(directory) != directory:
		return CheckWritable(filepath.Dir(directory))
	case err != nil:
		return err
	case !info.IsDir():
		return refused(syscall.ENOTDIR)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, directory, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return refused(err)
	}
	return nil
}

// headerOfSQLite is how the file of a database begins, unless it is empty.
const headerOfSQLite = "SQLite format 3\x00"

// CheckDatabase reports why this user cannot use a file as a database of SQLite, or make the file. It makes nothing.
func CheckDatabase(path string) error {
	if path == "" { // the database has no file
		return nil
	}
	directory := filepath.Dir(path)
	if _, err := os.Stat(directory); err != nil {
		return err
	}
	if err := CheckWritable(directory); err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && info.Mode().IsRegular():
		err = unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK|unix.W_OK, unix.AT_EACCESS)
	case err == nil:
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return &fs.PathError{Op: "write to", Path: path, Err: documents.WithoutPath(err)}
	}
	file, err := documents.OpenRegular(os.OpenFile, path, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read from
	start, err := io.ReadAll(io.LimitReader(file, int64(len(headerOfSQLite))))
	if err == nil && len(start) > 0 && string(start) != headerOfSQLite {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("it is not a database of SQLite")}
	}
	return err
}

// whose adds to an error about the permissions of a file whose the file is. It returns other errors unchanged. A file that cannot be
// examined is that of the directory above it.
func whose(err error) error {
	named, ok := errors.AsType[*fs.PathError](err)
	if !ok || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	path, info := ownfile.Examine(named.Path)
	if info == nil {
		return err
	}
	return fmt.Errorf("%w: %s belongs to user %s with mode %04o, and you are user %s", err, path, ownfile.Owner(path), info.Mode().Perm(), ownfile.UserName(os.Geteuid()))
}

// ExplainAccess adds to an error about the permissions of a data directory whose it is, and what to do. It returns other errors unchanged.
func ExplainAccess(directory string, err error) error {
	named, ok := errors.AsType[*fs.PathError](err)
	if !ok || !errors.Is(err, fs.ErrPermission) || !isBelow(named.Path, directory) && !isBelow(directory, named.Path) {
		return err
	}
	return fmt.Errorf("%w: run the command as the user of the data directory, or set --data-dir to another directory", whose(err))
}

func isBelow(path, directory string) bool {
	return strings.HasPrefix(path+string(filepath.Separator), strings.TrimSuffix(directory, string(filepath.Separator))+string(filepath.Separator))
}
