// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"strconv"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// ViewPath returns the path in an object of the kind for the path of a fault in its Image: spec.size for spec.parameters[3].value. It
// returns false if no field of the kind decides what the Image has there: the fault is in what the kind sets itself, or in a field that
// only the Image has.
func (k *Kind) ViewPath(image *v1alpha1.Image, path string) (string, bool) {
	if path == "metadata" || isBelow(path, "metadata") {
		return path, true
	}
	path = namedParameter(image, path)
	below := ""
	for _, b := range k.bindings {
		switch {
		case path == b.Target.Path || isBelow(path, b.Target.Path):
			return b.Leaf.Path, true
		case isBelow(b.Target.Path, path) && below != "":
			return "", false // several fields decide
		case isBelow(b.Target.Path, path):
			below = b.Leaf.Path
		}
	}
	return below, below != ""
}

// isBelow reports whether a path is that of a field or an item below another path.
func isBelow(path, parent string) bool {
	rest, found := strings.CutPrefix(path, parent)
	return found && rest != "" && strings.ContainsAny(rest[:1], ".[")
}

// namedParameter returns the path with the name of a parameter in place of its index.
func namedParameter(image *v1alpha1.Image, path string) string {
	const parameters = "spec.parameters["
	rest, found := strings.CutPrefix(path, parameters)
	number, rest, closed := strings.Cut(rest, "]")
	index, err := strconv.Atoi(number)
	if !found || !closed || err != nil || index < 0 || index >= len(image.Spec.Parameters) {
		return path
	}
	return parameters + image.Spec.Parameters[index].Name + "]" + rest
}
