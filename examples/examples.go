// SPDX-License-Identifier: Apache-2.0

// Package examples holds the example manifests of this folder, so that a program can show them where there is no checkout.
package examples

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed *.yaml
var manifests embed.FS

// Write writes each example to a file of its own in a directory that exists. It overwrites files of the same names.
func Write(directory string) error {
	names, err := fs.Glob(manifests, "*.yaml")
	if err != nil {
		return fmt.Errorf("list the examples: %w", err)
	}
	for _, name := range names {
		content, err := manifests.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read the example %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
			return fmt.Errorf("write the example %s: %w", name, err)
		}
	}
	return nil
}
