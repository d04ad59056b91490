// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"io"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// An owner is the manager of fields, and how it set them. An object has at most one entry of an owner.
type owner struct {
	manager   string
	operation metav1.ManagedFieldsOperationType
}

func ownerOf(entry *metav1.ManagedFieldsEntry) owner { return owner{entry.Manager, entry.Operation} }

// readOwned returns the paths of an entry. It returns false for an entry that cannot be read.
func readOwned(entry *metav1.ManagedFieldsEntry) (*fieldpath.Set, bool) {
	if entry.FieldsV1 == nil {
		return fieldpath.NewSet(), true
	}
	return readPaths(entry.FieldsV1.GetRawReader())
}

// readPaths returns the paths in the text of an entry.
func readPaths(text io.Reader) (*fieldpath.Set, bool) {
	set := fieldpath.NewSet()
	return set, set.FromJSON(text) == nil
}

// isShown reports whether a view can show an entry of its Image: not the owners of a status, and not what another version of the API
// stored, whose paths are unknown.
func isShown(entry *metav1.ManagedFieldsEntry) bool {
	return entry.Subresource == "" && entry.APIVersion == v1alpha1.SchemeGroupVersion.String()
}

// viewOwners returns the managed fields of a view: those of the Image with paths that the view has. Entries without any are left out. view has
// the other metadata of the view.
func (k *Kind) viewOwners(image []metav1.ManagedFieldsEntry, view *metav1.ObjectMeta) ([]metav1.ManagedFieldsEntry, error) {
	var owners []metav1.ManagedFieldsEntry
	for i := range image {
		if !isShown(&image[i]) || image[i].FieldsV1 == nil {
			continue
		}
		p := &projection{text: image[i].FieldsV1.GetRawString()}
		if !p.read(k.owners) {
			continue
		}
		const metadata, spec = `"f:metadata":`, `"f:spec":`
		fields, shown, err := appendMetadata([]byte("{"+metadata), p.metadata, view)
		if err != nil {
			return nil, fmt.Errorf("write managed fields of %s: %w", image[i].Manager, err)
		}
		switch {
		case shown && len(p.owned) > 0:
			fields = append(fields, ","+spec...)
		case !shown && len(p.owned) > 0:
			fields = append(fields[:0], "{"+spec...)
		case !shown:
			continue
		}
		if len(p.owned) > 0 {
			fields = appendOwned(fields, k.fields, p.owned)
		}
		owners = append(owners, metav1.ManagedFieldsEntry{
			Manager: image[i].Manager, Operation: image[i].Operation, Time: image[i].Time,
			APIVersion: k.apiVersion, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(append(fields, '}'))),
		})
	}
	return owners, nil
}

// writeOwned sets the paths of an entry.
func writeOwned(entry *metav1.ManagedFieldsEntry, version string, set *fieldpath.Set) error {
	fields, err := set.ToJSON()
	entry.APIVersion, entry.FieldsType, entry.FieldsV1 = version, "FieldsV1", metav1.NewFieldsV1(string(fields))
	return err
}

var (
	metadataElement   = fieldpath.FieldNameElement("metadata")
	labelsPath        = fieldpath.MakePathOrDie("metadata", "labels")
	kindLabelPath     = fieldpath.MakePathOrDie("metadata", "labels", v1alpha1.ImageKindLabel)
	revisionLabelPath = fieldpath.MakePathOrDie("metadata", "labels", v1alpha1.ImageKindRevisionLabel)
)

// viewMetaPath returns the path in the metadata of a view for a path in the metadata of its Image. It returns false if the view does
// not have it.
func viewMetaPath(path fieldpath.Path, view *metav1.ObjectMeta) (fieldpath.Path, bool) {
	if len(path) == 0 || len(path) > 2 || path[0].FieldName == nil {
		return path, true
	}
	switch name := *path[0].FieldName; {
	case len(path) == 1: // an owner of labels that the view does not show would be in conflict with everybody who applies the first one
		return path, !isAbsent(view, name)
	case name == "finalizers" && path[1].Value != nil:
		finalizer := *path[1].Value
		return path, !finalizer.IsString() || !slices.Contains(imageFinalizers, finalizer.AsString())
	case keysApart(name) != nil && path[1].FieldName != nil:
		key, visible := viewKey(*path[1].FieldName, keysApart(name))
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

// imageMetaPath returns the path in the metadata of an Image for a path in the metadata of a view.
func imageMetaPath(path fieldpath.Path) fieldpath.Path {
	if len(path) != 2 || path[0].FieldName == nil || path[1].FieldName == nil || keysApart(*path[0].FieldName) == nil {
		return path
	}
	return fieldpath.Path{path[0], fieldpath.FieldNameElement(imageKey(*path[1].FieldName, keysApart(*path[0].FieldName)))}
}

// keysApart returns the keys that are kept apart in a field of the metadata.
func keysApart(name string) []string {
	switch name {
	case "labels":
		return apartLabels
	case "annotations":
		return apartAnnotations
	}
	return nil
}

// imagePaths returns the paths in the managed fields of an Image for paths in those of a view, except for those of fields that stored
// refuses. Objects on the way to a field of the view have no place in the Image: each exists as long as one of its fields does.
func (k *Kind) imagePaths(view *fieldpath.Set, stored func(*binding) bool) *fieldpath.Set {
	set := fieldpath.NewSet()
	for path := range view.WithPrefix(metadataElement).All() {
		set.Insert(append(fieldpath.Path{metadataElement}, imageMetaPath(path)...))
	}
	for _, b := range k.bindings {
		if view.Has(b.viewPath) && stored(b) {
			insertAll(set, b.imagePaths)
		}
	}
	return set
}

func insertAll(set *fieldpath.Set, paths []fieldpath.Path) {
	for _, path := range paths {
		set.Insert(path)
	}
}
