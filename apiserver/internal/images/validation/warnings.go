// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apiserver/internal/images"
)

// InputWarnings tells of inputs that are valid but probably not what was meant.
func InputWarnings(inputs *images.BuildInputs, path *field.Path) []string {
	source := inputs.Source
	switch {
	case source == nil:
		return nil
	case source.Inline == nil && source.ConfigMapRef == nil:
		return []string{fmt.Sprintf("%s: sets neither inline nor configMapRef, so the builder gets no files", path.Child("source"))}
	case source.Inline != nil && len(source.Inline.Files) == 0:
		return []string{fmt.Sprintf("%s: is empty, so the builder gets no files", path.Child("source", "inline", "files"))}
	}
	return nil
}
