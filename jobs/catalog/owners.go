// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"cmp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
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

// A put is what Put has done to an Image, as far as owners need to know.
type put struct {
	view, before []metav1.ManagedFieldsEntry
	image        []metav1.ManagedFieldsEntry
	made         *v1alpha1.Image
	// removed are the targets that the Image no longer has.
	removed []*imagespec.Target
	// own are the paths that the kind has set itself.
	own *fieldpath.Set
}

// owners returns the managed fields of the Image. What an owner gained or lost in the view is gained or lost in the Image.
func (k *Kind) putOwners(p *put) ([]metav1.ManagedFieldsEntry, error) {
	owners := newOwners(p.image)
	for i := range p.before {
		if find(p.view, ownerOf(&p.before[i])) == nil {
			k.putOwner(owners, p, &p.before[i], nil)
		}
	}
	for i := range p.view {
		k.putOwner(owners, p, find(p.before, ownerOf(&p.view[i])), &p.view[i])
	}
	lost := fieldpath.NewSet()
	for _, target := range p.removed {
		insertAll(lost, target.LostPaths(&p.made.Spec))
	}
	owners.lose(lost)
	if !p.own.Empty() {
		owners.take(owner{Manager, metav1.ManagedFieldsOperationUpdate}, p.own, latest(p.view))
	}
	return owners.write()
}

// putOwner changes the entry of an owner as its entry in the view was changed. before or view is nil if there is none.
func (k *Kind) putOwner(owners *owners, p *put, before, view *metav1.ManagedFieldsEntry) {
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
	gone := k.imagePaths(had.Difference(has), func(*binding) bool { return true })
	come := k.imagePaths(has.Difference(had), func(b *binding) bool {
		_, stored := b.read(&p.made.Spec)
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
