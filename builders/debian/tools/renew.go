// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/builders/debian/flock"
	"goldsmith.dev/goldsmith/builders/debian/suite"
)

const (
	// renewAfter is the age at which tools are made again, so that they get security updates: some of them verify packages, and GRUB becomes part
	// of images.
	renewAfter = 30 * 24 * time.Hour
	// retryAfter is when a renewal that failed is tried again.
	retryAfter = 24 * time.Hour
)

// NeedsRenewal reports whether tools do not exist or are older than 30 days.
func NeedsRenewal(directory string) bool {
	return !exists(filepath.Join(directory, Digest)) || isOld(directory)
}

// isOld reports whether a directory exists and is older than 30 days. Its time is when its tools were made.
func isOld(directory string) bool {
	info, err := os.Stat(directory)
	return err == nil && time.Since(info.ModTime()) > renewAfter
}

// postpone makes tools due again in a day.
func postpone(directory string) error {
	at := time.Now().Add(retryAfter - renewAfter)
	return os.Chtimes(directory, at, at)
}

// Hold keeps tools from being removed until the file is closed. The error is fs.ErrNotExist if they have been removed. A sandbox must not inherit
// the file, because a program there could open it again for writing.
func Hold(directory string) (*os.File, error) {
	path := filepath.Join(directory, Program)
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = flock.Lock(file, unix.LOCK_SH)
	if err == nil {
		err = checkSameFile(file, path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// checkSameFile returns an error if a path is not that of an open file any more.
func checkSameFile(file *os.File, path string) error {
	opened, err := file.Stat()
	if err != nil {
		return err
	}
	now, err := os.Stat(path)
	if err == nil && !os.SameFile(opened, now) {
		return fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return err
}

// replace gives new tools their name. Old ones get another one, because builds may use them.
func replace(directory, with string) error {
	if exists(directory) {
		if err := os.Rename(directory, fmt.Sprintf("%s.old-%d", directory, time.Now().UnixNano())); err != nil {
			return err
		}
	}
	return os.Rename(with, directory)
}

// removeOld removes the other tools beside a directory that are older than 30 days and that no build uses: former ones, and those of other versions of
// Goldsmith, which would make them again.
func removeOld(directory string) error {
	others, err := filepath.Glob(filepath.Join(filepath.Dir(directory), suite.Name+"-*"))
	former, formerErr := filepath.Glob(directory + ".old-*") // its name can be another
	err = errors.Join(err, formerErr)
	for _, other := range append(others, former...) {
		if info, statErr := os.Stat(other); other != directory && statErr == nil && info.IsDir() && filepath.Ext(other) != unfinished && isOld(other) {
			err = errors.Join(err, removeUnused(other))
		}
	}
	return err
}

func removeUnused(directory string) error {
	file, err := os.Open(filepath.Join(directory, Program))
	if errors.Is(err, fs.ErrNotExist) {
		return remove(directory) // its removal has begun
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // releases the lock
	if err := flock.Lock(file, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil // a build uses them
	}
	removed := directory + ".removed" // they must not be used while they are removed
	return errors.Join(os.Rename(directory, removed), remove(removed))
}
