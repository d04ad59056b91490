// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"goldsmith.dev/goldsmith/jobs/inputs"
)

// read reads a file for each registered builder. Hidden files are not builders: a mounted ConfigMap keeps its
// versions in them.
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
		image, err := readOne(directory, entry.Name())
		if err != nil {
			problems = append(problems, fmt.Errorf("--builders-directory: builder %q: %w", entry.Name(), err))
			continue
		}
		builders[entry.Name()] = inputs.Builder{Image: image}
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
	switch {
	case image == "":
		return "", errors.New("the file is empty: it should hold the reference of a container image")
	case strings.ContainsFunc(image, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("the content %q is not the reference of one container image", image)
	default:
		return image, nil
	}
}
