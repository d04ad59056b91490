// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/metadata"
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
	set := fieldpath.NewSet()
	return set, set.FromJSON(entry.FieldsV1.GetRawReader()) == nil
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
		const ofMetadata, ofSpec = `"f:metadata":`, `"f:spec":`
		fields, shown, err := metadata.AppendOwned([]byte("{"+ofMetadata), p.metadata, view)
		if err != nil {
			return nil, fmt.Errorf("write managed fields of %s: %w", image[i].Manager, err)
		}
		switch {
		case shown && len(p.owned) > 0:
			fields = append(fields, ","+ofSpec...)
		case !shown && len(p.owned) > 0:
			fields = append(fields[:0], "{"+ofSpec...)
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

var metadataElement = fieldpath.FieldNameElement("metadata")

// imagePaths returns the paths in the managed fields of an Image for paths in those of a view, except for those of fields that stored
// refuses. Objects on the way to a field of the view have no place in the Image: each exists as long as one of its fields does.
func (k *Kind) imagePaths(view *fieldpath.Set, stored func(*binding) bool) *fieldpath.Set {
	set := fieldpath.NewSet()
	for path := range view.WithPrefix(metadataElement).All() {
		set.Insert(append(fieldpath.Path{metadataElement}, metadata.ImagePath(path)...))
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
