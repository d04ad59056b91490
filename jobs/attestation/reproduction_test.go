// SPDX-License-Identifier: Apache-2.0

package attestation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const otherTarget = "linux/amd64/qcow2"

var now = time.Date(2026, time.November, 21, 12, 0, 0, 5, time.UTC)

// succeeded returns a build that made two artifacts, of which the first has a lock.
func succeeded(t *testing.T) *v1alpha1.ImageBuild {
	t.Helper()
	build := web()
	build.Generation = 1
	build.Spec.Inputs.Targets = append(build.Spec.Inputs.Targets, v1alpha1.Target{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatQCOW2})
	build.Status.Phase, build.Status.Finished = v1alpha1.BuildSucceeded, true
	build.Spec.Inputs.Template.Env = nil
	build.Status.Artifacts = []v1alpha1.Artifact{*artifactOfWeb(t), {Target: otherTarget, Digest: digest("other disk")}}
	for i := range build.Status.Artifacts {
		build.Status.Artifacts[i].Verified = v1alpha1.ArtifactVerifiedContent
	}
	return build
}

// rebuilt returns a build that made the artifacts of succeeded again.
func rebuilt(t *testing.T) *v1alpha1.ImageBuild {
	t.Helper()
	build := succeeded(t)
	build.Spec.Reproduces = Reproducible(build)
	build.Name, build.UID = "web-8", "uid-of-web-8"
	return build
}

