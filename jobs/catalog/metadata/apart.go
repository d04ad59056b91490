// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// apartSuffix ends the prefix of the keys that an Image has for a view.
const apartSuffix = ".view.catalog.goldsmith.dev"

// Keys by which tools find the objects that they apply are kept apart. Otherwise a tool that applies the view would find the Image too,
// and delete it, because it is not in the manifests. A name of * means every name with the prefix.
var (
	apartLabels = []string{
		v1alpha1.ImageKindLabel, v1alpha1.ImageKindRevisionLabel, v1alpha1.GroupName + "/*", "app.kubernetes.io/instance", "applyset.kubernetes.io/*", "kustomize.toolkit.fluxcd.io/*", "helm.toolkit.fluxcd.io/*",
	}
	apartAnnotations = []string{v1alpha1.GroupName + "/*", corev1.LastAppliedConfigAnnotation, "argocd.argoproj.io/*", "meta.helm.sh/*"}
)

// reservedKeys are the keys of labels and annotations that only the Image has. Users of a kind neither see nor set them.
var reservedKeys = []string{v1alpha1.ImageKindLabel, v1alpha1.ImageKindRevisionLabel, v1alpha1.GroupName + "/*"}

// isApart reports whether a key is in a list of keys that are kept apart, or is the key that an Image has for one.
func isApart(key string, list []string) bool {
	prefix, name, found := strings.Cut(key, "/")
	if !found {
		return false
	}
	for strings.HasSuffix(prefix, apartSuffix) {
		prefix = strings.TrimSuffix(prefix, apartSuffix)
	}
	return slices.Contains(list, prefix+"/"+name) || slices.Contains(list, prefix+"/*")
}

// imageKey returns the key that the Image has for a key of the view.
func imageKey(key string, list []string) string {
	if !isApart(key, list) {
		return key
	}
	prefix, name, _ := strings.Cut(key, "/")
	return prefix + apartSuffix + "/" + name
}

// viewKey returns the key that the view has for a key of the Image. It returns false for a key that is the Image's own.
func viewKey(key string, list []string) (string, bool) {
	if !isApart(key, list) {
		return key, true
	}
	prefix, name, _ := strings.Cut(key, "/")
	prefix, found := strings.CutSuffix(prefix, apartSuffix)
	return prefix + "/" + name, found
}

// viewKeys returns what the view has of the labels or annotations of an Image.
func viewKeys(image map[string]string, list []string) map[string]string {
	var view map[string]string
	for key, value := range image {
		if key, visible := viewKey(key, list); visible {
			if view == nil {
				view = make(map[string]string, len(image))
			}
			view[key] = value
		}
	}
	return view
}

// imageKeys returns the labels or annotations of the Image of a view: the own ones of the Image, and those of the view.
func imageKeys(view, image map[string]string, list []string) map[string]string {
	merged := map[string]string{}
	for key, value := range image {
		if _, visible := viewKey(key, list); !visible {
			merged[key] = value
		}
	}
	for key, value := range view {
		merged[imageKey(key, list)] = value
	}
	if len(merged) == 0 {
		return nil
	}
	return merged
}

// Selector returns the selector of the Images whose objects of a kind a selector selects. A selector that is nil selects all of them.
func Selector(kind string, selector labels.Selector) labels.Selector {
	ofKind, err := labels.NewRequirement(v1alpha1.ImageKindLabel, "=", []string{kind})
	if err != nil {
		return labels.Nothing() // the name of a kind is the value of a label
	}
	own := labels.NewSelector().Add(*ofKind)
	if selector == nil {
		return own
	}
	requirements, selectable := selector.Requirements()
	if !selectable {
		return labels.Nothing()
	}
	for i := range requirements {
		key := imageKey(requirements[i].Key(), apartLabels)
		renamed, err := labels.NewRequirement(key, requirements[i].Operator(), requirements[i].ValuesUnsorted())
		if err != nil {
			return labels.Nothing() // a key that no Image can have
		}
		own = own.Add(*renamed)
	}
	return own
}
