// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
)

// TestTheLargestValidInputsReachTheBuilder holds the limits of this package against that of a pod's annotations, with
// text that JSON writes as it is, and with text that it escapes.
func TestTheLargestValidInputsReachTheBuilder(t *testing.T) {
	for _, text := range []string{"x", `"`, `\`, "\n", "\x01", "<", "é", "\u2028", "\U0001f600"} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			build := validationtest.ImageBuild()
			build.UID = "0b5c1a52-0000-4000-8000-000000000001"
			build.Namespace, build.Name = strings.Repeat("n", 63), strings.Repeat("b", 63)
			largest := &build.Spec.Inputs
			largest.Base.Reference = strings.Repeat("\U0001f600", 512)
			largest.Parameters = validationtest.Parameters(maxParametersBytes, text)
			largest.Targets = nil
			for i := range 16 {
				platform := fmt.Sprintf("linux/%0*d", 63-len("linux/"), i)
				largest.Targets = append(largest.Targets, v1alpha1.Target{Platform: platform, Format: v1alpha1.ArtifactFormatQCOW2})
			}
			files := map[string]string{}
			for _, parameter := range validationtest.Parameters(inputs.MaxSourceBytes, text) {
				files[parameter.Name] = parameter.Value
			}
			largest.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: files}}
			validationtest.ExpectPaths(t, Declared(declared.Validate_BuildInputs, largest, spec, Inputs(largest, spec)), nil)

			job, err := render.Job(build, 20, inputs.Builder{Image: "example.com/builder"})
			require.NoError(t, err)
			told := slices.Collect(maps.Values(job.Spec.Template.Annotations))
			if len(told) != 1 || len(told[0]) < maxParametersBytes+inputs.MaxSourceBytes || len(told[0]) > render.MaxInputBytes {
				t.Errorf("the builder is told %d bytes in %d annotations", len(strings.Join(told, "")), len(told))
			}
		})
	}
}

// TestListsOfUniqueItemsAreLimited holds that a request cannot keep the server busy: the check of a set compares each item with each other.
func TestListsOfUniqueItemsAreLimited(t *testing.T) {
	t.Parallel()
	files := require.Value(filepath.Glob("../../../apis/images/v1alpha1/*_types.go"))(t)
	checked := 0
	for _, file := range files {
		for comment := range strings.SplitSeq(string(require.Value(os.ReadFile(file))(t)), "`json:") {
			if strings.Contains(comment, "+k8s:listType=") {
				checked++
				if !strings.Contains(comment, "+k8s:maxItems=") {
					t.Errorf("%s: a list of unique items has no +k8s:maxItems: ...%s", file, comment[len(comment)-80:])
				}
			}
		}
	}
	if checked == 0 {
		t.Error("found no list of unique items")
	}
}
