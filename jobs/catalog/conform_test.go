// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestWhatDoesNotConform(t *testing.T) {
	kind := compile(t, debianServers)
	set := func(name, value string) func(*v1alpha1.Image) {
		return func(image *v1alpha1.Image) {
			for i := range image.Spec.Parameters {
				if image.Spec.Parameters[i].Name == name {
					image.Spec.Parameters[i].Value = value
					return
				}
			}
			image.Spec.Parameters = append(image.Spec.Parameters, v1alpha1.Parameter{Name: name, Value: value})
		}
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.Image)
		want   []string
	}{
		"as it was made":                    {change: func(*v1alpha1.Image) {}},
		"another value":                     {change: set("disk", "100Gi")},
		"a field of no binding":             {change: set("extra", "x")},
		"a field of the Image":              {change: func(image *v1alpha1.Image) { image.Spec.RunPolicy = v1alpha1.RunPolicyParallel }},
		"an unknown value":                  {change: set("disk", "33Gi"), want: []string{"spec.parameters[1].value"}},
		"a value that is too long":          {change: set("owner", strings.Repeat("x", 33)), want: []string{"spec.parameters[2].value"}},
		"no value":                          {change: func(image *v1alpha1.Image) { image.Spec.Parameters = image.Spec.Parameters[:1] }, want: []string{"spec.parameters"}},
		"another parameter of the template": {change: set("flavour", "desktop"), want: []string{"spec.parameters[0].value"}},
		"a value of another type":           {change: func(image *v1alpha1.Image) { image.Spec.Base.Reference = "fedora:42" }, want: []string{"spec.base.reference"}},
		"another builder":                   {change: func(image *v1alpha1.Image) { image.Spec.Builder.Name = "other" }, want: []string{"spec.builder.name"}},
		"another format":                    {change: func(image *v1alpha1.Image) { image.Spec.Targets[0].Format = "raw" }, want: []string{"spec.targets"}},
		"one more target": {change: func(image *v1alpha1.Image) {
			image.Spec.Targets = append(image.Spec.Targets, v1alpha1.Target{Platform: "linux/arm64", Format: "raw"})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			image := storedServer(t, kind)
			v1alpha1.SetObjectDefaults_Image(image)
			test.change(image)
			var paths []string
			for _, err := range kind.Conforms(image) {
				paths = append(paths, err.Field)
			}
			if diff := cmp.Diff(test.want, paths); diff != "" {
				t.Errorf("%s\n%v", diff, kind.Conforms(image))
			}
		})
	}
}
