// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Provide makes a new file with a content of the store, which costs neither time nor space if the file system can share blocks, or if
// linked is set: then the file can be the store's own, so its reader must not be able to write to it. It returns fs.ErrNotExist if the
// store does not have the content.
func (s *Store) Provide(ctx context.Context, digest, path string, linked bool) error {
	blob, err := s.OpenBlob(digest)
	if err == nil {
		err = s.provide(ctx, blob, digest, path, linked)
		_ = blob.Close() // only read from
	}
	if err != nil {
		return fmt.Errorf("provide content %s: %w", digest, err)
	}
	return nil
}

func (s *Store) provide(ctx context.Context, blob *os.File, digest, path string, linked bool) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o400)
	if err != nil {
		return err
	}
	err = unix.IoctlFileClone(int(file.Fd()), int(blob.Fd()))
	if err == nil {
		return file.Close()
	}
	if linked {
		return errors.Join(file.Close(), os.Remove(path), os.Link(s.blob(digest), path))
	}
	info, err := blob.Stat()
	if err == nil {
		err = copyData(ctx, file, blob, info.Size())
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
