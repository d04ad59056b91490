// SPDX-License-Identifier: Apache-2.0

// Package output writes a directory that appears complete, or not at all.
package output

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Checksums is the file with the digests of all others but its signatures, in the form that sha256sum --check reads.
const Checksums = "SHA256SUMS"

// Directory is a directory that is being written.
type Directory struct {
	path    string
	staging string
	lock    *os.File          // of staging, while this process writes
	sums    map[string]string // SHA-256 in hexadecimal digits, by the name of the file
	log     io.Writer
}

// Begin begins to write a directory, beside it. An earlier directory stays until Commit. What a process that was killed has begun is removed.
func Begin(path string, log io.Writer) (*Directory, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := replaceable(path); err != nil {
		return nil, err
	}
	d := &Directory{path: path, staging: path + ".unfinished", sums: map[string]string{}, log: log}
	if err := d.begin(); err != nil {
		return nil, fmt.Errorf("begin to write %s: %w", path, err)
	}
	return d, nil
}

// replaceable refuses a path that has anything but an earlier release: Commit deletes it.
func replaceable(path string) error {
	refused := func(what string) error {
		return fmt.Errorf("%s %s, and is no release: remove it, or choose another directory", path, what)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return refused("is no directory")
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(path, Checksums))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		isSum := strings.HasPrefix(entry.Name(), Checksums) // or a signature of it
		if !isSum && !bytes.Contains(sums, []byte("  "+entry.Name()+"\n")) {
			return refused("has " + entry.Name())
		}
	}
	return nil
}

func (d *Directory) begin() error {
	if err := os.MkdirAll(d.staging, 0o750); err != nil {
		return err
	}
	lock, err := os.Open(d.staging)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("another process writes it: wait until that has ended: %w", err), lock.Close())
	}
	d.lock = lock
	begun, err := os.ReadDir(d.staging)
	for _, entry := range begun {
		err = errors.Join(err, os.RemoveAll(filepath.Join(d.staging, entry.Name())))
	}
	return err
}

// Scratch returns a new directory for temporary files.
func (d *Directory) Scratch(name string) (string, error) {
	all := filepath.Join(d.staging, ".scratch")
	scratch := filepath.Join(all, name)
	if err := os.MkdirAll(scratch, 0o750); err != nil {
		return "", err
	}
	// In a checkout, the directory is no change of the checkout.
	return scratch, os.WriteFile(filepath.Join(all, ".gitignore"), []byte("*\n"), 0o600)
}

// Sum returns the SHA-256 of a file that was written, in hexadecimal digits.
func (d *Directory) Sum(name string) string { return d.sums[name] }

// Write writes a file.
func (d *Directory) Write(name string, write func(io.Writer) error) error {
	file, err := os.OpenFile(filepath.Join(d.staging, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // a release is for everybody
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	sum, buffered := sha256.New(), bufio.NewWriterSize(file, 1<<20)
	err = write(io.MultiWriter(sum, buffered))
	err = errors.Join(err, buffered.Flush(), file.Chmod(0o644), file.Close()) // whatever the umask
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	info, err := os.Stat(file.Name())
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, _ = fmt.Fprintf(d.log, "%s, %.1f MB\n", name, float64(info.Size())/1e6) // the log is for people who watch
	d.sums[name] = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// Commit writes the checksums, calls sign with their path, and puts the directory in its place. sign writes signatures of the checksums, if any.
// An earlier directory is replaced.
func (d *Directory) Commit(sign func(checksums string) error) error {
	var sums bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(d.sums)) {
		_, _ = fmt.Fprintf(&sums, "%s  %s\n", d.sums[name], name) // a Buffer returns no error
	}
	if err := d.Write(Checksums, func(out io.Writer) error { _, err := sums.WriteTo(out); return err }); err != nil {
		return err
	}
	// A signature of this file is one of the whole release.
	if err := sign(filepath.Join(d.staging, Checksums)); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(d.staging, ".scratch")); err != nil {
		return fmt.Errorf("remove temporary files: %w", err)
	}
	if err := os.Chmod(d.staging, 0o755); err != nil { //nolint:gosec // a release is for everybody
		return err
	}
	earlier := d.path + ".earlier"
	if err := os.RemoveAll(earlier); err != nil {
		return fmt.Errorf("replace %s: %w", d.path, err)
	}
	if err := os.Rename(d.path, earlier); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace %s: %w", d.path, err)
	}
	if err := os.Rename(d.staging, d.path); err != nil {
		return fmt.Errorf("replace %s: %w", d.path, err)
	}
	return errors.Join(os.RemoveAll(earlier), d.lock.Close())
}

// Abandon removes what has been written, and returns err with a sentence about it.
func (d *Directory) Abandon(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("%w: make space on the disk", err)
	}
	if _, exists := os.Stat(d.path); exists == nil {
		err = fmt.Errorf("%w (%s is that of an earlier run)", err, d.path)
	}
	return errors.Join(err, os.RemoveAll(d.staging), d.lock.Close())
}
