// SPDX-License-Identifier: Apache-2.0

package client

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Next steps for files that are no manifests.
const (
	// NoManifest is for a file without an apiVersion and a kind, such as a template of Packer.
	NoManifest = "a manifest is YAML or JSON with apiVersion: " + v1alpha1.GroupName + "/v1alpha1 and kind: Image; templates of other tools, such as Packer, are none: " +
		"`goldsmith init NAME` writes a manifest"
	// TabInYAML is for a file with a character that YAML does not allow there.
	TabInYAML = "YAML indents with spaces, and not with tabs; quote a value that begins with @ or `"
)

// fileError returns the error for an argument that names a file, where the verb takes a name; nil for any other argument.
func fileError(argument, verb string) error {
	if !slices.Contains([]string{".yaml", ".yml", ".json", ".hcl"}, strings.ToLower(filepath.Ext(argument))) {
		return nil
	}
	if info, err := os.Stat(argument); err != nil || info.IsDir() {
		return nil //nolint:nilerr // it is a name
	}
	next := "`goldsmith kubectl apply -f FILE` creates its images"
	if verb == "plan" {
		next = "use -f FILE"
	}
	return fmt.Errorf("%s is a file, but %s takes a name here: %s", argument, verb, next)
}
