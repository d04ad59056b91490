// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// testedBuild is a build whose second attempt runs one of its three tests.
func testedBuild() *v1alpha1.ImageBuild {
	build := publishingBuild()
	digest := "sha256:" + strings.Repeat("d", 64)
	build.Spec.Inputs.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}, {Platform: "linux/arm64", Format: v1alpha1.ArtifactFormatRaw}}
	build.Spec.Inputs.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"site.yaml": "port: {}"}}}
	build.Spec.Tests = []v1alpha1.ImageTest{
		{Name: "boots", Boot: &v1alpha1.TestBoot{}, Goss: "site.yaml", Timeout: &v1alpha1.Duration{Duration: 2 * time.Minute}, Flaky: &v1alpha1.FlakyTest{Attempts: 3}},
		{Name: "extra", Runner: &v1alpha1.TestRunner{Name: "theirs"}, Required: new(false)},
		{Name: "ours", Runner: &v1alpha1.TestRunner{Name: "ours"}},
	}
	v1alpha1.SetObjectDefaults_ImageBuild(build)
	for _, target := range []string{"linux/amd64/raw", "linux/arm64/raw"} {
		build.Status.Artifacts = append(build.Status.Artifacts, v1alpha1.Artifact{
			Target: target, Digest: digest, SizeBytes: 9, MediaType: "application/x-raw-disk-image",
			Location: build.Spec.Inputs.Output.Repository + "@" + digest, Verified: v1alpha1.ArtifactVerifiedContent,
		})
	}
	build.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1}, {Number: 2, Tests: []string{"boots"}}}
	build.Status.Tests = []v1alpha1.TestStatus{{Name: "boots", Gates: true}, {Name: "extra"}, {Name: "ours", Gates: true}}
	return build
}

func TestOnlyTheAttemptWithTheLastTestsThatGateMovesTags(t *testing.T) {
	outcomes := func(boots, extra, ours v1alpha1.TestOutcome) func(*v1alpha1.ImageBuild) {
		return func(build *v1alpha1.ImageBuild) {
			for i, outcome := range []v1alpha1.TestOutcome{boots, extra, ours} {
				build.Status.Tests[i].Outcome = outcome
			}
		}
	}
	for title, test := range map[string]struct {
		runs   []string
		change func(*v1alpha1.ImageBuild)
		want   bool
	}{
		"it makes artifacts":                                {nil, func(*v1alpha1.ImageBuild) {}, false},
		"it makes artifacts without tests":                  {nil, func(build *v1alpha1.ImageBuild) { build.Spec.Tests = nil }, true},
		"it makes artifacts with a test that does not gate": {nil, func(build *v1alpha1.ImageBuild) { build.Spec.Tests = build.Spec.Tests[1:2] }, true},
		"others are due":                                    {[]string{"boots"}, outcomes("", "", ""), false},
		"the others passed":                                 {[]string{"ours"}, outcomes(v1alpha1.TestFlaky, "", ""), true},
		"another failed":                                    {[]string{"ours"}, outcomes(v1alpha1.TestFailed, "", ""), false},
		"all have passed, and its own gates nothing":        {[]string{"extra"}, outcomes(v1alpha1.TestPassed, "", v1alpha1.TestPassed), false},
		"it tests again, and no test gates any more": {[]string{"extra"}, func(build *v1alpha1.ImageBuild) {
			build.Spec.Tests, build.Spec.Retests = build.Spec.Tests[1:2], &v1alpha1.TestedBuild{}
		}, true},
		"it runs all of them": {[]string{"boots", "ours"}, outcomes("", "", ""), true},
	} {
		build := testedBuild()
		test.change(build)
		build.Status.Attempts[1].Tests = test.runs
		if got := len(Tags(build, 2)) > 0; got != test.want {
			t.Errorf("%s: moves tags: %t", title, got)
		}
	}
}

func TestAnAttemptThatTestsHasTheTimeOfItsTests(t *testing.T) {
	build := testedBuild()
	want := map[int32]time.Duration{1: time.Hour, 2: 29 * time.Minute} // 4 × 3 × 2 min, and 5 min
	build.Spec.Timeouts.Run.Duration = time.Hour
	if diff := cmp.Diff(want, map[int32]time.Duration{1: RunLimit(build, 1), 2: RunLimit(build, 2)}); diff != "" {
		t.Error(diff)
	}
}

// A tag of several artifacts names an index of all, and the index is signed if they are.
func TestAnAttemptThatTestsKnowsAllArtifactsAndFetchesThoseUnderTest(t *testing.T) {
	build := testedBuild()
	build.Spec.Tests, build.Status.Tests = build.Spec.Tests[:1], build.Status.Tests[:1]
	var paths []string
	for _, artifact := range newInput(build, 2, false).Base.Artifacts {
		paths = append(paths, artifact.Target+" "+artifact.Path)
	}
	if want := []string{"linux/amd64/raw linux-amd64.raw", "linux/arm64/raw "}; !slices.Equal(paths, want) {
		t.Errorf("the artifacts are %q, want %q", paths, want)
	}
	signatures := []v1alpha1.StatementSignature{{KeyID: "a"}}
	of := func(target string, signatures []v1alpha1.StatementSignature) v1alpha1.AttestedArtifact {
		return v1alpha1.AttestedArtifact{Target: target, Statements: []v1alpha1.AttestedStatement{{Type: "x", Signatures: signatures}}}
	}
	for title, test := range map[string]struct {
		change func(*v1alpha1.ImageBuild)
		tags   int
		signed bool
	}{
		"not signed": {func(*v1alpha1.ImageBuild) {}, 2, false},
		"signed": {func(build *v1alpha1.ImageBuild) {
			build.Status.Attestation = &v1alpha1.Attestation{Artifacts: []v1alpha1.AttestedArtifact{of("linux/amd64/raw", signatures), of("linux/arm64/raw", signatures)}}
		}, 2, true},
		"one is not signed": {func(build *v1alpha1.ImageBuild) {
			build.Status.Attestation = &v1alpha1.Attestation{Artifacts: []v1alpha1.AttestedArtifact{of("linux/amd64/raw", signatures), of("linux/arm64/raw", nil)}}
		}, 2, false},
		"one is not attested": {func(build *v1alpha1.ImageBuild) {
			build.Status.Attestation = &v1alpha1.Attestation{Artifacts: []v1alpha1.AttestedArtifact{of("linux/amd64/raw", signatures)}}
		}, 2, false},
		"one is elsewhere":       {func(build *v1alpha1.ImageBuild) { build.Status.Artifacts[1].Location = "oci://elsewhere/web" }, 1, false},
		"its builder pushed one": {func(build *v1alpha1.ImageBuild) { build.Status.Artifacts[1].Verified = "" }, 1, false},
	} {
		build := build.DeepCopy()
		test.change(build)
		output := Output{}
		require.NoError(t, json.Unmarshal([]byte(require.Value(encodeOutput(build, 2))(t)), &output))
		if len(output.Tags) != test.tags || output.Signed != test.signed {
			t.Errorf("%s: %+v", title, output)
		}
	}
	build.Spec.Inputs.Output = nil
	if tags := Tags(build, 2); len(tags) > 0 {
		t.Errorf("without an output: %v", tags)
	}
}
