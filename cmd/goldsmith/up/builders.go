// SPDX-License-Identifier: Apache-2.0

package up

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// mockName is the builder that is always there.
const mockName = "mock"

// parseBuilders reads name=/path pairs, and checks that each path can be run.
func parseBuilders(pairs []string) (map[string]string, error) {
	builders := map[string]string{}
	for _, pair := range pairs {
		name, path, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("--builder %q: must be name=/absolute/path", pair)
		}
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return nil, fmt.Errorf("--builder %q: the name %q: %s", pair, name, strings.Join(problems, "; "))
		}
		if name == mockName {
			return nil, fmt.Errorf("--builder %q: %s is always there and cannot be replaced", pair, mockName)
		}
		if _, twice := builders[name]; twice {
			return nil, fmt.Errorf("--builder %q: %s is given twice", pair, name)
		}
		if err := checkExecutable(path); err != nil {
			return nil, fmt.Errorf("--builder %q: %w", pair, err)
		}
		builders[name] = path
	}
	return builders, nil
}

func checkExecutable(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("the path %q is not absolute", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s is not an executable file", path)
	}
	return nil
}
