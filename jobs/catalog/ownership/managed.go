// SPDX-License-Identifier: Apache-2.0

// Package ownership has the managed fields of objects of a kind and of their Images: who owns a field of the object owns its target in the
// Image, and the other way round.
package ownership

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/binding"
	"goldsmith.dev/goldsmith/jobs/catalog/metadata"
)

// Manager is the manager, in managed fields, of what a kind sets itself: constants, derived fields, and the two labels.
const Manager = "goldsmith-catalog"

// A Converter converts the managed fields of the Images of one kind to those of views and back. It is immutable, and safe for concurrent use.
type Converter struct {
	bindings   []*binding.Binding
	fields     binding.Fields
	targets    *ownerNode // of the bindings
	apiVersion string
}

// NewConverter returns the converter of a kind with these bindings. fields are those of the bindings, and apiVersion is that of views.
func NewConverter(bindings []*binding.Binding, fields binding.Fields, apiVersion string) (*Converter, error) {
	targets, err := ownerTree(bindings)
	return &Converter{bindings, fields, targets, apiVersion}, err
}

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

// View returns the managed fields of a view: those of the Image with paths that the view has. Entries without any are left out. view has
// the other metadata of the view.
func (c *Converter) View(image []metav1.ManagedFieldsEntry, view *metav1.ObjectMeta) ([]metav1.ManagedFieldsEntry, error) {
	var owners []metav1.ManagedFieldsEntry
	for i := range image {
		if !isShown(&image[i]) || image[i].FieldsV1 == nil {
			continue
		}
		p := &projection{text: image[i].FieldsV1.GetRawString()}
		if !p.read(c.targets) {
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
			fields = c.fields.AppendOwned(fields, p.owned)
		}
		owners = append(owners, metav1.ManagedFieldsEntry{
			Manager: image[i].Manager, Operation: image[i].Operation, Time: image[i].Time,
			APIVersion: c.apiVersion, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(append(fields, '}'))),
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
func (c *Converter) imagePaths(view *fieldpath.Set, stored func(*binding.Binding) bool) *fieldpath.Set {
	set := fieldpath.NewSet()
	for path := range view.WithPrefix(metadataElement).All() {
		set.Insert(append(fieldpath.Path{metadataElement}, metadata.ImagePath(path)...))
	}
	for _, b := range c.bindings {
		if view.Has(b.ViewPath) && stored(b) {
			insertAll(set, b.ImagePaths)
		}
	}
	return set
}

func insertAll(set *fieldpath.Set, paths []fieldpath.Path) {
	for _, path := range paths {
		set.Insert(path)
	}
}
