// SPDX-License-Identifier: Apache-2.0

package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"goldsmith.dev/goldsmith/cmd/internal/ownfile"
)

// AsOwner accesses a directory. If root calls it for the directory of another user, the whole process has the effective user and group of the
// owner meanwhile, and no further groups: no link or device in the directory makes root read or change a file of another user. Nobody else can
// trace the process, because root stays its real user. Only one goroutine may call it, while no other one needs the rights of root.
func AsOwner(directory string, access func() error) (err error) {
	uid, gid, err := ownerOf(directory)
	if caller := os.Geteuid(); err != nil || caller != 0 || uid == 0 {
		if err == nil {
			err = access()
		}
		if errors.Is(err, fs.ErrPermission) && uid != caller {
			err = fmt.Errorf("%w: run the command as the user of the server, or with sudo", whose(err))
		}
		return err
	}
	const keep = -1
	groups, err := syscall.Getgroups()
	if err != nil {
		return fmt.Errorf("act as the owner of %s: %w", directory, err)
	}
	group := os.Getegid()
	defer func() {
		back := errors.Join(syscall.Setresuid(keep, 0, keep), syscall.Setresgid(keep, group, keep), syscall.Setgroups(groups))
		err = errors.Join(err, back)
	}()
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setresgid(keep, gid, keep), syscall.Setresuid(keep, uid, keep)); err != nil {
		return fmt.Errorf("act as the owner of %s: %w", directory, err)
	}
	if err = access(); errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: root accesses %s as user %s, who owns it or a directory above it", err, directory, ownfile.UserName(uid))
	}
	return err
}

// IsForeign reports whether root has called for a directory of another user.
func IsForeign(directory string) bool {
	uid, _, err := ownerOf(directory)
	return err == nil && uid != 0 && os.Geteuid() == 0
}

// RefuseRoot refuses a server of root on the directory of another user: it would run builders as root, the user could not use the files of root
// later, and could make root change files elsewhere by links.
func RefuseRoot(directory string) error {
	info, err := os.Stat(directory)
	if err != nil || os.Geteuid() != 0 {
		return nil //nolint:nilerr // the server has the same error, or creates the directory
	}
	owner, _ := info.Sys().(*syscall.Stat_t)
	if owner.Uid == 0 {
		return nil
	}
	return fmt.Errorf("data directory %s belongs to user %s: run the command as that user, as in runuser -u %[2]s -- goldsmith up, or set --data-dir to another directory",
		directory, ownfile.UserName(int(owner.Uid)))
}

// MakeBeside creates a directory of mode 0700 beside a directory, for the owner of that directory, or of a new one.
func MakeBeside(directory, pattern string) (made string, err error) {
	parent := filepath.Dir(directory)
	err = AsOwner(parent, func() error {
		if made, err = os.MkdirTemp(parent, pattern); err != nil || !IsForeign(directory) {
			return err
		}
		uid, gid, err := ownerOf(directory)
		if err == nil {
			err = os.Lchown(made, uid, gid)
		}
		return err
	})
	return made, err
}

// RemoveMade removes a directory of MakeBeside with its content.
func RemoveMade(directory string) error {
	err := AsOwner(directory, func() error {
		entries, err := os.ReadDir(directory)
		for _, entry := range entries {
			err = errors.Join(err, os.RemoveAll(filepath.Join(directory, entry.Name())))
		}
		return err
	})
	return errors.Join(err, AsOwner(filepath.Dir(directory), func() error { return os.Remove(directory) }))
}

// ownerOf returns the user and the group that a directory belongs to, or -1. If somebody else than root and the caller of sudo owns a link or a
// directory on the way, who could put another directory in its place at any time, it belongs to this user.
func ownerOf(path string) (uid, gid int, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return -1, -1, err
	}
	const most = 40 // links, as in Linux
	for range most {
		target := ""
		for end := 1; end <= len(path) && target == ""; end++ {
			if end < len(path) && path[end] != filepath.Separator {
				continue
			}
			info, err := os.Lstat(path[:end])
			if err != nil {
				return -1, -1, err
			}
			stat, _ := info.Sys().(*syscall.Stat_t)
			if uid, gid = int(stat.Uid), int(stat.Gid); uid != 0 && strconv.Itoa(uid) != os.Getenv("SUDO_UID") {
				return uid, gid, nil
			}
			if info.Mode().Type() != fs.ModeSymlink {
				continue
			}
			if target, err = os.Readlink(path[:end]); err != nil {
				return -1, -1, err
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(path[:end]), target)
			}
			target = filepath.Join(target, path[end:])
		}
		if target == "" {
			return uid, gid, nil
		}
		path = target
	}
	return -1, -1, &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
}

// NameOfOwner names the user that a directory belongs to, such as "user goldsmith".
func NameOfOwner(directory string) string {
	uid, _, _ := ownerOf(directory)
	return "user " + ownfile.UserName(uid)
}
