// SPDX-License-Identifier: Apache-2.0

// Package metadata has what an object of a kind and its Image have of each other's metadata, and of its owners in managed fields. Keys by which
// tools find the objects that they apply are kept apart.
package metadata

import (
	"maps"
	"slices"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// uids is the namespace of the UIDs of views.
var uids = uuid.NewSHA1(uuid.NameSpaceDNS, []byte(v1alpha1.CatalogGroup))

// ViewUID returns the UID of the view of the Image with a UID. Two resources with the same UID confuse the garbage collector, so a view has
// a UID of its own. There is no way back: preconditions compare the UIDs of views.
func ViewUID(uid types.UID) types.UID {
	if uid == "" {
		return ""
	}
	return types.UID(uuid.NewSHA1(uids, []byte(uid)).String())
}

// imageFinalizers are the finalizers that tell how an Image is deleted. The garbage collector removes them from the Image.
var imageFinalizers = []string{metav1.FinalizerDeleteDependents, metav1.FinalizerOrphanDependents}

// viewFinalizers returns the finalizers that a view has of those of its Image.
func viewFinalizers(image []string) []string {
	return slices.DeleteFunc(slices.Clone(image), func(f string) bool { return slices.Contains(imageFinalizers, f) })
}

// View returns the metadata of a view, except for managed fields.
func View(image *metav1.ObjectMeta) metav1.ObjectMeta {
	view := *image
	view.UID = ViewUID(image.UID)
	view.Labels = viewKeys(image.Labels, apartLabels)
	view.Annotations = viewKeys(image.Annotations, apartAnnotations)
	if slices.ContainsFunc(imageFinalizers, func(f string) bool { return slices.Contains(image.Finalizers, f) }) {
		view.Finalizers = viewFinalizers(image.Finalizers)
	}
	view.ManagedFields = nil
	return view
}

// Image returns the metadata of the Image of a view, except for managed fields. image has the metadata that the Image had, or
// the labels of a new Image. Faults are at their paths in the view.
func Image(view, image *metav1.ObjectMeta) (metav1.ObjectMeta, field.ErrorList) {
	var errs field.ErrorList
	path := field.NewPath("metadata")
	made := *view
	if image.UID != "" && view.UID != "" && view.UID != ViewUID(image.UID) {
		errs = append(errs, field.Invalid(path.Child("uid"), view.UID, "field is immutable"))
	}
	made.UID = image.UID
	made.Labels = imageKeys(view.Labels, image.Labels, apartLabels)
	made.Annotations = imageKeys(view.Annotations, image.Annotations, apartAnnotations)
	errs = append(errs, checkReserved(view.Labels, path.Child("labels"))...)
	errs = append(errs, checkReserved(view.Annotations, path.Child("annotations"))...)
	for i, finalizer := range view.Finalizers {
		if slices.Contains(imageFinalizers, finalizer) {
			errs = append(errs, field.Forbidden(path.Child("finalizers").Index(i), "set the propagation policy of the deletion instead"))
		}
	}
	if slices.Equal(view.Finalizers, viewFinalizers(image.Finalizers)) {
		made.Finalizers = image.Finalizers
	} else {
		own := slices.DeleteFunc(slices.Clone(image.Finalizers), func(f string) bool { return !slices.Contains(imageFinalizers, f) })
		made.Finalizers = slices.Concat(own, view.Finalizers)
	}
	made.ManagedFields = nil
	return made, errs
}

// checkReserved refuses keys that only the Image has.
func checkReserved(keys map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if isApart(key, reservedKeys) {
			errs = append(errs, field.Forbidden(path.Key(key), "is reserved for Goldsmith: leave it out"))
		}
	}
	return errs
}
