// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// writeDigest writes the digest of the tools in a directory into their file Digest.
func writeDigest(directory string) (err error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	all := sha256.New()
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return digestEntry(all, root, name, entry)
	})
	if err != nil {
		return fmt.Errorf("compute the digest of the tools: %w", err)
	}
	return put(root, Digest[1:], fmt.Sprintf("sha256:%x\n", all.Sum(nil)), fileMode)
}

// digestEntry adds a file with its name, its mode and its content, but without its time.
func digestEntry(all io.Writer, root *os.Root, name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	content := sha256.New()
	switch {
	case entry.Type() == fs.ModeSymlink:
		target, err := root.Readlink(name)
		if err != nil {
			return err
		}
		_, _ = io.WriteString(content, target) // a hash has no errors
	case entry.Type().IsRegular():
		file, err := root.Open(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(content, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(all, "%s %q %x\n", info.Mode(), name, content.Sum(nil))
	return err
}
