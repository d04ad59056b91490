// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"goldsmith.dev/goldsmith/cmd/internal/builders/document"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// read reads the registered builders: a file is a builder, or a document with builders if its name ends with .yaml. Hidden files are not
// builders: a mounted ConfigMap keeps its versions in them.
func read(directory string) (map[string]inputs.Builder, error) {
	if directory == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, fmt.Errorf("--builders-directory: %w", err)
	}
	builders := map[string]inputs.Builder{}
	var problems []error
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		found, err := readFile(directory, entry.Name())
		if err != nil {
			problems = append(problems, err)
			continue
		}
		for name, builder := range found {
			if _, twice := builders[name]; twice {
				problems = append(problems, fmt.Errorf("--builders-directory: %s: builder %q: the directory has this name twice: choose another name", entry.Name(), name))
			}
			builders[name] = builder
		}
	}
	return builders, errors.Join(problems...)
}

// readFile returns the builders of a file.
func readFile(directory, name string) (map[string]inputs.Builder, error) {
	if filepath.Ext(name) != document.Extension {
		image, err := readOne(directory, name)
		if err != nil {
			return nil, fmt.Errorf("--builders-directory: builder %q: %w", name, err)
		}
		return map[string]inputs.Builder{name: {Image: image}}, nil
	}
	content, err := os.ReadFile(filepath.Join(directory, name))
	if err != nil {
		return nil, fmt.Errorf("--builders-directory: %w", err)
	}
	declared, err := document.DecodeImages(content)
	if err != nil {
		return nil, errors.Join(document.Within("--builders-directory: "+name, err)...)
	}
	builders := map[string]inputs.Builder{}
	for name, builder := range declared {
		builders[name] = inputs.Builder{Image: builder.Image, Description: builder.Description, Capabilities: builder.Capabilities}
	}
	return builders, nil
}

func readOne(directory, name string) (image string, err error) {
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
		return "", fmt.Errorf("the name: %s", strings.Join(problems, "; "))
	}
	content, err := os.ReadFile(filepath.Join(directory, name))
	if err != nil {
		return "", err
	}
	image = strings.TrimSpace(string(content))
	return image, document.CheckImage(image)
}
