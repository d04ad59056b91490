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
	"sync"
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

// Taken is what Take found at a path.
type Taken struct {
	Content Content
	// Err is a *FileError if the file is one that the builder must not or cannot have meant. Any other error is a fault of the store.
	Err error
}

// Take moves files from the output directory of a builder that has ended into the store, and returns the digest and the size of each
// path's file. The paths are relative to the directory. Several paths can be names of one file: hard links, and symbolic links to a file in
// the directory. Remove does not remove the contents until Release, once for each path without an error: Record them before.
//
// The builder is not trusted. A file that a process can still change, because the file has a second name or because the file system has
// no leases, is copied; any other file is moved. After an error the file may be lost. Take returns soon after ctx is done.
func (s *Store) Take(ctx context.Context, output *os.Root, paths ...string) []Taken {
	taken := make([]Taken, len(paths))
	sources := map[inode]*source{}
	for i, path := range paths { // all before the first is moved
		file, id, err := openSource(output, path)
		switch named := sources[id]; {
		case err != nil:
			taken[i].Err = failure(path, err)
		case named != nil:
			_ = file.Close() // nothing was read
			named.paths, named.places = append(named.paths, path), append(named.places, i)
		default:
			sources[id] = &source{File: file, paths: []string{path}, places: []int{i}}
		}
	}
	var group sync.WaitGroup
	for _, source := range sources {
		group.Go(func() {
			content, err := s.take(ctx, output, source)
			for i, place := range source.places {
				taken[place] = Taken{content, failure(source.paths[i], err)}
			}
		})
	}
	group.Wait()
	return taken
}

// source is an open file of a builder.
type source struct {
	*os.File
	paths  []string // its names
	places []int    // of the paths among those of Take
}

// inode identifies a file.
type inode struct{ device, number uint64 }

func inodeOf(info fs.FileInfo) inode {
	stat, _ := info.Sys().(*syscall.Stat_t)
	return inode{stat.Dev, stat.Ino}
}

// failure returns the error for a path of a file.
func failure(path string, err error) error {
	if problem, ok := errors.AsType[*FileError](err); ok {
		return &FileError{path, problem.Problem}
	}
	if err != nil {
		return fmt.Errorf("store file %q: %w", path, err)
	}
	return nil
}

func (s *Store) take(ctx context.Context, output *os.Root, source *source) (Content, error) {
	defer func() { _ = source.Close() }() // only read from
	leased, err := s.lease(ctx, source)
	if err != nil {
		return Content{}, err
	}
	select {
	case s.readers <- struct{}{}:
	case <-ctx.Done():
		return Content{}, ctx.Err()
	}
	defer func() { <-s.readers }()
	info, err := source.Stat()
	if err != nil {
		return Content{}, err
	}
	var content Content
	err = s.retryWithRoom(allocated(info, nil), func() error { // again from the open file, if it was moved and lost its name
		staged := s.ingest()
		var err error
		content, err = s.fill(ctx, staged, output, source, leased)
		if err == nil {
			err = s.keep(staged, content, len(source.paths))
		}
		if err != nil {
			return errors.Join(err, removeIfExists(staged))
		}
		return nil
	})
	if err != nil {
		return Content{}, err
	}
	return content, nil
}

// Add adds a content. write writes it to a new file, and compares it with its digest and its size; its error is that of Add. It is called
// again if the disk was full before. Remove does not remove the content until Release: Record it before. After an error, or a crash, the
// store has nothing of it.
func (s *Store) Add(content Content, write func(io.Writer) error) error {
	return s.retryWithRoom(content.SizeBytes, func() error {
		staged := s.ingest()
		if err := s.writeFile(staged, blobMode, write); err != nil {
			return err
		}
		if err := s.keep(staged, content, 1); err != nil {
			return errors.Join(err, removeIfExists(staged))
		}
		return nil
	})
}

// Release lets Remove remove contents that Take returned or Add added, each once, unless an artifact in the index has them.
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
func openSource(output *os.Root, path string) (*os.File, inode, error) {
	switch {
	case filepath.IsAbs(path):
		return nil, inode{}, &FileError{path, "is not a path relative to the output directory"}
	case strings.ContainsFunc(path, unicode.IsControl):
		return nil, inode{}, &FileError{path, "has a control character in its name"}
	case !filepath.IsLocal(path):
		return nil, inode{}, &FileError{path, "is outside the output directory"}
	}
	if info, err := output.Stat(path); err != nil {
		return nil, inode{}, openError(output, path, err)
	} else if err := checkRegular(path, info); err != nil {
		return nil, inode{}, err // opening it may have effects
	}
	file, err := output.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, inode{}, openError(output, path, err)
	}
	info, err := file.Stat()
	if err == nil {
		err = checkRegular(path, info)
	}
	if err != nil {
		return nil, inode{}, errors.Join(err, file.Close())
	}
	return file, inodeOf(info), nil
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
func openError(output *os.Root, path string, err error) error {
	errno, ok := errors.AsType[syscall.Errno](err)
	switch {
	case !ok: // an os.Root refuses absolute links, and others that lead out, without a call of the kernel
		return &FileError{path, escape(output, path)}
	case slices.Contains([]syscall.Errno{unix.EIO, unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EUCLEAN, unix.ESTALE, unix.EINTR}, errno):
		return err
	case errno == unix.ENOENT:
		if target, err := output.Readlink(path); err == nil {
			return &FileError{path, fmt.Sprintf("is a dangling symbolic link to %q", target)}
		}
		return &FileError{path, "does not exist"}
	case errno == unix.ENOTDIR:
		return &FileError{path, "does not exist"}
	}
	return &FileError{path, "cannot be opened: " + errno.Error()}
}

