// SPDX-License-Identifier: Apache-2.0

package kept

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/builders/debian/flock"
)

// Store is a directory with compressed contents by key. The name of a file is its key, a dot, and the SHA-256 of the file. A file whose name ends in
// unfinished is being written, by the process that has its lock.
type Store struct {
	// Directory is made when it is needed.
	Directory string
	// Max is how many bytes the files may occupy. The files that were not used for the longest time are removed first.
	Max int64
}

const (
	unfinished = ".unfinished"
	lockName   = "lock"
)

var (
	entryName = regexp.MustCompile(`\A[0-9a-f]{64}\.([0-9a-f]{64})\z`)

	errTooLarge = errors.New("it is larger than the limit of the cache")
)

// DamagedError reports a file that does not have the digest of its name. It has been removed.
type DamagedError struct{ Name string }

func (e *DamagedError) Error() string { return e.Name + " is damaged, and was removed" }

// Open returns the file of a key, of which every byte has been compared with the digest, and the digest. Its removal by others does not affect the
// open file. The error is fs.ErrNotExist if there is none.
func (s *Store) Open(key string) (file *os.File, digest string, err error) {
	file, err = s.find(key)
	if err != nil {
		return nil, "", err
	}
	want := entryName.FindStringSubmatch(filepath.Base(file.Name()))[1]
	found := sha256.New()
	_, err = io.Copy(found, file)
	if err == nil && hex.EncodeToString(found.Sum(nil)) != want {
		err = errors.Join(&DamagedError{filepath.Base(file.Name())}, os.Remove(file.Name()))
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, "", errors.Join(err, file.Close())
	}
	return file, "sha256:" + want, nil
}

// find opens the file of a key, and marks it as used.
func (s *Store) find(key string) (*os.File, error) {
	if _, err := os.Stat(s.Directory); err != nil {
		return nil, err
	}
	release, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer release()
	entries, err := s.entries()
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), key+".") {
			path := filepath.Join(s.Directory, entry.Name())
			now := time.Now()
			if err := os.Chtimes(path, now, now); err != nil {
				return nil, err
			}
			return os.Open(path)
		}
	}
	return nil, fmt.Errorf("key %s: %w", key, fs.ErrNotExist)
}

// Add compresses a content and keeps it under a key, instead of what the key had. After an error, of the content or of the disk, nothing is
// left of it.
func (s *Store) Add(key string, content io.Reader) (digest string, size int64, err error) {
	file, err := s.create()
	if err != nil {
		return "", 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
		err = errors.Join(err, file.Close()) // releases its lock
	}()
	sum := sha256.New()
	limited := &limitedWriter{to: io.MultiWriter(file, sum), left: s.Max}
	encoder, err := zstd.NewWriter(limited, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return "", 0, err
	}
	_, err = io.Copy(encoder, content)
	if closeErr := encoder.Close(); err == nil { // it repeats an error
		err = closeErr
	}
	if err != nil {
		return "", 0, err
	}
	digest = hex.EncodeToString(sum.Sum(nil))
	return "sha256:" + digest, s.Max - limited.left, s.finish(file.Name(), key, digest)
}

// create makes a file to write to, and removes those that killed processes have left.
func (s *Store) create() (*os.File, error) {
	if err := os.MkdirAll(s.Directory, 0o700); err != nil {
		return nil, err
	}
	release, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer release()
	left, err := filepath.Glob(filepath.Join(s.Directory, "*"+unfinished))
	if err != nil {
		return nil, err
	}
	for _, path := range left {
		if err := removeUnlocked(path); err != nil {
			return nil, err
		}
	}
	file, err := os.CreateTemp(s.Directory, "*"+unfinished)
	if err == nil {
		err = flock.Lock(file, unix.LOCK_EX|unix.LOCK_NB)
	}
	return file, err
}

// removeUnlocked removes a file that no process is writing.
func removeUnlocked(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // releases the lock
	if flock.Lock(file, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	return os.Remove(path)
}

// finish gives a file its name, and removes what exceeds the limit.
func (s *Store) finish(path, key, digest string) error {
	release, err := s.lock()
	if err != nil {
		return err
	}
	defer release()
	others, err := filepath.Glob(filepath.Join(s.Directory, key+".*"))
	if err != nil {
		return err
	}
	for _, other := range others {
		if err := os.Remove(other); err != nil {
			return err
		}
	}
	if err := os.Rename(path, filepath.Join(s.Directory, key+"."+digest)); err != nil {
		return err
	}
	return s.evict()
}

// Trim removes what exceeds the limit.
func (s *Store) Trim() error {
	if _, err := os.Stat(s.Directory); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	release, err := s.lock()
	if err != nil {
		return err
	}
	defer release()
	return s.evict()
}

// evict removes the files that were not used for the longest time, until the others are within the limit.
func (s *Store) evict() error {
	entries, err := s.entries()
	if err != nil {
		return err
	}
	var size int64
	for _, entry := range entries { // the last used first
		if size += entry.Size(); size > s.Max {
			err = errors.Join(err, os.Remove(filepath.Join(s.Directory, entry.Name())))
		}
	}
	return err
}

// entries returns the files with contents, the last used first.
func (s *Store) entries() ([]fs.FileInfo, error) {
	names, err := os.ReadDir(s.Directory)
	if err != nil {
		return nil, err
	}
	var entries []fs.FileInfo
	for _, name := range names {
		if info, err := name.Info(); err == nil && info.Mode().IsRegular() && entryName.MatchString(name.Name()) {
			entries = append(entries, info)
		}
	}
	slices.SortFunc(entries, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	return entries, nil
}

// lock waits until no other process changes the names in the directory.
func (s *Store) lock() (release func(), err error) {
	file, err := os.OpenFile(filepath.Join(s.Directory, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock.Lock(file, unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil // releases the lock
}

// limitedWriter fails when more than the limit is written.
type limitedWriter struct {
	to   io.Writer
	left int64
}

func (w *limitedWriter) Write(text []byte) (int, error) {
	if w.left -= int64(len(text)); w.left < 0 {
		return 0, errTooLarge
	}
	return w.to.Write(text)
}
