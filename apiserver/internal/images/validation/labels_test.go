// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestALegalHoldIsTrueOrFalse(t *testing.T) {
	labelled := func(value string) map[string]string { return map[string]string{v1alpha1.LabelLegalHold: value} }
	for name, c := range map[string]struct {
		labels, stored map[string]string
		refused        bool
		held           bool
	}{
		"none":                  {},
		"true":                  {labels: labelled("true"), held: true},
		"false":                 {labels: labelled("false")},
		"no boolean":            {labels: labelled("True"), refused: true, held: true},
		"no value":              {labels: labelled(""), refused: true, held: true},
		"a stored value stays":  {labels: labelled("True"), stored: labelled("True"), held: true},
		"a new value":           {labels: labelled("yes"), stored: labelled("True"), refused: true, held: true},
		"a new value, no label": {labels: labelled("yes"), stored: map[string]string{"team": "yes"}, refused: true, held: true},
	} {
		t.Run(name, func(t *testing.T) {
			var want []string
			if c.refused {
				want = []string{"metadata.labels[images.goldsmith.dev/legal-hold]"}
			}
			image, stored := validImage(), validImage()
			image.Labels, stored.Labels = c.labels, c.stored
			expectPaths(t, ImageUpdate(image, stored), want)
			build, storedBuild := validBuild(), validBuild()
			build.Labels, storedBuild.Labels = c.labels, c.stored
			expectPaths(t, ImageBuildUpdate(build, storedBuild), want)
			if c.stored == nil {
				expectPaths(t, Image(image), want)
				expectPaths(t, DirectImageBuild(build, build.Spec.Trigger), want)
			}
			if got := v1alpha1.UnderLegalHold(image); got != c.held {
				t.Errorf("under legal hold: %t", got)
			}
		})
	}
}
