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
	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// read reads the registered builders: a file has the container image of a builder, or is a document with builders if its name ends with
// .yaml. A document can also describe the builder of another file. Hidden files are not builders: a mounted ConfigMap keeps its
// versions in them.
func read(directory string) (map[string]inputs.Builder, error) {
	if directory == "" {
		return nil, nil
	}
	files, err := os.ReadDir(directory)
	if err != nil {
		return nil, fmt.Errorf("--builders-directory: %w", err)
	}
	builders, entries, declared := map[string]inputs.Builder{}, map[string]string{}, map[string]string{}
	var described []string
	var problems []error
	for _, file := range files {
		name := file.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case filepath.Ext(name) == document.Extension:
			described = append(described, name)
		default:
			image, err := readOne(directory, name)
			if err != nil {
				problems = append(problems, fmt.Errorf("--builders-directory: builder %q: %w", name, err))
				continue
			}
			entries[name], builders[name] = image, inputs.Builder{Image: image}
		}
	}
	for _, file := range described {
		content, err := os.ReadFile(filepath.Join(directory, file))
		if err != nil {
			problems = append(problems, fmt.Errorf("--builders-directory: %w", err))
			continue
		}
		found, err := document.DecodeImages(content, entries)
		if err != nil {
			problems = append(problems, documents.Within("--builders-directory: "+file, err)...)
		}
		for name, builder := range found {
			if other, twice := declared[name]; twice {
				problems = append(problems, fmt.Errorf("--builders-directory: %s: builder %q: name: is also set in %s: choose another name", file, name, other))
			}
			declared[name] = file
			builders[name] = inputs.Builder{
				Image: builder.Image, Description: builder.Description, Reports: builder.Reports, Capabilities: builder.Capabilities, Placement: builder.Placement,
			}
		}
	}
	return builders, errors.Join(problems...)
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
