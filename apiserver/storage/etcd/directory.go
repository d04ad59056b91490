// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"goldsmith.dev/goldsmith/apiserver/storage/filelock"
)

const (
	// maxSocketPath is the longest path that a unix socket can have.
	maxSocketPath = 107
	socketName    = "etcd.sock"
	// httpSocketName is the socket of etcd's metrics and health, which nothing uses. It is not longer than socketName.
	httpSocketName = "http.sock"
)

// claim creates the data directory and locks it while the server runs. The kernel releases the lock when the process ends,
// even if it is killed.
func (s *Server) claim(directory string) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	file, err := filelock.Take(filepath.Join(directory, lockName))
	if errors.Is(err, filelock.ErrHeld) {
		return fmt.Errorf("%s: %w", directory, ErrInUse)
	}
	if err != nil {
		return fmt.Errorf("claim the data directory: %w", err)
	}
	s.cleanup = append(s.cleanup, file.Close)
	return nil
}

// socketPath returns a path that is short enough for a socket, in a directory that only this user can enter.
func (s *Server) socketPath(dataDirectory string) (string, error) {
	directory := s.settings.socketDirectory
	if directory == "" {
		directory = filepath.Join(dataDirectory, "run")
	}
	directory, err := filepath.Abs(directory)
	if err != nil {
		return "", fmt.Errorf("find the socket directory: %w", err)
	}
	if len(filepath.Join(directory, socketName)) > maxSocketPath {
		if directory, err = s.temporaryDirectory(); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return "", fmt.Errorf("make the socket directory: %w", err)
	}
	if err := os.Chmod(directory, 0o700); err != nil {
		return "", fmt.Errorf("close the socket directory to other users: %w", err)
	}
	socket := filepath.Join(directory, socketName)
	if len(socket) > maxSocketPath {
		return "", fmt.Errorf("socket path %s is longer than %d bytes: set TMPDIR to a shorter directory", socket, maxSocketPath)
	}
	return socket, nil
}
