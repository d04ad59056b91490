// SPDX-License-Identifier: Apache-2.0

package files

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrInUse says that another process (or another server of this process) has the directory.
var ErrInUse = errors.New("the directory is in use by another process")

// temporaryPrefix begins the names of files that are being written. Its dot hides them from who looks for objects.
const temporaryPrefix = ".goldsmith-writes-"

// writeFile replaces a file: after a crash it is the old one or the new one.
//
// Right before, it asks whether it still may.
func writeFile(path string, content []byte, may func() error) (err error) {
	temporary := filepath.Join(filepath.Dir(path), temporaryPrefix+digest([]byte(filepath.Base(path)))[:16])
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write %s: %w", path, err)
	}
	// O_EXCL: never through a link.
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // the mode of root decides who reads the objects
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = may()
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.RemoveAll(temporary))
	}
	return syncDirectory(filepath.Dir(path))
}

// makeDirectory makes a directory below root, with those in between.
func makeDirectory(root, directory string) error {
	if directory == root {
		return nil
	}
	err := os.Mkdir(directory, 0o755) //nolint:gosec // the mode of root decides who reads the objects
	switch {
	case err == nil:
		return syncDirectory(filepath.Dir(directory))
	case errors.Is(err, fs.ErrExist):
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("make the directory of a file: %w", err)
	}
	if err := makeDirectory(root, filepath.Dir(directory)); err != nil {
		return err
	}
	return makeDirectory(root, directory)
}

// removeFile removes a file, and the directories below root that are empty then.
func removeFile(root, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the file of a deleted object: %w", err)
	}
	directory := filepath.Dir(path)
	for directory != root && os.Remove(directory) == nil {
		directory = filepath.Dir(directory)
	}
	err := syncDirectory(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else removed it
	}
	return err
}

func syncDirectory(directory string) error {
	file, err := os.Open(directory)
	if err != nil {
		return fmt.Errorf("sync a directory: %w", err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", directory, err)
	}
	return nil
}

// errEdited says that a file is not what it was.
var errEdited = errors.New("it was edited meanwhile")

// largestFile is the size in bytes of the largest file that is read: as YAML, an object of the largest size has room.
const largestFile = 16 << 20

// readFile returns what a file holds, with its digest: both are empty if there is none. What is no file is not opened to
// wait for, nor followed.
func readFile(path string) (content []byte, sum string, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, "", err
	case info.IsDir():
		return nil, "", fmt.Errorf("%s is a directory", path)
	case !info.Mode().IsRegular():
		return nil, "", fmt.Errorf("%s is not a regular file", path)
	}
	content, err = io.ReadAll(io.LimitReader(file, largestFile+1))
	if err == nil && len(content) > largestFile {
		err = fmt.Errorf("%s has more than %d bytes", path, largestFile)
	}
	if err != nil {
		return nil, "", err
	}
	return content, digest(content), nil
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
