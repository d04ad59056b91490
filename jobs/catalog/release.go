// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Release removes from the metadata of an Image what marks it as an object of a kind: the two labels, the keys that only the view has,
// and the kind as the manager of fields. It changes no map or list of the metadata in place.
func Release(metadata *metav1.ObjectMeta) {
	metadata.Labels = withoutKeys(metadata.Labels, func(key string) bool { return key == KindLabel || key == RevisionLabel || isOfView(key) })
	metadata.Annotations = withoutKeys(metadata.Annotations, isOfView)
	metadata.ManagedFields = slices.DeleteFunc(slices.Clone(metadata.ManagedFields), func(entry metav1.ManagedFieldsEntry) bool { return entry.Manager == Manager })
}

// isOfView reports whether an Image has a key for a view.
func isOfView(key string) bool {
	prefix, _, found := strings.Cut(key, "/")
	return found && strings.HasSuffix(prefix, apartSuffix)
}

func withoutKeys(values map[string]string, remove func(key string) bool) map[string]string {
	kept := maps.Clone(values)
	maps.DeleteFunc(kept, func(key, _ string) bool { return remove(key) })
	return kept
}
