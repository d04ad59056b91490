// SPDX-License-Identifier: Apache-2.0

package gofiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// library is the module that scaffolded code uses.
const library = "goldsmith.dev/goldsmith"

// Module is a Go module, seen from one of its directories.
type Module struct {
	// Directory is the directory of the scaffold, and Package its import path.
	Directory, Package string

	flags string // GOFLAGS
}

// FindModule returns the module that a directory belongs to, which must know the library.
func FindModule(ctx context.Context, directory string) (*Module, error) {
	absolute, err := filepath.Abs(directory)
	if err != nil {
		return nil, err
	}
	if absolute, err = filepath.EvalSymlinks(absolute); err != nil {
		return nil, err
	}
	m := &Module{Directory: absolute}
	given, err := m.Go(ctx, "env", "GOFLAGS")
	if err != nil {
		return nil, err
	}
	// Scaffolded files may import modules that go.mod and go.sum do not list yet.
	m.flags = strings.TrimSpace(given + " -mod=mod")
	file, err := m.Go(ctx, "env", "GOMOD")
	if err != nil {
		return nil, err
	}
	if file == "" || file == os.DevNull {
		return nil, errors.New("it belongs to no Go module: begin with go mod init")
	}
	name, err := m.Go(ctx, "list", "-m")
	if err != nil {
		return nil, err
	}
	below, err := filepath.Rel(filepath.Dir(file), absolute)
	if err != nil {
		return nil, err
	}
	m.Package = path.Join(name, filepath.ToSlash(below))
	if name != library {
		if _, err := m.Version(ctx, library); err != nil {
			return nil, fmt.Errorf("module %s does not use %s: begin with go get -tool %s/apiserver/scaffold", name, library, library)
		}
	}
	return m, nil
}

// Version returns the version of another module that this module uses.
func (m *Module) Version(ctx context.Context, other string) (string, error) {
	return m.Go(ctx, "list", "-m", "-f", "{{.Version}}", other)
}

// Go runs the go command in the directory and returns what it prints.
func (m *Module) Go(ctx context.Context, arguments ...string) (string, error) {
	var complaints bytes.Buffer
	output, err := m.run(ctx, &complaints, arguments...)
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", strings.Join(arguments, " "), err, strings.TrimSpace(complaints.String()))
	}
	return strings.TrimSpace(string(output)), nil
}

func (m *Module) run(ctx context.Context, complaints io.Writer, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir, command.Stderr = m.Directory, complaints
	if m.flags != "" {
		command.Env = append(os.Environ(), "GOFLAGS="+m.flags)
	}
	return command.Output()
}