func TestABuildIsReproducibleByItsArtifacts(t *testing.T) {
	want := &v1alpha1.Reproduction{
		Name: "web-7", UID: "uid-of-web-7", BuilderImage: "registry.example.com/builders/debian@" + digest("builder"),
		Artifacts: []v1alpha1.ReproducedArtifact{{Target: target, Digest: digest(disk), Lock: digest(locked)}, {Target: otherTarget, Digest: digest("other disk")}},
	}
	if diff := cmp.Diff(want, Reproducible(succeeded(t))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	onHost := succeeded(t)
	onHost.Status.Attempts = nil
	if got := Reproducible(onHost).BuilderImage; got != "" {
		t.Errorf("without an attempt, the builder is %q", got)
	}
}

func TestReproducedComparesContentThenPackagesThenTheBuilder(t *testing.T) {
	otherContent := func(by *v1alpha1.ImageBuild) { by.Status.Artifacts[0].Digest = digest("other") }
	otherLock := func(by *v1alpha1.ImageBuild) { by.Status.Artifacts[0].Documents[0].Digest = digest("other lock") }
	otherBuilder := func(by *v1alpha1.ImageBuild) {
		by.Status.Attempts[1].BuilderImage = "registry.example.com/b@" + digest("new")
	}
	ended := func(phase v1alpha1.BuildPhase) func(*v1alpha1.ImageBuild) {
		return func(by *v1alpha1.ImageBuild) { by.Status.Phase, by.Status.Artifacts = phase, nil }
	}
	for name, test := range map[string]struct {
		changes       []func(*v1alpha1.ImageBuild)
		want, message string
	}{
		"the same": {nil, "True/SameContent", "build web-8 made the same content"},
		"the same, of other packages and with another builder": {
			[]func(*v1alpha1.ImageBuild){otherLock, otherBuilder}, "True/SameContent", "build web-8 made the same content",
		},
		"other content": {
			[]func(*v1alpha1.ImageBuild){otherContent}, "False/ContentDiffers",
			"build web-8 made other content of the same inputs: linux/amd64/raw has " + short(digest("other")) + ", not " + short(digest(disk)),
		},
		"no artifact for a target": {
			[]func(*v1alpha1.ImageBuild){func(by *v1alpha1.ImageBuild) { by.Status.Artifacts = by.Status.Artifacts[:1] }}, "False/ContentDiffers",
			"build web-8 made other content of the same inputs: linux/amd64/qcow2 is missing",
		},
		"other content, and the builder in the form of another node": {
			[]func(*v1alpha1.ImageBuild){otherContent, func(by *v1alpha1.ImageBuild) {
				by.Status.Attempts[1].BuilderImage = "docker-pullable://" + by.Status.Attempts[1].BuilderImage
			}},
			"False/ContentDiffers", "of the same inputs",
		},
		"other content of other packages": {
			[]func(*v1alpha1.ImageBuild){otherContent, otherLock, otherBuilder}, "Unknown/PackagesDiffer",
			"build web-8 made other content, and its locks differ, as `goldsmith diff` shows: linux/amd64/raw has ",
		},
		"other packages, where only the rest differs": {
			[]func(*v1alpha1.ImageBuild){otherLock, func(by *v1alpha1.ImageBuild) { by.Status.Artifacts[1].Digest = digest("other") }},
			"False/ContentDiffers", "linux/amd64/qcow2 has ",
		},
		"other content by another builder": {
			[]func(*v1alpha1.ImageBuild){otherContent, otherBuilder}, "Unknown/BuilderDiffers", "build web-8 made other content, with the builder registry.example.com/b@sha256:",
		},
		"other content by a builder without a digest": {
			[]func(*v1alpha1.ImageBuild){otherContent, func(by *v1alpha1.ImageBuild) { by.Status.Attempts[1].BuilderImage = "registry.example.com/b" }},
			"Unknown/BuilderDiffers", "build web-8 made other content, and nothing tells whether the builder is the same: linux/amd64/raw has ",
		},
		"other content by a builder that reads a Secret": {
			[]func(*v1alpha1.ImageBuild){otherContent, func(by *v1alpha1.ImageBuild) { by.Spec.Inputs.Template = web().Spec.Inputs.Template }},
			"Unknown/BuilderDiffers", "nothing tells whether Secrets or ConfigMaps have changed that the builder reads: ",
		},
		"the same, as the builder reports": {
			[]func(*v1alpha1.ImageBuild){func(by *v1alpha1.ImageBuild) { by.Status.Artifacts[1].Verified = "" }},
			"True/SameContent", "build web-8 made the same content, as its builder reports",
		},
		"it failed": {
			[]func(*v1alpha1.ImageBuild){ended(v1alpha1.BuildFailed)}, "Unknown/RebuildFailed", "build web-8 was to make the artifacts again, and ended as Failed",
		},
		"it was cancelled": {
			[]func(*v1alpha1.ImageBuild){ended(v1alpha1.BuildCancelled)}, "Unknown/RebuildFailed", "ended as Cancelled",
		},
	} {
		by := rebuilt(t)
		for _, change := range test.changes {
			change(by)
		}
		got := Reproduced(by, now)
		if is := string(got.Status) + "/" + got.Reason; is != test.want || !strings.Contains(got.Message, test.message) {
			t.Errorf("%s: got %s %q, want %s %q", name, is, got.Message, test.want, test.message)
		}
		if got.Type != v1alpha1.BuildReproduced || !got.LastTransitionTime.Equal(new(metav1.NewTime(now.Truncate(time.Second)))) || len(got.Message) > v1alpha1.MaxMessageBytes {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func short(digest string) string { return digest[:len("sha256:")+12] }

func TestTheOrderOfRebuildsDoesNotMatter(t *testing.T) {
	results := []metav1.Condition{
		{Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonRebuildFailed}, {Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPackagesDiffer},
		{Status: metav1.ConditionFalse}, {Status: metav1.ConditionTrue},
	}
	for i := range results {
		if !outweighs(&results[i], nil) {
			t.Errorf("%+v is not written", results[i])
		}
		for j := range results {
			if got := outweighs(&results[i], &results[j]); got != (i > j) {
				t.Errorf("%+v outweighs %+v: %t", results[i], results[j], got)
			}
		}
	}
}

func TestTheVerdictIsAboutTheBuildAndNotWhatUsersClaim(t *testing.T) {
	const same, none = "True/SameContent", ""
	for name, test := range map[string]struct {
		change func(by, of *v1alpha1.ImageBuild)
		want   string
	}{
		"a rebuild":    {func(_, _ *v1alpha1.ImageBuild) {}, same},
		"another UID":  {func(by, _ *v1alpha1.ImageBuild) { by.Spec.Reproduces.UID = "other" }, none},
		"no rebuild":   {func(by, _ *v1alpha1.ImageBuild) { by.Spec.Reproduces = nil }, none},
		"it goes on":   {func(by, _ *v1alpha1.ImageBuild) { by.Status.Phase, by.Status.Finished = v1alpha1.BuildRunning, false }, none},
		"of a failure": {func(_, of *v1alpha1.ImageBuild) { of.Status.Phase = v1alpha1.BuildFailed }, none},
		"a claim of its own content": {func(by, _ *v1alpha1.ImageBuild) {
			by.Spec.Reproduces.Artifacts, by.Spec.Reproduces.BuilderImage = []v1alpha1.ReproducedArtifact{{Target: target, Digest: digest("other")}}, "other"
			by.Status.Artifacts[0].Digest = digest("other")
		}, "False/ContentDiffers"},
		"the same content of other inputs": {func(by, _ *v1alpha1.ImageBuild) { by.Spec.Inputs.Parameters[0].Value = "other" }, none},
		"of another base":                  {func(by, _ *v1alpha1.ImageBuild) { by.Status.Resolved.BaseDigest = digest("other") }, none},
		"of other files":                   {func(by, _ *v1alpha1.ImageBuild) { by.Status.Resolved.Files["a.txt"] = "other" }, none},
		"without the output, and with inline files": {func(by, of *v1alpha1.ImageBuild) {
			by.Spec.Inputs.Output, by.Spec.ImageRef = nil, nil
			by.Spec.Inputs.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: of.Status.Resolved.Files}}
			by.Status.Resolved.Files = nil
		}, same},
		"it failed before its inputs resolved": {func(by, _ *v1alpha1.ImageBuild) {
			by.Status = v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildFailed, Finished: true}
		}, none},
		"a rerun that was cancelled before its inputs resolved": {func(by, of *v1alpha1.ImageBuild) {
			by.Spec.Pinned = inputs.Pinned(of)
			by.Status = v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildCancelled, Finished: true}
		}, "Unknown/RebuildFailed"},
		"a failure after a success": {func(by, of *v1alpha1.ImageBuild) {
			meta.SetStatusCondition(&of.Status.Conditions, *Verdict(rebuilt(t), of, now))
			by.Status.Phase = v1alpha1.BuildFailed
		}, none},
		"the same again": {func(_, of *v1alpha1.ImageBuild) {
			meta.SetStatusCondition(&of.Status.Conditions, *Verdict(rebuilt(t), of, now))
		}, none},
		"a success after other content": {func(_, of *v1alpha1.ImageBuild) {
			meta.SetStatusCondition(&of.Status.Conditions, metav1.Condition{Type: v1alpha1.BuildReproduced, Status: metav1.ConditionFalse})
		}, same},
	} {
		by, of := rebuilt(t), succeeded(t)
		test.change(by, of)
		claimed := by.DeepCopy()
		result, got := Verdict(by, of, now), ""
		if result != nil {
			got = string(result.Status) + "/" + result.Reason
			if result.ObservedGeneration != of.Generation {
				t.Errorf("%s: generation %d", name, result.ObservedGeneration)
			}
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
		if diff := cmp.Diff(claimed, by); diff != "" {
			t.Errorf("%s: the build was changed:\n%s", name, diff)
		}
	}
}

func TestTheConditionIsThatOfOneRebuild(t *testing.T) {
	of, by, other := succeeded(t), rebuilt(t), rebuilt(t)
	other.Name = "web-80"
	if Gave(by, of) {
		t.Error("the build has no condition")
	}
	meta.SetStatusCondition(&of.Status.Conditions, *Verdict(by, of, now))
	if !Gave(by, of) || Gave(other, of) || Gave(of, of) {
		t.Error("the condition is not that of the rebuild alone")
	}
}

// TestARebuildStatesThatItMadeTheSameContent expects the statement among the others, and only for an artifact with the same content.
func TestARebuildStatesThatItMadeTheSameContent(t *testing.T) {
	plain := statementsOf(t, web(), artifactOfWeb(t))
	by := web()
	by.Name, by.UID = "web-8", "uid-of-web-8"
	by.Spec.Reproduces = Reproducible(succeeded(t))
	given := by.Spec.Inputs
	given.Output = nil
	made := statementsOf(t, by, artifactOfWeb(t))
	i := slices.IndexFunc(made, func(s Statement) bool { return s.Type == TypeReproduction })
	if i < 0 || len(made) != len(plain)+1 {
		t.Fatalf("got %d statements, and %d without a rebuild", len(made), len(plain))
	}
	content := require.Value(made[i].Content())(t)
	if !content.About(digest(disk)) || !content.About(digest("manifest")) {
		t.Errorf("the statement is about %v", content.Digests)
	}
	got := require.Value(content.Reproduction())(t)
	want := &Reproduction{
		Build: BuildName{"team", "web-8", "uid-of-web-8"}, Reproduces: BuildName{Name: "web-7", UID: "uid-of-web-7"},
		InputsDigest: inputs.Digest(given, by.Status.Resolved.Files, by.Status.Resolved.BaseDigest, ""),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	provenance := func(of *v1alpha1.ImageBuild) *Provenance {
		return require.Value(require.Value(statementsOf(t, of, artifactOfWeb(t))[0].Content())(t).Provenance())(t)
	}
	other := web()
	other.Spec.Inputs.Builder.Name = "other"
	other.Status.Resolved.InputsDigest = inputs.Digest(other.Spec.Inputs, other.Status.Resolved.Files, other.Status.Resolved.BaseDigest, "")
	if !got.Of(provenance(web())) || got.Of(provenance(by)) || got.Of(provenance(other)) {
		t.Error("it is not one of the build that it names, made from the same inputs, alone")
	}

	by.ResourceVersion, by.Status.Phase = "17", v1alpha1.BuildRunning
	by.Status.Attestation = &v1alpha1.Attestation{Attempt: 2}
	if diff := cmp.Diff(made, statementsOf(t, by, artifactOfWeb(t))); diff != "" {
		t.Errorf("made again:\n%s", diff)
	}
	for name, change := range map[string]func(*v1alpha1.ReproducedArtifact){
		"other content": func(a *v1alpha1.ReproducedArtifact) { a.Digest = digest("other") },
		"other target":  func(a *v1alpha1.ReproducedArtifact) { a.Target = "linux/arm64/raw" },
	} {
		by := by.DeepCopy()
		change(&by.Spec.Reproduces.Artifacts[0])
		if made := statementsOf(t, by, artifactOfWeb(t)); len(made) != len(plain) {
			t.Errorf("%s: got %d statements", name, len(made))
		}
	}
}
