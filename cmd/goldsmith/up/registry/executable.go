// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/cmd/internal/documents"
)

// checkExecutable reports why a path does not name a file that this user can run.
func checkExecutable(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("path %q must be absolute", path)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: let the user of the server enter the directories above it", path, documents.WithoutPath(err))
	case err != nil:
		return fmt.Errorf("%s: %w: correct the path", path, documents.WithoutPath(err))
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s is not an executable file: make it one with chmod +x, or correct the path", path)
	case !canExecute(path):
		return fmt.Errorf("%s cannot be executed by the user of the server: allow it with chmod a+rx, or move it from a file system that is mounted with noexec", path)
	}
	return checkFormat(path)
}

func canExecute(path string) bool {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS) == nil
}

// maxFirstLine is how much of the first line of a script Linux reads.
const maxFirstLine = 256

// checkFormat reports a script that the kernel cannot start. Other formats are not text: which of them it starts depends on the machine.
func checkFormat(path string) error {
	file, err := documents.OpenRegular(os.OpenFile, path, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil // a program can be executed without being read
	}
	if err != nil {
		return fmt.Errorf("%s: %w: correct the path", path, documents.WithoutPath(err))
	}
	defer func() { _ = file.Close() }() // only read from
	start, err := io.ReadAll(io.LimitReader(file, maxFirstLine))
	if err != nil {
		return fmt.Errorf("%s: %w: replace the file", path, documents.WithoutPath(err))
	}
	line, isScript := bytes.CutPrefix(start, []byte("#!"))
	if !isScript && bytes.IndexByte(start, 0) < 0 {
		return fmt.Errorf("%s is not a program: begin a script with a line such as #!/bin/sh", path)
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	interpreter, _, _ := bytes.Cut(bytes.TrimLeft(line, " \t"), []byte(" "))
	interpreter, _, _ = bytes.Cut(interpreter, []byte("\t"))
	if isScript && !canExecute(string(interpreter)) {
		return fmt.Errorf("%s has a first line with an interpreter that cannot be executed, %q: correct the line", path, interpreter)
	}
	return nil
}
