// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var (
	kindLabelPath     = fieldpath.MakePathOrDie("metadata", "labels", v1alpha1.ImageKindLabel)
	revisionLabelPath = fieldpath.MakePathOrDie("metadata", "labels", v1alpha1.ImageKindRevisionLabel)
)

// LabelPaths returns the paths, in the managed fields of an Image, of the labels that its kind sets itself.
func LabelPaths() *fieldpath.Set { return fieldpath.NewSet(kindLabelPath, revisionLabelPath) }

// ViewPath returns the path in the metadata of a view for a path in the metadata of its Image. It returns false if the view does
// not have it.
func ViewPath(path fieldpath.Path, view *metav1.ObjectMeta) (fieldpath.Path, bool) {
	if len(path) == 0 || len(path) > 2 || path[0].FieldName == nil {
		return path, true
	}
	switch name := *path[0].FieldName; {
	case len(path) == 1: // an owner of labels that the view does not show would be in conflict with everybody who applies the first one
		return path, !isAbsent(view, name)
	case name == "finalizers" && path[1].Value != nil:
		finalizer := *path[1].Value
		return path, !finalizer.IsString() || !slices.Contains(imageFinalizers, finalizer.AsString())
	case separateKeys(name) != nil && path[1].FieldName != nil:
		key, visible := viewKey(*path[1].FieldName, separateKeys(name))
		return fieldpath.Path{path[0], fieldpath.FieldNameElement(key)}, visible
	}
	return path, true
}

// isAbsent reports whether a view lacks a field of the metadata that its Image can have.
func isAbsent(view *metav1.ObjectMeta, name string) bool {
	switch name {
	case "labels":
		return len(view.Labels) == 0
	case "annotations":
		return len(view.Annotations) == 0
	case "finalizers":
		return len(view.Finalizers) == 0
	}
	return false
}

// ImagePath returns the path in the metadata of an Image for a path in the metadata of a view.
func ImagePath(path fieldpath.Path) fieldpath.Path {
	if len(path) != 2 || path[0].FieldName == nil || path[1].FieldName == nil || separateKeys(*path[0].FieldName) == nil {
		return path
	}
	return fieldpath.Path{path[0], fieldpath.FieldNameElement(imageKey(*path[1].FieldName, separateKeys(*path[0].FieldName)))}
}

// separateKeys returns the keys that are kept apart in a field of the metadata.
func separateKeys(name string) []string {
	switch name {
	case "labels":
		return apartLabels
	case "annotations":
		return apartAnnotations
	}
	return nil
}

// ownMetadata is what the kind itself owns in the metadata of nearly every Image. A view shows none of it.
const ownMetadata = `{"f:labels":{"f:` + v1alpha1.ImageKindLabel + `":{},"f:` + v1alpha1.ImageKindRevisionLabel + `":{}}}`

// AppendOwned appends the JSON of the paths in the metadata of a view, for those in the metadata of its Image. Most have no key that is
// kept apart, and are the same. It returns false if the view shows none.
func AppendOwned(to []byte, image string, view *metav1.ObjectMeta) ([]byte, bool, error) {
	if image == "" || image == "{}" || image == ownMetadata {
		return to, false, nil
	}
	if !mayBeApart(image) && !ownsAbsent(image, view) {
		return append(to, image...), true, nil
	}
	paths, shown := fieldpath.NewSet(), fieldpath.NewSet()
	if paths.FromJSON(strings.NewReader(image)) != nil {
		return to, false, nil //nolint:nilerr // a text that cannot be read shows nothing
	}
	for path := range paths.All() {
		if path, visible := ViewPath(path, view); visible {
			shown.Insert(path)
		}
	}
	if shown.Empty() {
		return to, false, nil
	}
	text, err := shown.ToJSON()
	return append(to, text...), true, err
}

// ownsAbsent reports whether a text can have a field that the view lacks.
func ownsAbsent(text string, view *metav1.ObjectMeta) bool {
	return slices.ContainsFunc([]string{"labels", "annotations", "finalizers"}, func(name string) bool {
		return isAbsent(view, name) && strings.Contains(text, `"f:`+name+`"`)
	})
}

// mayBeApart reports whether a text can have a key that is kept apart, or a finalizer that a view does not show.
func mayBeApart(text string) bool {
	contains := func(key string) bool {
		prefix, _, _ := strings.Cut(key, "/")
		return strings.Contains(text, prefix)
	}
	return strings.Contains(text, `\u`) || slices.ContainsFunc(apartLabels, contains) || slices.ContainsFunc(apartAnnotations, contains) ||
		slices.ContainsFunc(imageFinalizers, contains)
}
