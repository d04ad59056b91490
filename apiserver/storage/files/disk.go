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
	"strings"

	"golang.org/x/sys/unix"
)

// ErrInUse means that another process (or another server of this process) uses the directory.
var ErrInUse = errors.New("the directory is in use by another process")

// temporaryPrefix is the prefix of files that are being written. Its dot hides them from the search for objects.
const temporaryPrefix = ".goldsmith-writes-"

// openDirectory opens a directory of the tree for changes in it. It follows no symbolic link: each component is opened in its
// parent, and has to be the directory that was seen there.
func openDirectory(tree, directory string) (*os.Root, error) {
	opened, err := os.OpenRoot(tree)
	if err != nil || directory == "." {
		return opened, err
	}
	for component := range strings.SplitSeq(filepath.ToSlash(directory), "/") {
		below, err := openBelow(opened, component)
		err = errors.Join(err, opened.Close())
		if err != nil {
			return nil, fmt.Errorf("open directory %s: %w", directory, err)
		}
		opened = below
	}
	return opened, nil
}

func openBelow(parent *os.Root, name string) (*os.Root, error) {
	seen, err := parent.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case seen.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("%s is a symbolic link, which the server does not follow: replace the link by a directory", name)
	case !seen.IsDir():
		return nil, &fs.PathError{Op: "open", Path: name, Err: unix.ENOTDIR}
	}
	below, err := parent.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := below.Stat(".")
	if err == nil && !os.SameFile(seen, opened) {
		err = fmt.Errorf("%s was replaced while the server opened it: try again", name)
	}
	if err != nil {
		return nil, errors.Join(err, below.Close())
	}
	return below, nil
}

// writeFile replaces a file of the tree atomically: after a crash the file is the old or the new one. Immediately before, it
// calls a function that may refuse the write.
func writeFile(tree, path string, content []byte, may func() error) (err error) {
	directory, err := openDirectory(tree, filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, directory.Close()) }()
	name := filepath.Base(path)
	temporary := temporaryPrefix + digest([]byte(name))[:16]
	if err := directory.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write %s: %w", path, err)
	}
	// O_EXCL: never through a link.
	file, err := directory.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) // the mode of the root directory limits access to the objects
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = may()
	}
	if err == nil {
		err = directory.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), directory.RemoveAll(temporary))
	}
	return syncOpened(directory)
}

// makeDirectory creates a directory of the tree with its parents.
func makeDirectory(tree, directory string) (err error) {
	if directory == "." {
		return nil
	}
	if err := makeDirectory(tree, filepath.Dir(directory)); err != nil {
		return err
	}
	parent, err := openDirectory(tree, filepath.Dir(directory))
	if err != nil {
		return fmt.Errorf("create the directory of a file: %w", err)
	}
	defer func() { err = errors.Join(err, parent.Close()) }()
	err = parent.Mkdir(filepath.Base(directory), 0o755) // the mode of the root directory limits access to the objects
	switch {
	case err == nil:
		return syncOpened(parent)
	case !errors.Is(err, fs.ErrExist):
		return fmt.Errorf("create the directory of a file: %w", err)
	}
	existing, err := openDirectory(tree, directory)
	if err != nil {
		return fmt.Errorf("create the directory of a file: %w", err)
	}
	return existing.Close()
}

// removeFile removes a file of the tree, and its parent directories that become empty.
func removeFile(tree, path string) error {
	directory, err := openDirectory(tree, filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else removed it
	}
	if err != nil {
		return fmt.Errorf("remove the file of a deleted object: %w", err)
	}
	err = directory.Remove(filepath.Base(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("remove the file of a deleted object: %w", err), directory.Close())
	}
	if err := errors.Join(syncOpened(directory), directory.Close()); err != nil {
		return err
	}
	return removeEmpty(tree, filepath.Dir(path))
}

// removeEmpty removes a directory of the tree if it is empty, and then its empty parents.
func removeEmpty(tree, directory string) error {
	if directory == "." {
		return nil
	}
	parent, err := openDirectory(tree, filepath.Dir(directory))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else removed it
	}
	if err != nil {
		return fmt.Errorf("remove an empty directory: %w", err)
	}
	if parent.Remove(filepath.Base(directory)) != nil {
		return parent.Close() // it is not empty
	}
	if err := errors.Join(syncOpened(parent), parent.Close()); err != nil {
		return err
	}
	return removeEmpty(tree, filepath.Dir(directory))
}

// syncOpened syncs an open directory.
func syncOpened(directory *os.Root) error {
	file, err := directory.Open(".")
	if err != nil {
		return fmt.Errorf("sync a directory: %w", err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", directory.Name(), err)
	}
	return nil
}

func syncDirectory(path string) error {
	directory, err := os.OpenRoot(path)
	if err != nil {
		return fmt.Errorf("sync a directory: %w", err)
	}
	return errors.Join(syncOpened(directory), directory.Close())
}

// errEdited means that a file has changed meanwhile.
var errEdited = errors.New("file was edited meanwhile")

// largestFile is the maximum size in bytes of a file that is read. It has room for the largest object as YAML.
const largestFile = 16 << 20

// readFile returns the content of a file and its digest, which are both empty if the file does not exist. It does not follow
// links, or open other files than regular ones, which might block.
func readFile(tree, path string) (content []byte, sum string, err error) {
	directory, err := openDirectory(tree, filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, directory.Close()) }()
	name := filepath.Base(path)
	if info, err := directory.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, "", fmt.Errorf("%s is not a regular file", path)
	}
	file, err := directory.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
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
		err = fmt.Errorf("%s has more than %d bytes, the limit of a file", path, largestFile)
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
