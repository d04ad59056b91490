// SPDX-License-Identifier: Apache-2.0

// Package sourcefiles is for builders written in Go: it reads the directory with the files of a source from Git or a registry.
package sourcefiles

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"

	"goldsmith.dev/goldsmith/jobs/render"
)

// File is a regular file, a symbolic link or an empty directory.
type File struct {
	// Name is its path in the source, with slashes.
	Name string
	// Type is 0, fs.ModeSymlink or fs.ModeDir.
	Type fs.FileMode
	// Executable is whether a regular file is executable.
	Executable bool
	// Size is the size of a regular file in bytes.
	Size int64
	// Target is what a symbolic link has: a path relative to its directory.
	Target string
}

// Source is the directory of a source, which does not change.
type Source struct {
	root *os.Root
	// Files are in a fixed order.
	Files []File
}

// Open lists the files of the source of a build. There is no directory for a builder that only resolves packages.
func Open(getenv func(string) string) (*Source, error) {
	directory := getenv(render.EnvSource)
	if directory == "" {
		return nil, fmt.Errorf("the input has a source, but $%s is not set", render.EnvSource)
	}
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, fmt.Errorf("read the source: %w", err)
	}
	s := &Source{root: root}
	if err := s.list("."); err != nil {
		return nil, fmt.Errorf("read the source: %w", errors.Join(err, s.Close()))
	}
	return s, nil
}

// Close ends reading. A nil Source has nothing to close.
func (s *Source) Close() error {
	if s == nil {
		return nil
	}
	return s.root.Close()
}

func (s *Source) list(directory string) error {
	entries, err := fs.ReadDir(s.root.FS(), directory)
	if err != nil {
		return err
	}
	if len(entries) == 0 && directory != "." {
		s.Files = append(s.Files, File{Name: directory, Type: fs.ModeDir})
	}
	for _, entry := range entries {
		file := File{Name: path.Join(directory, entry.Name()), Type: entry.Type()}
		switch file.Type {
		case fs.ModeDir:
			err = s.list(file.Name)
		case fs.ModeSymlink:
			file.Target, err = s.root.Readlink(file.Name)
			s.Files = append(s.Files, file)
		case 0:
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				file.Size, file.Executable = info.Size(), info.Mode().Perm()&0o100 != 0
				s.Files = append(s.Files, file)
			}
		default:
			err = fmt.Errorf("%s is neither a file nor a directory nor a symbolic link", file.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Open opens a file of the source. It follows symbolic links, but none that lead out of the source.
func (s *Source) Open(name string) (io.ReadCloser, error) {
	file, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", name)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Readlink returns the target of a symbolic link of the source. ok is false if there is no such link.
func (s *Source) Readlink(name string) (target string, ok bool) {
	target, err := s.root.Readlink(name)
	return target, err == nil
}

// Digest returns a digest of files of the source: of their names, types and contents. Two sources with the same files have the same one.
func (s *Source) Digest(ctx context.Context, files []File) (string, error) {
	all := sha256.New()
	for i := range files {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if err := s.digest(all, &files[i]); err != nil {
			return "", fmt.Errorf("read the source: %w", err)
		}
	}
	return "sha256:" + hex.EncodeToString(all.Sum(nil)), nil
}

// digest adds a line for a file.
func (s *Source) digest(all hash.Hash, file *File) error {
	content := sha256.New()
	if file.Type == 0 {
		opened, err := s.Open(file.Name)
		if err != nil {
			return err
		}
		_, err = io.Copy(content, opened)
		if err := errors.Join(err, opened.Close()); err != nil {
			return err
		}
	}
	return json.NewEncoder(all).Encode(struct {
		Name, Target []byte // which need not be UTF-8
		Type         fs.FileMode
		Executable   bool
		Content      []byte
	}{[]byte(file.Name), []byte(file.Target), file.Type, file.Executable, content.Sum(nil)})
}
