// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"goldsmith.dev/goldsmith/apiserver/storage/filelock"
)

const (
	// temporaryPrefix begins the names of temporary directories.
	temporaryPrefix = "goldsmith-etcd-"
	lockName        = "lock"
	// unlockedAge is how old a temporary directory without a lock must be to be left over: a new one gets its lock at once.
	unlockedAge = time.Minute
)

// TemporaryDirectories returns the temporary directories of all servers on this machine. They hold the socket of a server whose
// data directory has a long path, and the data of a server without a data directory.
func TemporaryDirectories() ([]string, error) {
	return filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*"))
}

// temporaryDirectory makes a directory that is locked while the server runs, and removed in the end.
func (s *Server) temporaryDirectory() (string, error) {
	for {
		directory, err := os.MkdirTemp("", temporaryPrefix) // mode 0700
		if err != nil {
			return "", fmt.Errorf("make etcd's temporary directory: %w", err)
		}
		path := filepath.Join(directory, lockName)
		lock, err := filelock.Take(path)
		if errors.Is(err, filelock.ErrHeld) || errors.Is(err, os.ErrNotExist) {
			continue // another server has seen it before it was locked, and removes it
		}
		if err != nil {
			return "", errors.Join(fmt.Errorf("lock etcd's temporary directory: %w", err), os.RemoveAll(directory))
		}
		held, err := lock.Stat()
		if named, failed := os.Stat(path); err != nil || failed != nil || !os.SameFile(held, named) {
			_ = lock.Close() // as above
			continue
		}
		s.cleanup = append(s.cleanup, lock.Close, func() error { return os.RemoveAll(directory) })
		return directory, nil
	}
}

// removeLeft removes the temporary directories that killed servers of this user left behind. What it cannot remove stays for the next start.
func removeLeft(now time.Time) {
	directories, _ := TemporaryDirectories() // the pattern is valid
	for _, directory := range directories {
		if release := left(directory, now); release != nil {
			_ = os.RemoveAll(directory)
			release()
		}
	}
}

// left reports whether a directory is one of a server of this user that was killed: nil if it is not. The caller calls release once it
// has removed the directory.
func left(directory string, now time.Time) (release func()) {
	info, err := os.Lstat(directory)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		return nil
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Geteuid() {
		return nil
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil
	}
	has := func(name string) bool {
		return slices.ContainsFunc(entries, func(entry os.DirEntry) bool { return entry.Name() == name })
	}
	switch {
	case has(lockName):
		if lock, err := filelock.Take(filepath.Join(directory, lockName)); err == nil {
			return func() { _ = lock.Close() }
		}
	case now.Sub(info.ModTime()) > unlockedAge && onlySockets(directory, entries):
		return func() {}
	}
	return nil
}

// onlySockets reports whether a directory has nothing but sockets of a server, on which nobody listens.
func onlySockets(directory string, entries []os.DirEntry) bool {
	return !slices.ContainsFunc(entries, func(entry os.DirEntry) bool {
		if entry.Type() != os.ModeSocket || entry.Name() != socketName && entry.Name() != httpSocketName {
			return true
		}
		connection, err := net.Dial("unix", filepath.Join(directory, entry.Name()))
		if err == nil {
			_ = connection.Close() // nothing was sent
		}
		return !errors.Is(err, syscall.ECONNREFUSED)
	})
}
