// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/metadata"
)

// Release removes from the metadata of an Image what marks it as an object of a kind: the two labels, and the kind as the owner of fields.
// It changes no map or list of the metadata in place. Keys that only the view has stay, and are there again if the Image becomes an object of
// a kind.
func Release(image *metav1.ObjectMeta) error {
	kept := maps.Clone(image.Labels)
	maps.DeleteFunc(kept, func(key, _ string) bool {
		return key == v1alpha1.ImageKindLabel || key == v1alpha1.ImageKindRevisionLabel
	})
	lost := metadata.LabelPaths()
	if len(kept) == 0 {
		kept = nil
		lost.Insert(fieldpath.MakePathOrDie("metadata", "labels"))
	}
	owners := newOwners(slices.DeleteFunc(slices.Clone(image.ManagedFields), func(entry metav1.ManagedFieldsEntry) bool { return entry.Manager == Manager }))
	owners.lose(lost)
	entries, err := owners.write()
	if err != nil {
		return fmt.Errorf("write managed fields: %w", err)
	}
	image.Labels, image.ManagedFields = kept, entries
	return nil
}
