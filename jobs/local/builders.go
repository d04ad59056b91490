// SPDX-License-Identifier: Apache-2.0

package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"goldsmith.dev/goldsmith/jobs/render"
)

// MaxArgument is the maximum length of an argument of a builder and of the value of a variable, in bytes. Linux starts no process with one
// of 128 KiB, which the name of a variable is a part of.
const MaxArgument = 64 << 10

// EnvVar is a variable of a builder's environment.
type EnvVar struct {
	// Name is the name of the variable.
	Name string
	// Value is the value, if File is empty.
	Value string
	// File is the absolute path of a file with the value, which is read at each start of the builder. One line break at its end is not
	// part of the value.
	File string
}

// Reserved reports whether the agent sets a variable of this name, or may do so in the future.
func Reserved(name string) bool {
	return strings.HasPrefix(name, render.EnvPrefix) || name == envTemporary
}

// envTemporary names the directory for temporary files.
const envTemporary = "TMPDIR"

// Read returns the value of the variable. The error names the variable and its file, but no part of the value.
func (v EnvVar) Read() (string, error) {
	if v.File == "" {
		return v.Value, nil
	}
	value, err := readEnvFile(v.File)
	if err != nil {
		return "", fmt.Errorf("read variable %s from %s: %w", v.Name, v.File, err)
	}
	return value, nil
}

func readEnvFile(path string) (string, error) {
	// Stat waits for nothing, but opening a named pipe does.
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	var file *os.File
	if err == nil {
		file, err = os.Open(path)
	}
	if err != nil {
		if named, ok := errors.AsType[*fs.PathError](err); ok {
			err = named.Err // the caller names the path
		}
		return "", err
	}
	defer func() { _ = file.Close() }() // only read from
	content, err := io.ReadAll(io.LimitReader(file, MaxArgument+1))
	switch {
	case err != nil:
		return "", err
	case len(content) > MaxArgument:
		return "", fmt.Errorf("it is larger than %d KiB", MaxArgument>>10)
	case bytes.IndexByte(content, 0) >= 0:
		return "", errors.New("it has a zero byte, which no variable can have")
	}
	if line, ended := bytes.CutSuffix(content, []byte("\r\n")); ended {
		return string(line), nil
	}
	return strings.TrimSuffix(string(content), "\n"), nil
}

// environment returns the builder's own variables.
func (b Builder) environment() ([]string, error) {
	var environment []string
	for _, variable := range b.Env {
		value, err := variable.Read()
		if err != nil {
			return nil, err
		}
		environment = append(environment, variable.Name+"="+value)
	}
	return environment, nil
}

// SetBuilders replaces the builders. Processes that run are not affected. Each pod that starts later gets the builder as it is then, and
// a pod whose builder is no longer registered fails.
func (a *Agent) SetBuilders(builders map[string]Builder) error {
	limits := map[string]int{}
	for name, builder := range builders {
		if !filepath.IsAbs(builder.Path) {
			return fmt.Errorf("local agent: builder %s: the path %q is not absolute", name, builder.Path)
		}
		for _, variable := range builder.Env {
			if Reserved(variable.Name) {
				return fmt.Errorf("local agent: builder %s: the agent sets the variable %s", name, variable.Name)
			}
		}
		if builder.Workers > 0 {
			limits[name] = builder.Workers
		}
	}
	builders = maps.Clone(builders)
	a.builders.Store(&builders)
	a.workers.limit(limits)
	return nil
}
