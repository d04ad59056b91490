// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

const (
	// writerLimit is how long a process that the builder left may have a file open for writing: it is being killed.
	writerLimit = time.Second
	writerRetry = 10 * time.Millisecond
	// readBytes is how much of a file is read and hashed at a time, and copyBytes how much is copied between two looks at the context.
	readBytes = 256 << 10
	copyBytes = 64 << 20
)

// Content identifies the content of a file.
type Content struct {
	// Digest is "sha256:" and 64 lower-case hex digits.
	Digest string
	// SizeBytes is the length of the content.
	SizeBytes int64
}

// FileError reports a file of a builder that cannot be an artifact. It is the builder's fault.
type FileError struct {
	// Path is the path that the builder named.
	Path string
	// Problem is a predicate, such as "is a directory".
	Problem string
}

func (e *FileError) Error() string { return fmt.Sprintf("file %q %s", e.Path, e.Problem) }

// Take moves a file from the output directory of a builder that has ended into the store, and returns its digest and size. The path
// is relative to the directory, and the file may be a symbolic link to a file in the directory. Remove does not remove the content
// until Release: Record it before.
//
// The builder is not trusted. A file that it must not or cannot have meant is a *FileError. A file that a process can still change,
// because the file has a second name or because the file system has no leases, is copied; any other file is moved. Any other error
// is a fault of the store. After an error the file may be lost. Take returns soon after ctx is done.
func (s *Store) Take(ctx context.Context, output *os.Root, path string) (Content, error) {
	content, err := s.take(ctx, output, path)
	if _, ok := errors.AsType[*FileError](err); err != nil && !ok {
		err = fmt.Errorf("store file %q: %w", path, err)
	}
	return content, err
}

func (s *Store) take(ctx context.Context, output *os.Root, path string) (Content, error) {
	source, err := openSource(output, path)
	if err != nil {
		return Content{}, err
	}
	defer func() { _ = source.Close() }() // only read from
	leased, err := s.lease(ctx, source, path)
	if err != nil {
		return Content{}, err
	}
	select {
	case s.readers <- struct{}{}:
	case <-ctx.Done():
		return Content{}, ctx.Err()
	}
	defer func() { <-s.readers }()
	staged := s.ingest()
	content, err := s.fill(ctx, staged, output, source, path, leased)
	if err == nil {
		err = s.keep(staged, content)
	}
	if err != nil {
		return Content{}, errors.Join(err, removeIfExists(staged))
	}
	return content, nil
}

// Release lets Remove remove contents that Take returned, each once, unless an artifact in the index has them.
func (s *Store) Release(contents ...Content) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, content := range contents {
		if s.taken[content.Digest]--; s.taken[content.Digest] <= 0 {
			delete(s.taken, content.Digest)
		}
	}
}