// maxLinks is how many links of a path are followed, as many as Linux follows.
const maxLinks = 40

// escape returns how a path leaves the output directory, although it is relative: through which absolute link, or through others.
func escape(output *os.Root, path string) string {
	for range maxLinks {
		link, target := firstLink(output, path)
		if filepath.IsAbs(target) {
			return fmt.Sprintf("leads through an absolute symbolic link, to %q: copy the file, or make the link relative within the directory", target)
		}
		if link == "" {
			break
		}
		path = filepath.Join(filepath.Dir(link), target, strings.TrimPrefix(path, link))
	}
	return "leads outside the output directory"
}

// firstLink returns the first name in a clean path that is a symbolic link, and its target.
func firstLink(output *os.Root, path string) (link, target string) {
	parts := strings.Split(path, "/")
	for i := range parts {
		link = strings.Join(parts[:i+1], "/")
		if target, err := output.Readlink(link); err == nil {
			return link, target
		}
	}
	return "", ""
}

// lease asks the kernel to let no process open the file for writing until the file is closed. It waits for a process that has it open
// for writing. It returns false if the file system has no leases.
func (s *Store) lease(ctx context.Context, file *source) (bool, error) {
	for deadline := s.clock.Now().Add(writerLimit); ; {
		_, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
		switch {
		case err == nil:
			return true, nil
		case !errors.Is(err, unix.EAGAIN):
			return false, nil
		case !s.clock.Now().Before(deadline):
			return false, &FileError{file.paths[0], "is still being written"}
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-s.clock.After(writerRetry):
		}
	}
}

// fill moves or copies a file to a path of the store, makes it durable, and identifies its content.
func (s *Store) fill(ctx context.Context, staged string, output *os.Root, source *source, leased bool) (Content, error) {
	before, err := source.Stat()
	if err != nil {
		return Content{}, err
	}
	file := source.File
	moves := func(path string) bool { return move(output, path, staged, before) }
	if !leased || !slices.ContainsFunc(source.paths, moves) {
		if file, err = os.OpenFile(staged, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err != nil {
			return Content{}, err
		}
		defer func() { _ = file.Close() }() // a fault was found when it was flushed
		if err := copyData(ctx, file, source.File, before.Size()); err != nil {
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
	if content.SizeBytes != before.Size() || changed(before, after) || leased && !leaseHeld(source.File) {
		return Content{}, &FileError{source.paths[0], "changed while it was read"}
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
	content, err := identify(ctx, file)
	if err != nil {
		return Content{}, err
	}
	select {
	case err := <-flushed:
		return content, err
	case <-ctx.Done():
		return Content{}, ctx.Err()
	}
}

// Identify returns the digest and the size of a file in the output directory of a builder, in which nothing can change any more. The path
// is relative to the directory, and the file may be a symbolic link to a file in the directory. A file that the builder must not or cannot
// have meant is a *FileError.
func Identify(ctx context.Context, output *os.Root, path string) (Content, error) {
	file, _, err := openSource(output, path)
	if err != nil {
		return Content{}, err
	}
	defer func() { _ = file.Close() }() // only read from
	content, err := identify(ctx, file)
	if err != nil {
		return Content{}, fmt.Errorf("read file %q: %w", path, err)
	}
	return content, nil
}

// identify reads a file.
func identify(ctx context.Context, file *os.File) (Content, error) {
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
			return Content{Digest: digest.NewDigest(digest.SHA256, hash).String(), SizeBytes: size}, nil
		case err != nil:
			return Content{}, err
		}
	}
}

// keep makes a complete file of ingestDir a blob, which is taken for several paths.
func (s *Store) keep(staged string, content Content, paths int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.adopt(staged, content); err != nil {
		return err
	}
	if err := s.syncDir(s.blobs()); err != nil {
		return err
	}
	s.taken[content.Digest] += paths
	return nil
}

func removeIfExists(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
