// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Provide makes a new file with the content of an artifact that a build of the namespace made. That costs neither time nor space if the
// file system can share blocks, or if linked is set: then the file can be the store's own, so its reader must not be able to write to it.
// Provide returns fs.ErrNotExist if the store does not have the content, or has it only of builds in other namespaces.
func (s *Store) Provide(ctx context.Context, namespace, digest, path string, linked bool) error {
	if !s.hasArtifact(namespace, digest) {
		return fmt.Errorf("provide content %s of namespace %s: %w", digest, namespace, fs.ErrNotExist)
	}
	blob, err := s.OpenBlob(digest)
	if err == nil {
		err = s.retryWithRoom(allocated(blob.Stat()), func() error { return s.provide(ctx, blob, digest, path, linked) })
		_ = blob.Close() // only read from
	}
	if err != nil {
		return fmt.Errorf("provide content %s: %w", digest, err)
	}
	return nil
}

// hasArtifact reports whether a build of the namespace made an artifact with a content.
func (s *Store) hasArtifact(namespace, digest string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.records, func(r record) bool {
		return r.Build.Namespace == namespace && r.Artifact.Content.Digest == digest
	})
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
