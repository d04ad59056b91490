// SPDX-License-Identifier: Apache-2.0

// Package ownfile opens the files that commands write, or go on with, in directories where others can write, such as /tmp. There, a file of
// a name that can be guessed may be somebody else's, or a link to another file of the user. This package writes to neither.
package ownfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrForeign reports a link, or a file that is not the user's own.
var ErrForeign = errors.New("is a link, or not a file of yours alone: remove it, or name another file")

// Open opens a regular file for writing as os.OpenFile does, if it is new, or if only this user has made it: it is no link, belongs to the
// user, and has no second name. Otherwise it fails with ErrForeign, and changes nothing.
func Open(path string, flag int, mode fs.FileMode) (*os.File, error) {
	file, err := os.OpenFile(path, flag&^os.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK, mode)
	if err != nil {
		return nil, explain(path, err)
	}
	info, err := file.Stat()
	if err == nil && !isOwn(info) {
		err = foreign(path)
	}
	if err == nil && flag&os.O_TRUNC != 0 {
		err = file.Truncate(0)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// explain returns ErrForeign for an error about a link, a pipe or another user's file. It returns other errors unchanged.
func explain(path string, err error) error {
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		return foreign(path)
	}
	if info, failed := os.Lstat(path); failed == nil && errors.Is(err, fs.ErrPermission) && !isOwn(info) { // the kernel protects some directories itself
		return foreign(path)
	}
	return err
}

func foreign(path string) error { return fmt.Errorf("%s %w", path, ErrForeign) }

func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().IsRegular() && belongs(stat) && stat.Nlink == 1
}

func belongs(stat *syscall.Stat_t) bool { return int(stat.Uid) == os.Geteuid() }

// Write replaces the content of a file that Open opens, or creates it.
func Write(path string, content []byte, mode fs.FileMode) error {
	file, err := Open(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

// Trusted reports, with ErrForeign, a path whose file another user can replace after it was read: the path, or the file to which it links,
// belongs neither to this user nor to root.
func Trusted(path string) error {
	for _, look := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
		info, err := look(path)
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !belongs(stat) && stat.Uid != 0 {
			return foreign(path)
		}
	}
	return nil
}
