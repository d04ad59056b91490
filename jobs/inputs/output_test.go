// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestTag(t *testing.T) {
	ofImage := v1alpha1.ImageBuildSpec{ImageRef: &v1alpha1.ImageReference{Name: "debian"}, Number: new(int64(7))}
	oneOff := ofImage
	oneOff.OneOff = new(true)
	for name, test := range map[string]struct {
		template  string
		spec      v1alpha1.ImageBuildSpec
		want, err string
	}{
		"the default":                          {spec: ofImage, want: "debian-7"},
		"every placeholder":                    {template: "{image}_{number}.{build}-{platform}-{format}", spec: ofImage, want: "debian_7.debian-7-linux-arm64-v8-raw"},
		"text only":                            {template: "latest", spec: ofImage, want: "latest"},
		"a one-off build":                      {template: "latest", spec: oneOff},
		"a build of no Image":                  {template: "{build}", want: "debian-7"},
		"the Image of a build of no Image":     {template: "{image}", err: "remove {image}: the build belongs to no Image"},
		"the number of a build of no Image":    {template: "a{number}", err: "remove {number}: the build belongs to no Image"},
		"an unknown placeholder":               {template: "{Build}", spec: ofImage, err: "there is no placeholder {Build}: use {build}, {image}, {number}, {platform} or {format}"},
		"a character that no tag has":          {template: "{build}+1", spec: ofImage, err: `makes the tag "debian-7+1"`},
		"a first character that no tag has":    {template: ".{build}", spec: ofImage, err: `makes the tag ".debian-7"`},
		"a template that makes a tag too long": {template: strings.Repeat("{build}", 17), spec: ofImage, err: "a tag has 1 to 128 letters"},
	} {
		t.Run(name, func(t *testing.T) {
			build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "debian-7"}, Spec: test.spec}
			build.Spec.Inputs.Output = &v1alpha1.Output{Repository: "localhost/a", TagTemplate: test.template}
			got, err := Tag(build, v1alpha1.Target{Platform: "linux/arm64/v8", Format: "raw"})
			if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
