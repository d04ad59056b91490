// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"cmp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/binding"
	"goldsmith.dev/goldsmith/jobs/catalog/imagespec"
)

// owners are the managed fields of an Image while a view changes them. Entries that the view does not show stay as they are, and so do
// the paths that it does not show.
type owners struct {
	entries []metav1.ManagedFieldsEntry
	sets    []*fieldpath.Set // of entries; nil for one that has not been read, or is not shown
	changed []bool
}

func newOwners(image []metav1.ManagedFieldsEntry) *owners {
	o := &owners{entries: slices.Clone(image), sets: make([]*fieldpath.Set, len(image)), changed: make([]bool, len(image))}
	for i := range image {
		if !isShown(&image[i]) {
			continue
		}
		if set, valid := readOwned(&image[i]); valid {
			o.sets[i] = set
		}
	}
	return o
}

// find returns the index of the entry of an owner, which it adds if there is none.
func (o *owners) find(owner owner) int {
	for i := range o.entries {
		if o.sets[i] != nil && ownerOf(&o.entries[i]) == owner {
			return i
		}
	}
	o.entries = append(o.entries, metav1.ManagedFieldsEntry{Manager: owner.manager, Operation: owner.operation})
	o.sets, o.changed = append(o.sets, fieldpath.NewSet()), append(o.changed, false)
	return len(o.entries) - 1
}

// change removes paths from an entry, and adds others.
func (o *owners) change(i int, gone, come *fieldpath.Set) {
	if gone.Empty() && come.Empty() {
		return
	}
	o.sets[i], o.changed[i] = o.sets[i].Difference(gone).Union(come), true
}

// lose removes paths, and everything below them, from every entry.
func (o *owners) lose(paths *fieldpath.Set) {
	for i, set := range o.sets {
		if set == nil {
			continue
		}
		if kept := set.RecursiveDifference(paths); !kept.Equals(set) {
			o.sets[i], o.changed[i] = kept, true
		}
	}
}

// take gives paths to one owner, and removes them from all others.
func (o *owners) take(owner owner, paths *fieldpath.Set, time *metav1.Time) {
	own, none := o.find(owner), fieldpath.NewSet()
	for i, set := range o.sets {
		if i != own && set != nil {
			o.change(i, set.Intersection(paths), none)
		}
	}
	o.change(own, none, paths)
	o.entries[own].Time = time
}

// write returns the entries.
func (o *owners) write() ([]metav1.ManagedFieldsEntry, error) {
	var written []metav1.ManagedFieldsEntry
	for i := range o.entries {
		if o.sets[i] != nil && o.sets[i].Empty() {
			continue
		}
		if o.changed[i] {
			if err := writeOwned(&o.entries[i], v1alpha1.SchemeGroupVersion.String(), o.sets[i]); err != nil {
				return nil, err
			}
		}
		written = append(written, o.entries[i])
	}
	sortEntries(written)
	return written, nil
}

// sortEntries sorts entries as the API machinery does: otherwise the next write of the Image would store another order, without a change.
func sortEntries(entries []metav1.ManagedFieldsEntry) {
	seconds := func(entry *metav1.ManagedFieldsEntry) int64 {
		if entry.Time == nil {
			return 0
		}
		return entry.Time.Unix()
	}
	slices.SortFunc(entries, func(a, b metav1.ManagedFieldsEntry) int {
		return cmp.Or(cmp.Compare(a.Operation, b.Operation), cmp.Compare(seconds(&a), seconds(&b)), cmp.Compare(a.Manager, b.Manager),
			cmp.Compare(a.APIVersion, b.APIVersion), cmp.Compare(a.Subresource, b.Subresource))
	})
}

// A Write is what a write of a view has done to its Image, as far as owners need to know.
type Write struct {
	// View and Before are the managed fields of the view, and of the view before the write. Image are those of the Image before it. A new
	// Image has neither Before nor Image.
	View, Before, Image []metav1.ManagedFieldsEntry
	// Made is the Image with all its fields.
	Made *v1alpha1.Image
	// Removed are the targets that the Image no longer has.
	Removed []*imagespec.Target
	// Own are the paths that the kind has set itself.
	Own *fieldpath.Set
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
	for _, target := range w.Removed {
		insertAll(lost, target.LostPaths(&w.Made.Spec))
	}
	owners.lose(lost)
	if !w.Own.Empty() {
		owners.take(owner{Manager, metav1.ManagedFieldsOperationUpdate}, w.Own, latest(w.View))
	}
	return owners.write()
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

// find returns the entry of an owner, or nil.
func find(entries []metav1.ManagedFieldsEntry, owner owner) *metav1.ManagedFieldsEntry {
	for i := range entries {
		if ownerOf(&entries[i]) == owner {
			return &entries[i]
		}
	}
	return nil
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
