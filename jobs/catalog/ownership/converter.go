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
	"goldsmith.dev/goldsmith/jobs/catalog/imagespec"
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

// A Write is a write of a view: what it does to the Image, as far as owners need to know.
type Write struct {
	// View and Before are the managed fields of the view, and of the view before the write. Image are those of the Image before it. A new
	// Image has neither Before nor Image.
	View, Before, Image []metav1.ManagedFieldsEntry
	// Made is the Image with all its fields.
	Made *v1alpha1.Image
	// Own are the paths that the kind has set itself.
	Own     *fieldpath.Set
	removed []*imagespec.Target
}

// Remove removes a target from the Image.
func (w *Write) Remove(target *imagespec.Target) {
	target.Remove(&w.Made.Spec)
	w.removed = append(w.removed, target)
}

// Image returns the managed fields of the Image. What an owner gained or lost in the view is gained or lost in the Image.
func (c *Converter) Image(w *Write) ([]metav1.ManagedFieldsEntry, error) {
	owners := newOwners(w.Image)
	for i := range w.Before {
		if find(w.View, ownerOf(&w.Before[i])) == nil {
			c.convertOwner(owners, w, &w.Before[i], nil)
		}
	}
	for i := range w.View {
		c.convertOwner(owners, w, find(w.Before, ownerOf(&w.View[i])), &w.View[i])
	}
	lost := fieldpath.NewSet()
	for _, target := range w.removed {
		insertAll(lost, target.LostPaths(&w.Made.Spec))
	}
	owners.lose(lost)
	if !w.Own.Empty() {
		owners.take(owner{Manager, metav1.ManagedFieldsOperationUpdate}, w.Own, latest(w.View))
	}
	return owners.write()
}

// latest returns the latest time of entries, and nil if none has a time.
func latest(entries []metav1.ManagedFieldsEntry) *metav1.Time {
	var latest *metav1.Time
	for i := range entries {
		if latest == nil || latest.Before(entries[i].Time) {
			latest = entries[i].Time
		}
	}
	return latest
}

// convertOwner changes the entry of an owner as its entry in the view was changed. before or view is nil if there is none.
func (c *Converter) convertOwner(owners *owners, w *Write, before, view *metav1.ManagedFieldsEntry) {
	had, has := fieldpath.NewSet(), fieldpath.NewSet()
	var owner owner
	if before != nil {
		had, _ = readOwned(before)
		owner = ownerOf(before)
	}
	if view != nil {
		has, _ = readOwned(view)
		owner = ownerOf(view)
	}
	gone := c.imagePaths(had.Difference(has), func(*binding.Binding) bool { return true })
	come := c.imagePaths(has.Difference(had), func(b *binding.Binding) bool {
		_, stored := b.Read(&w.Made.Spec)
		return stored // and not a default of the schema
	})
	if gone.Empty() && come.Empty() {
		return // also where only a default that the Image lacks has a new owner: no write may move a time and nothing else
	}
	i := owners.find(owner)
	owners.change(i, gone, come)
	if view != nil {
		owners.entries[i].Time = view.Time
	}
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