// openSource opens a regular file that a builder named. It does not wait for another process.
func openSource(output *os.Root, path string) (*os.File, error) {
	switch {
	case filepath.IsAbs(path):
		return nil, &FileError{path, "is not a path relative to the output directory"}
	case strings.ContainsFunc(path, unicode.IsControl):
		return nil, &FileError{path, "has a control character in its name"}
	case !filepath.IsLocal(path):
		return nil, &FileError{path, "is outside the output directory"}
	}
	if info, err := output.Stat(path); err != nil {
		return nil, openError(path, err)
	} else if err := checkRegular(path, info); err != nil {
		return nil, err // opening it may have effects
	}
	file, err := output.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, openError(path, err)
	}
	info, err := file.Stat()
	if err == nil {
		err = checkRegular(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func checkRegular(path string, info fs.FileInfo) error {
	mode := info.Mode()
	switch {
	case mode.IsDir():
		return &FileError{path, "is a directory"}
	case mode&fs.ModeNamedPipe != 0:
		return &FileError{path, "is a named pipe"}
	case mode&fs.ModeSocket != 0:
		return &FileError{path, "is a socket"}
	case !mode.IsRegular():
		return &FileError{path, "is not a regular file"}
	case info.Size() == 0:
		return &FileError{path, "is empty"}
	}
	return nil
}

// openError tells the errors that are the builder's fault from the others.
func openError(path string, err error) error {
	errno, ok := errors.AsType[syscall.Errno](err)
	switch {
	case !ok: // an os.Root refuses a link that leads out, without a call of the kernel
		return &FileError{path, "leads outside the output directory"}
	case slices.Contains([]syscall.Errno{unix.EIO, unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EUCLEAN, unix.ESTALE, unix.EINTR}, errno):
		return err
	case errno == unix.ENOENT, errno == unix.ENOTDIR:
		return &FileError{path, "does not exist"}
	}
	return &FileError{path, "cannot be opened: " + errno.Error()}
}

// lease asks the kernel to let no process open the file for writing until the file is closed. It waits for a process that has it open
// for writing. It returns false if the file system has no leases.
func (s *Store) lease(ctx context.Context, file *os.File, path string) (bool, error) {
	for deadline := s.clock.Now().Add(writerLimit); ; {
		_, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
		switch {
		case err == nil:
			return true, nil
		case !errors.Is(err, unix.EAGAIN):
			return false, nil
		case !s.clock.Now().Before(deadline):
			return false, &FileError{path, "is still being written"}
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-s.clock.After(writerRetry):
		}
	}
}

// fill moves or copies a file to a path of the store, makes it durable, and identifies its content.
func (s *Store) fill(ctx context.Context, staged string, output *os.Root, source *os.File, path string, leased bool) (Content, error) {
	before, err := source.Stat()
	if err != nil {
		return Content{}, err
	}
	file := source
	if !leased || !move(output, path, staged, before) {
		if file, err = os.OpenFile(staged, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err != nil {
			return Content{}, err
		}
		defer func() { _ = file.Close() }() // a fault was found when it was flushed
		if err := copyData(ctx, file, source, before.Size()); err != nil {
			return Content{}, err
		}
	}
	if err := file.Chmod(blobMode); err != nil {
		return Content{}, err
	}
	content, err := s.identify(ctx, file)
	if err != nil {
		return Content{}, err
	}
	after, err := source.Stat()
	if err != nil {
		return Content{}, err
	}
	if content.SizeBytes != before.Size() || changed(before, after) || leased && !leaseHeld(source) {
		return Content{}, &FileError{path, "changed while it was read"}
	}
	return content, nil
}

// move renames a file into the store, and reports whether it has: a file that has other names, that is named by a link, or that is on
// another file system stays where it is.
func move(output *os.Root, path, staged string, source fs.FileInfo) bool {
	if stat, _ := source.Sys().(*syscall.Stat_t); stat.Nlink != 1 {
		return false
	}
	parent, err := output.OpenFile(filepath.Dir(path), os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return false
	}
	defer func() { _ = parent.Close() }() // only read from
	base := filepath.Base(path)
	var named unix.Stat_t
	if err := unix.Fstatat(int(parent.Fd()), base, &named, unix.AT_SYMLINK_NOFOLLOW); err != nil || !sameFile(&named, source) {
		return false
	}
	if err := unix.Renameat(int(parent.Fd()), base, unix.AT_FDCWD, staged); err != nil {
		return false
	}
	if err := unix.Lstat(staged, &named); err == nil && sameFile(&named, source) && named.Nlink == 1 {
		return true
	}
	_ = os.RemoveAll(staged) // another file has taken its name in between; without it the copy can be made
	return false
}

func sameFile(named *unix.Stat_t, info fs.FileInfo) bool {
	stat, _ := info.Sys().(*syscall.Stat_t)
	return named.Dev == stat.Dev && named.Ino == stat.Ino
}

func changed(before, after fs.FileInfo) bool {
	return before.Size() != after.Size() || !before.ModTime().Equal(after.ModTime())
}

// leaseHeld reports whether no process has tried to open a leased file for writing.
func leaseHeld(file *os.File) bool {
	lease, err := unix.FcntlInt(file.Fd(), unix.F_GETLEASE, 0)
	return err == nil && lease == unix.F_RDLCK
}

// copyData copies the first bytes of a file, and keeps its holes. The file system may share the blocks of both files.
func copyData(ctx context.Context, to, from *os.File, size int64) error {
	for offset := int64(0); offset < size; {
		begin, end, err := nextData(from, offset, size)
		if err != nil {
			return err
		}
		for begin < end {
			if err := ctx.Err(); err != nil {
				return err
			}
			if _, err := from.Seek(begin, io.SeekStart); err != nil {
				return err
			}
			if _, err := to.Seek(begin, io.SeekStart); err != nil {
				return err
			}
			n, err := io.CopyN(to, from, min(copyBytes, end-begin))
			if errors.Is(err, io.EOF) {
				return nil // the file became shorter, which is found by its size
			}
			if err != nil {
				return err
			}
			begin += n
		}
		offset = end
	}
	return to.Truncate(size)
}

// nextData returns the next range of a file that is no hole. The range is empty, at the end, if only a hole is left.
func nextData(file *os.File, offset, size int64) (begin, end int64, err error) {
	begin, err = unix.Seek(int(file.Fd()), offset, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return size, size, nil
	case errors.Is(err, unix.EINVAL): // the file system does not know holes
		return offset, size, nil
	case err != nil:
		return 0, 0, os.NewSyscallError("lseek", err)
	}
	end, err = unix.Seek(int(file.Fd()), begin, unix.SEEK_HOLE)
	return min(begin, size), min(end, size), os.NewSyscallError("lseek", err)
}

// identify reads a file, and flushes it to the disk meanwhile.
func (s *Store) identify(ctx context.Context, file *os.File) (Content, error) {
	flushed := make(chan error, 1)
	go func() { flushed <- s.sync(file) }()
	_ = unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_SEQUENTIAL) // it only helps
	hash, buffer := sha256.New(), make([]byte, readBytes)
	for size := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return Content{}, err
		}
		n, err := file.ReadAt(buffer, size)
		_, _ = hash.Write(buffer[:n]) // never fails
		size += int64(n)
		switch {
		case errors.Is(err, io.EOF):
			select {
			case err := <-flushed:
				return Content{Digest: digest.NewDigest(digest.SHA256, hash).String(), SizeBytes: size}, err
			case <-ctx.Done():
				return Content{}, ctx.Err()
			}
		case err != nil:
			return Content{}, err
		}
	}
}

// keep makes a complete file of ingestDir a blob.
func (s *Store) keep(staged string, content Content) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.adopt(staged, content); err != nil {
		return err
	}
	if err := s.syncDir(s.blobs()); err != nil {
		return err
	}
	s.taken[content.Digest]++
	return nil
}

func removeIfExists(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
