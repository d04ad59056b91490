// SPDX-License-Identifier: Apache-2.0

//go:build unix

package ownfile

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// noFollow opens no link, and does not wait for the other end of a pipe.
const noFollow = unix.O_NOFOLLOW | unix.O_NONBLOCK

// explain returns ErrForeign for an error about a link, a pipe or another user's file. It returns other errors unchanged.
func explain(path string, err error) error {
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		return foreign(path)
	}
	if info, failed := os.Lstat(path); failed == nil && errors.Is(err, fs.ErrPermission) && !isOwn(nil, info) { // the kernel protects some directories itself
		return foreign(path)
	}
	return err
}

func isOwn(_ *os.File, info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().IsRegular() && belongs(stat) && stat.Nlink == 1
}

func belongs(stat *syscall.Stat_t) bool { return int(stat.Uid) == os.Geteuid() }

// Owner returns the name of the user to whom a file belongs, or of the user of the directory above it that can be examined. It returns "" if there is none.
func Owner(path string) string {
	_, info := Examine(path)
	if info == nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return UserName(int(stat.Uid))
}

// Examine returns a file, or the nearest directory above it that this user can examine. The info is nil if there is none.
func Examine(path string) (string, fs.FileInfo) {
	info, err := os.Stat(path)
	for err != nil && filepath.Dir(path) != path {
		path = filepath.Dir(path)
		info, err = os.Stat(path)
	}
	if err != nil {
		return path, nil
	}
	return path, info
}

// UserName returns the name of a user, or else its ID.
func UserName(uid int) string {
	id := strconv.Itoa(uid)
	if found, err := user.LookupId(id); err == nil {
		return found.Username
	}
	return id
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
