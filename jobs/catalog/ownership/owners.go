// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"cmp"
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
	set := fieldpath.NewSet()
	return set, set.FromJSON(entry.FieldsV1.GetRawReader()) == nil
}

// isShown reports whether a view can show an entry of its Image: not the owners of a status, and not what another version of the API
// stored, whose paths are unknown.
func isShown(entry *metav1.ManagedFieldsEntry) bool {
	return entry.Subresource == "" && entry.APIVersion == v1alpha1.SchemeGroupVersion.String()
}

// writeOwned sets the paths of an entry.
func writeOwned(entry *metav1.ManagedFieldsEntry, version string, set *fieldpath.Set) error {
	fields, err := set.ToJSON()
	entry.APIVersion, entry.FieldsType, entry.FieldsV1 = version, "FieldsV1", metav1.NewFieldsV1(string(fields))
	return err
}

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

// find returns the entry of an owner, or nil.
func find(entries []metav1.ManagedFieldsEntry, owner owner) *metav1.ManagedFieldsEntry {
	for i := range entries {
		if ownerOf(&entries[i]) == owner {
			return &entries[i]
		}
	}
	return nil
}
