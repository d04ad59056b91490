// SPDX-License-Identifier: Apache-2.0

// Package gofiles renders templates of Go files and writes them: all files or, if one of them exists, none.
package gofiles

import (
	"bytes"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// File is a file to be written.
type File struct {
	// Path is relative to the directory that is scaffolded into.
	Path    string
	Content []byte
	// Replaces is whether the file exists, and is to be replaced.
	Replaces bool
}

// Render makes a Go file of a template. A license, such as Apache-2.0, is named in its first line.
func Render(templates fs.FS, name, license string, data any) ([]byte, error) {
	parsed, err := template.New(filepath.Base(name)).ParseFS(templates, name)
	if err != nil {
		return nil, fmt.Errorf("read the template %s: %w", name, err)
	}
	var text bytes.Buffer
	if license != "" {
		fmt.Fprintf(&text, "// SPDX-License-Identifier: %s\n\n", license)
	}
	if err := parsed.Execute(&text, data); err != nil {
		return nil, fmt.Errorf("fill in the template %s: %w", name, err)
	}
	formatted, err := format.Source(text.Bytes())
	if err != nil {
		return nil, fmt.Errorf("format the template %s: %w", name, err)
	}
	return formatted, nil
}

// Write writes files below a directory. If a new file exists already, nothing is written, and the error names every such
// file.
func Write(directory string, files []File) error {
	var there []string
	for _, file := range files {
		switch _, err := os.Lstat(filepath.Join(directory, file.Path)); {
		case file.Replaces:
		case err == nil:
			there = append(there, file.Path)
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("look for %s: %w", file.Path, err)
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("nothing is written, because there is already:\n\t%s", strings.Join(there, "\n\t"))
	}
	for _, file := range files {
		path := filepath.Join(directory, file.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil { //nolint:gosec // the user's umask decides, as for any source code
			return fmt.Errorf("write %s: %w", file.Path, err)
		}
		if err := os.WriteFile(path, file.Content, 0o666); err != nil { //nolint:gosec // the same
			return fmt.Errorf("write %s: %w", file.Path, err)
		}
	}
	return nil
}
