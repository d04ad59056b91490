// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Files validates the paths of files, and their size together.
func Files(files map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	directories := inputs.Directories(files)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := inputs.ValidFileName(name); err != nil {
			errs = append(errs, field.Invalid(path.Key(name), name, err.Error()))
		}
		if other, isDirectory := directories[name]; isDirectory {
			errs = append(errs, field.Invalid(path.Key(name), name, fmt.Sprintf("is a file and a directory, because of %q: rename one of the two", other)))
		}
	}
	if size := inputs.SourceBytes(files); size > inputs.MaxSourceBytes {
		errs = append(errs, field.Invalid(path, fmt.Sprintf("%d bytes", size),
			fmt.Sprintf("must be at most %d bytes of JSON in all: let the builder fetch larger files", inputs.MaxSourceBytes)))
	}
	return errs
}
