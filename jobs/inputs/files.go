// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"errors"
	"fmt"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// MaxSourceBytes is the limit of SourceBytes.
const MaxSourceBytes = 64 << 10

// maxFileNameBytes is the longest file name, the limit of most systems for a path within a directory.
const maxFileNameBytes = 1024

// Files are the files of a build by name, either resolved from a ConfigMap or inline.
func Files(inputs v1alpha1.BuildInputs, resolved *v1alpha1.ResolvedInputs) map[string]string {
	source := inputs.Source
	switch {
	case source == nil:
		return nil
	case source.ConfigMapRef != nil:
		if resolved == nil {
			return nil
		}
		return resolved.Files
	case source.Inline != nil:
		return source.Inline.Files
	}
	return nil
}

// SourceBytes is the size of files for the limit: the size of the canonical JSON object of names and contents.
func SourceBytes(files map[string]string) int {
	if len(files) == 0 {
		return len("{}")
	}
	return len(mustCanonicalJSON(files))
}

// ValidFileName returns why the name of a file is invalid, or nil. A valid name is a relative path of letters, digits, '-',
// '_', '.' and '/', at most 1024 characters long, whose elements are neither empty nor "." or "..".
func ValidFileName(name string) error {
	if name == "" {
		return errors.New("must not be empty")
	}
	if len(name) > maxFileNameBytes {
		return fmt.Errorf("must be no more than %d characters", maxFileNameBytes)
	}
	if strings.HasPrefix(name, "/") {
		return errors.New("must be a relative path")
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !fileNameRune(r) }) {
		return errors.New("must consist of letters, digits, '-', '_', '.' and '/'")
	}
	for element := range strings.SplitSeq(name, "/") {
		switch element {
		case "":
			return errors.New("must not have an empty element")
		case ".", "..":
			return fmt.Errorf("must not have an element %q", element)
		}
	}
	return nil
}

func fileNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./", r)
}
