// SPDX-License-Identifier: Apache-2.0

package image

import (
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

func TestALegalHoldIsTrueOrFalse(t *testing.T) {
	const path = "metadata.labels[images.goldsmith.dev/legal-hold]"
	for value, c := range map[string]struct {
		want []string
		held bool
	}{
		"true":  {nil, true},
		"false": {nil, false},
		"True":  {[]string{path}, true},
		"yes":   {[]string{path}, true},
		"":      {[]string{path}, true},
	} {
		t.Run(value, func(t *testing.T) {
			image, build := validationtest.Image(), validationtest.ImageBuild()
			image.Labels = map[string]string{v1alpha1.LabelLegalHold: value}
			build.Labels = image.Labels
			validationtest.ExpectPaths(t, Validate(image), c.want)
			validationtest.ExpectPaths(t, ValidateUpdate(image, validationtest.Image()), c.want)
			validationtest.ExpectPaths(t, imagebuild.ValidateDirect(build, build.Spec.Trigger), c.want)
			validationtest.ExpectPaths(t, imagebuild.ValidateUpdate(build, validationtest.ImageBuild()), c.want)
			if got := v1alpha1.UnderLegalHold(image); got != c.held {
				t.Errorf("under legal hold: %t", got)
			}
		})
	}
}
