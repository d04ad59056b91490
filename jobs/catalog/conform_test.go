// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestWhatDoesNotConform(t *testing.T) {
	kind := compile(t, debianServers)
	for name, test := range map[string]struct {
		change func(*v1alpha1.Image)
		want   []string
	}{
		"as it was made":                    {change: func(*v1alpha1.Image) {}},
		"another value":                     {change: setParameter("disk", "100Gi")},
		"a field of no binding":             {change: setParameter("extra", "x")},
		"a field of the Image":              {change: func(image *v1alpha1.Image) { image.Spec.RunPolicy = v1alpha1.RunPolicyParallel }},
		"an unknown value":                  {change: setParameter("disk", "33Gi"), want: []string{"spec.parameters[1].value"}},
		"a value that is too long":          {change: setParameter("owner", strings.Repeat("x", 33)), want: []string{"spec.parameters[2].value"}},
		"no value":                          {change: func(image *v1alpha1.Image) { image.Spec.Parameters = image.Spec.Parameters[:1] }, want: []string{"spec.parameters"}},
		"another parameter of the template": {change: setParameter("flavour", "desktop"), want: []string{"spec.parameters[0].value"}},
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
			for _, err := range kind.Conforms(t.Context(), image) {
				paths = append(paths, err.Field)
			}
			if diff := cmp.Diff(test.want, paths); diff != "" {
				t.Errorf("%s\n%v", diff, kind.Conforms(t.Context(), image))
			}
		})
	}
}

func TestAnImageKeepsItsStraysAndGetsNoOthers(t *testing.T) {
	t.Parallel()
	kind := compile(t, debianServers)
	all := func(changes ...func(*v1alpha1.Image)) func(*v1alpha1.Image) {
		return func(image *v1alpha1.Image) {
			for _, change := range changes {
				change(image)
			}
		}
	}
	none := func(*v1alpha1.Image) {}
	builder := func(name string) func(*v1alpha1.Image) {
		return func(image *v1alpha1.Image) { image.Spec.Builder.Name = name }
	}
	suspend := func(image *v1alpha1.Image) { image.Spec.Suspend = new(true) }
	target := func(image *v1alpha1.Image) {
		image.Spec.Targets = append([]v1alpha1.Target{{Platform: "linux/arm64", Format: "raw"}}, image.Spec.Targets...)
	}
	raw := func(image *v1alpha1.Image) { image.Spec.Targets[len(image.Spec.Targets)-1].Format = "raw" }
	for name, test := range map[string]struct {
		former, change func(*v1alpha1.Image)
		want           []string
	}{
		"another builder":                         {none, builder("other"), []string{"spec.builder.name"}},
		"the same other builder":                  {builder("other"), suspend, nil},
		"a third builder":                         {builder("other"), builder("third"), []string{"spec.builder.name"}},
		"the builder of the kind again":           {builder("other"), builder("debian"), nil},
		"the same value in another constant":      {builder("other"), setParameter("flavour", "other"), []string{"spec.parameters[0].value"}},
		"one more stray":                          {builder("other"), setParameter("disk", "33Gi"), []string{"spec.parameters[1].value"}},
		"an undecodable value, unchanged":         {setParameter("disk", "33Gi"), setParameter("extra", "x"), nil},
		"an undecodable value, another":           {setParameter("disk", "33Gi"), setParameter("disk", "34Gi"), []string{"spec.parameters[1].value"}},
		"a stray beside an undecodable value":     {setParameter("disk", "33Gi"), setParameter("owner", strings.Repeat("x", 33)), []string{"spec.parameters[2].value"}},
		"a constant beside an undecodable value":  {setParameter("disk", "33Gi"), setParameter("flavour", "desktop"), []string{"spec.parameters[0].value"}},
		"too long, unchanged":                     {setParameter("owner", strings.Repeat("x", 33)), suspend, nil},
		"too long, another":                       {setParameter("owner", strings.Repeat("x", 33)), setParameter("owner", strings.Repeat("y", 33)), []string{"spec.parameters[2].value"}},
		"an item of the template is missing":      {none, raw, []string{"spec.targets"}},
		"it was missing, and another one comes":   {raw, target, nil},
		"an item before one of the template":      {none, target, nil},
		"a stray in an item that moves":           {setParameter("flavour", "desktop"), func(image *v1alpha1.Image) { slices.Reverse(image.Spec.Parameters) }, nil},
		"everything at once, then nothing":        {all(builder("other"), raw, setParameter("disk", "33Gi")), none, nil},
		"a valid value beside an unchanged stray": {builder("other"), setParameter("disk", "100Gi"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			former := storedServer(t, kind)
			v1alpha1.SetObjectDefaults_Image(former)
			test.former(former)
			image := former.DeepCopy()
			test.change(image)
			var paths []string
			for _, err := range kind.Strays(t.Context(), image, former) {
				paths = append(paths, err.Field)
			}
			if diff := cmp.Diff(test.want, paths); diff != "" {
				t.Errorf("%s\n%v", diff, kind.Strays(t.Context(), image, former))
			}
		})
	}
}

func TestConformanceIsOfTheCurrentRevision(t *testing.T) {
	t.Parallel()
	kind := compile(t, debianServers)
	image := storedServer(t, kind)
	v1alpha1.SetObjectDefaults_Image(image)
	if report := kind.Conformance(t.Context(), image); report != nil {
		t.Errorf("an Image as it was made: %+v", report)
	}
	image.Spec.Builder.Name = "other"
	setParameter("disk", "33Gi")(image)
	setParameter("flavour", "desktop")(image)
	report := kind.Conformance(t.Context(), image)
	if diff := cmp.Diff([]string{"spec.builder.name", "spec.parameters[disk]", "spec.parameters[flavour]"}, report.Fields); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(report.Message, `spec.builder.name: Invalid value: "other": kind DebianServer sets spec.builder.name`) {
		t.Error(report.Message)
	}
	image.Labels[v1alpha1.ImageKindRevisionLabel] = "earlier"
	if report := kind.Conformance(t.Context(), image); report != nil {
		t.Errorf("an Image of an earlier revision: %+v", report)
	}
}

// setParameter sets a parameter of an Image.
func setParameter(name, value string) func(*v1alpha1.Image) {
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
