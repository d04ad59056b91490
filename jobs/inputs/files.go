// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// MaxSourceBytes is the limit of SourceBytes.
const MaxSourceBytes = 64 << 10

const (
	// maxFileNameBytes leaves 1 KiB of PATH_MAX, which includes the NUL, for the directory into which a builder writes the files.
	maxFileNameBytes = 4096 - 1 - 1<<10
	// maxFileNameElement is NAME_MAX.
	maxFileNameElement = 255
)

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

// ValidFileName returns why the name of a file is invalid, or nil. A valid name is a relative path that every Linux file
// system can hold below a directory, and that a terminal can print: at most 3071 bytes of UTF-8, without unprintable characters. Each element has 1 to 255 bytes, and is neither "." nor "..".
func ValidFileName(name string) error {
	switch {
	case name == "":
		return errors.New("must not be empty")
	case len(name) > maxFileNameBytes:
		return fmt.Errorf("must have at most %d bytes", maxFileNameBytes)
	case strings.HasPrefix(name, "/"):
		return errors.New("must be a relative path")
	case !utf8.ValidString(name):
		return errors.New("must be UTF-8")
	case !v1alpha1.Printable(name):
		return errors.New("must be printable: remove control characters, and characters that are invisible or change the direction of text")
	}
	for element := range strings.SplitSeq(name, "/") {
		switch {
		case element == "":
			return errors.New("must not have an empty element")
		case element == ".", element == "..":
			return fmt.Errorf("must not have an element %q", element)
		case len(element) > maxFileNameElement:
			return fmt.Errorf("must not have an element of more than %d bytes", maxFileNameElement)
		}
	}
	return nil
}

// Directories returns the names of files that are also directories of other files, each with one of these. No file system
// can hold both.
func Directories(files map[string]string) map[string]string {
	directories := map[string]string{}
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(files))) {
		for end, character := range name {
			if character != '/' {
				continue
			}
			if _, isFile := files[name[:end]]; isFile {
				directories[name[:end]] = name
			}
		}
	}
	return directories
}
