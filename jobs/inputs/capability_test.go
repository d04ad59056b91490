// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/capability"
)

func TestInputsAreCheckedAgainstWhatTheBuilderTakes(t *testing.T) {
	builders := Builders{AllowImages: true, Registered: map[string]Builder{"any": {}, Tester: {}, "disk": {Capabilities: capability.Capabilities{
		Parameters: &capability.Schema{Properties: map[string]capability.Property{"size": {Pattern: "^[0-9]+M$"}}},
		Targets:    []capability.Target{{Format: v1alpha1.ArtifactFormatRaw}},
	}}, "suite": {Capabilities: capability.Capabilities{
		Parameters: &capability.Schema{Properties: map[string]capability.Property{"size": {}, "suite": {}}, Required: []string{"suite"}},
	}}, "trixie": {Capabilities: capability.Capabilities{Base: &capability.Property{Enum: []any{"debian:trixie"}}}},
		"files": {Capabilities: capability.Capabilities{FileNames: &capability.Property{Pattern: "^root/"}}}}}
	for name, test := range map[string]struct {
		builder     v1alpha1.BuilderReference
		size        string
		format      v1alpha1.ArtifactFormat
		wantReason  v1alpha1.FailureReason
		wantMessage string
		wantPath    string
	}{
		"it takes both":                {builder: v1alpha1.BuilderReference{Name: "disk"}, size: "5M", format: "raw"},
		"it takes everything":          {builder: v1alpha1.BuilderReference{Name: "any"}, size: "large", format: "iso"},
		"an image takes everything":    {builder: v1alpha1.BuilderReference{Image: "example.com/disk"}, size: "large", format: "iso"},
		"nobody registered it":         {builder: v1alpha1.BuilderReference{Name: "dsk"}, size: "large", format: "iso", wantReason: v1alpha1.ReasonBuilderNotFound},
		"it does not take a parameter": {v1alpha1.BuilderReference{Name: "disk"}, "large", "iso", v1alpha1.ReasonInvalidParameters, "parameters[0].value: builder disk: parameter size must match", "spec.parameters[0].value"},
		"it requires another one":      {v1alpha1.BuilderReference{Name: "suite"}, "large", "iso", v1alpha1.ReasonInvalidParameters, "parameters: builder suite requires parameter suite", "spec.parameters"},
		"it does not take the base":    {v1alpha1.BuilderReference{Name: "trixie"}, "5M", "iso", v1alpha1.ReasonBaseNotSupported, "base.reference: builder trixie: a base must be one of debian:trixie", "spec.base.reference"},
		"it does not take a file":      {v1alpha1.BuilderReference{Name: "files"}, "5M", "iso", v1alpha1.ReasonFileNotSupported, "source.inline.files[a]: builder files: the name of a file must match '^root/'", "spec.source.inline.files[a]"},
		"it only runs tests":           {v1alpha1.BuilderReference{Name: Tester}, "5M", "raw", v1alpha1.ReasonTargetNotSupported, "builder.name: it runs the tests of spec.tests", "spec.builder.name"},
		"it does not make a target":    {v1alpha1.BuilderReference{Name: "disk"}, "5M", "iso", v1alpha1.ReasonTargetNotSupported, "targets[0]: builder disk makes only */raw", "spec.targets[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			given := &v1alpha1.BuildInputs{
				Builder: test.builder, Base: v1alpha1.Base{Reference: "debian:bookworm"},
				Source:     &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"a": ""}}},
				Parameters: []v1alpha1.Parameter{{Name: "size", Value: test.size}},
				Targets:    []v1alpha1.Target{{Platform: "linux/amd64", Format: test.format}},
			}
			checkFailure(t, builders.Check(given), test.wantReason, test.wantMessage)
			path := ""
			if errs := builders.Validate(given, field.NewPath("spec")); len(errs) > 0 {
				path = errs[0].Field
			}
			if path != test.wantPath {
				t.Errorf("the first error is at %q, want %q", path, test.wantPath)
			}
		})
	}
}
