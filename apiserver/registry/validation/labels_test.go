// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
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
			image, build := validImage(), validBuild()
			image.Labels = map[string]string{v1alpha1.LabelLegalHold: value}
			build.Labels = image.Labels
			expectPaths(t, Image(image), c.want)
			expectPaths(t, ImageUpdate(image, validImage()), c.want)
			expectPaths(t, DirectImageBuild(build, build.Spec.Trigger), c.want)
			expectPaths(t, ImageBuildUpdate(build, validBuild()), c.want)
			if got := v1alpha1.UnderLegalHold(image); got != c.held {
				t.Errorf("under legal hold: %t", got)
			}
		})
	}
}
