// SPDX-License-Identifier: Apache-2.0

package image

import (
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

// Invalid is an object with an invalid spec or status, and the paths of its invalid fields.
type Invalid[T any] struct {
	Object *T
	Paths  []string
}

// InvalidImages are the examples of this package's tests, by their names. Their metadata is valid.
func InvalidImages() map[string]Invalid[v1alpha1.Image] {
	invalid := map[string]Invalid[v1alpha1.Image]{}
	add := func(name string, image *v1alpha1.Image, paths []string) {
		if len(paths) > 0 && !slices.ContainsFunc(paths, func(path string) bool { return path == "metadata.name" || path == "metadata.labels" }) {
			invalid[name] = Invalid[v1alpha1.Image]{image, paths}
		}
	}
	for name, test := range imageExamples() {
		image := validationtest.Image()
		test.change(image)
		add(name, image, test.want)
	}
	held := validationtest.Image()
	held.Labels = map[string]string{v1alpha1.LabelLegalHold: "True"}
	add("a legal hold that is neither true nor false", held, []string{"metadata.labels[" + v1alpha1.LabelLegalHold + "]"})
	for name, test := range templateExamples() {
		image := validationtest.Image()
		image.Spec.Template = validTemplate()
		test.change(image.Spec.Template)
		add("template: "+name, image, templatePaths(test.want))
	}
	for name, test := range affinityExamples() {
		image := validationtest.Image()
		image.Spec.Template = validTemplate()
		test.change(image.Spec.Template.Affinity)
		add("affinity: "+name, image, []string{"spec.template.affinity." + test.want})
	}
	return invalid
}

// InvalidImageStatuses are the examples of a status.
func InvalidImageStatuses() map[string]Invalid[v1alpha1.Image] {
	invalid := map[string]Invalid[v1alpha1.Image]{}
	for name, test := range imageStatusExamples() {
		image := validationtest.Image()
		image.Status = validStatus()
		if test.change(&image.Status); len(test.want) > 0 {
			invalid[name] = Invalid[v1alpha1.Image]{image, test.want}
		}
	}
	return invalid
}
