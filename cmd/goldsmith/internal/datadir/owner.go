// SPDX-License-Identifier: Apache-2.0

package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
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
			err = fmt.Errorf("%w: run the command as the user of the server, or with sudo", err)
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
		err = fmt.Errorf("%w: root accesses %s as %s, its owner", err, directory, NameOfOwner(directory))
	}
	return err
}

// IsForeign reports whether root has called for a directory of another user.
func IsForeign(directory string) bool {
	uid, _, err := ownerOf(directory)
	return err == nil && uid != 0 && os.Geteuid() == 0
}

// RefuseRoot refuses a server of root on the directory of another user as root: that user could not use the files of root later, and could make root change
// files elsewhere by links.
func RefuseRoot(directory string) error {
	if IsForeign(directory) {
		return fmt.Errorf("data directory %s belongs to %s: run the server as this user, or set --data-dir to another directory", directory, NameOfOwner(directory))
	}
	return nil
}

// MakeBeside creates a directory of mode 0700 beside a directory, for the owner of that directory. If another user than root can rename both, it
// belongs to this user.
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

// ownerOf returns the user and the group of a file, or -1.
func ownerOf(path string) (uid, gid int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return -1, -1, err
	}
	stat, _ := info.Sys().(*syscall.Stat_t)
	return int(stat.Uid), int(stat.Gid), nil
}

// NameOfOwner names the user that a directory belongs to, such as "user goldsmith".
func NameOfOwner(directory string) string {
	uid, _, _ := ownerOf(directory)
	id := strconv.Itoa(uid)
	if found, err := user.LookupId(id); err == nil {
		return "user " + found.Username
	}
	return "user " + id
}
