// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"errors"
	"fmt"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"
)

// FullError reports that the disk of a store is full, even after the store removed what is not needed.
type FullError struct {
	// Dir is the directory of the store.
	Dir string
	// Free is how many bytes are free there, and Need how many the content needs, or 0 if that is unknown.
	Free, Need int64
	// Err is the error of the file system.
	Err error
}

func (e *FullError) Error() string {
	text := fmt.Sprintf("the disk of %s is full: %s free", e.Dir, humanize.IBytes(uint64(max(e.Free, 0))))
	if e.Need > 0 {
		text += fmt.Sprintf(", %s needed", humanize.IBytes(uint64(max(e.Need, 0))))
	}
	return text + ": free space there, or delete images or builds"
}

func (e *FullError) Unwrap() error { return e.Err }

// full reports whether an error is that of a disk, or of a quota, without room.
func full(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// WhenFull sets what makes room for so many bytes if the disk is full, and returns how many it has freed. It may call Remove. It must be set
// before the store is used.
func (s *Store) WhenFull(makeRoom func(bytes int64) (freed int64, err error)) { s.makeRoom = makeRoom }

// MakeRoom removes artifacts that are not needed until so many bytes of the disk are free, as far as it can. It returns how many it freed.
func (s *Store) MakeRoom(bytes int64) (freed int64, err error) {
	if s.makeRoom == nil {
		return 0, nil
	}
	return s.makeRoom(bytes)
}

// Free returns how many bytes of its disk a store can still use.
func (s *Store) Free() int64 {
	var stat unix.Statfs_t
	if err := unix.Statfs(s.dir, &stat); err != nil {
		return 0
	}
	return int64(stat.Bavail) * stat.Bsize //nolint:gosec // no disk has so many blocks
}

// retryWithRoom calls do, which needs so many bytes of the disk, and once more if the disk was full before room was made. It requires that s.mu
// is not held.
func (s *Store) retryWithRoom(bytes int64, do func() error) error {
	err := do()
	if full(err) {
		if freed, failed := s.MakeRoom(bytes); failed != nil {
			err = errors.Join(err, failed)
		} else if freed > 0 {
			err = do()
		}
	}
	if full(err) {
		return &FullError{Dir: s.dir, Free: s.Free(), Need: bytes, Err: err}
	}
	return err
}
