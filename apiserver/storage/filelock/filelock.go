// SPDX-License-Identifier: Apache-2.0

// Package filelock reserves a directory for one process at a time, by a lock on a file in it.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrHeld reports that another process, or another caller in this process, holds the lock.
var ErrHeld = errors.New("the lock is held by another process")

// Lock is a locked file.
type Lock struct{ *os.File }

// Close unlocks and closes the file. Closing alone does not unlock a file while another goroutine starts a program: until it runs, the
// new process has a copy of every open file, and the copies share the lock (flock(2)).
func (l *Lock) Close() error {
	return errors.Join(flock(l.File, unix.LOCK_UN), l.File.Close())
}

// Take locks a file without waiting, and creates the file if it does not exist. The kernel releases the lock when the process ends,
// even if it is killed.
func Take(path string) (*Lock, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	if err := lock(file, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return &Lock{file}, nil
}

// Await locks a file as Take does, but waits until nobody else holds the lock. If ctx is done first, the error is ErrHeld.
func Await(ctx context.Context, path string) (*Lock, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	locked := make(chan error)
	go func() {
		err := lock(file, unix.LOCK_EX)
		select {
		case locked <- err:
		case <-ctx.Done():
			_ = (&Lock{file}).Close() // nobody waits for it any more
		}
	}()
	select {
	case err = <-locked:
	case <-ctx.Done():
		return nil, fmt.Errorf("lock %s: %w: %w", path, ErrHeld, ctx.Err())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return &Lock{file}, nil
}

// Holder returns the process that holds the lock of a file, or 0 if it is not known. If nobody holds the lock, it returns the last holder.
func Holder(path string) int {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // to read a named pipe waits for ever
		return 0
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0
	}
	return pid
}

func open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	return file, nil
}

// lock locks a file, and writes into it for Holder which process has the lock.
func lock(file *os.File, how int) error {
	switch err := flock(file, how); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return ErrHeld
	case err != nil:
		return err
	}
	if file.Truncate(0) == nil {
		_, _ = file.WriteString(strconv.Itoa(os.Getpid()) + "\n") // on a full disk, Holder does not know the process
	}
	return nil
}

func flock(file *os.File, how int) error {
	err := unix.Flock(int(file.Fd()), how)
	for errors.Is(err, unix.EINTR) {
		err = unix.Flock(int(file.Fd()), how)
	}
	return err
}
