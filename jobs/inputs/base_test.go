// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var (
	digestA = "sha256:" + strings.Repeat("a", 64)
	digestB = "sha256:" + strings.Repeat("b", 64)
	digestC = "sha256:" + strings.Repeat("c", 64)
)

func basedOn(name, channel string) v1alpha1.Base {
	return v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: name, Channel: channel}}
}

// builtImage is an Image with a latest success and the channels testing and stable.
func builtImage() *v1alpha1.Image {
	image := &v1alpha1.Image{}
	image.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digestC}}}
	image.Status.Channels = []v1alpha1.ImageChannel{
		{Name: "testing", Build: "debian-8", Digest: digestB, Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digestB}}},
		{Name: "stable", Build: "debian-7", Digest: digestA, Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digestA}}},
		{Name: "empty", Build: "debian-6"},
	}
	return image
}

func TestResolveABaseImage(t *testing.T) {
	without := func(change func(*v1alpha1.Image)) *v1alpha1.Image {
		image := builtImage()
		change(image)
		return image
	}
	for name, test := range map[string]struct {
		channel string
		image   *v1alpha1.Image
		want    string
		message string
	}{
		"its latest success": {image: builtImage(), want: digestC},
		"its channel":        {channel: "stable", image: builtImage(), want: digestA},
		"its channel, though it has no latest success": {
			channel: "stable", image: without(func(i *v1alpha1.Image) { i.Status.LatestSuccessful = nil }), want: digestA,
		},
		"no such Image": {message: `base.imageRef.name: there is no Image "debian" in the namespace: create it`},
		"no such Image, by channel": {
			channel: "stable", message: `base.imageRef.name: there is no Image "debian"`,
		},
		"never built": {
			image:   without(func(i *v1alpha1.Image) { i.Status.LatestSuccessful = nil }),
			message: `base.imageRef.name: Image "debian" has no artifacts yet: build it first`,
		},
		"its first build runs": {
			image: without(func(i *v1alpha1.Image) {
				i.Status.LatestSuccessful, i.Status.LatestBuild = nil, &v1alpha1.LatestBuild{Name: "debian-1", Phase: v1alpha1.BuildRunning}
			}),
			message: `base.imageRef.name: Image "debian" has no artifacts yet: wait for its build debian-1: goldsmith logs debian-1 -f`,
		},
		"its first build failed": {
			image: without(func(i *v1alpha1.Image) {
				i.Status.LatestSuccessful, i.Status.LatestBuild = nil, &v1alpha1.LatestBuild{Name: "debian-1", Phase: v1alpha1.BuildFailed}
			}),
			message: `base.imageRef.name: Image "debian" has no artifacts yet: build it first`,
		},
		"a success of nothing": {
			image:   without(func(i *v1alpha1.Image) { i.Status.LatestSuccessful.Artifacts = nil }),
			message: `Image "debian" has no artifacts yet`,
		},
		"no such channel": {
			channel: "nightly", image: builtImage(),
			message: `base.imageRef.channel: Image "debian" has no channel "nightly" (channels: empty, stable, testing): promote one of its builds`,
		},
		"no channels at all": {
			channel: "stable", image: without(func(i *v1alpha1.Image) { i.Status.Channels = nil }),
			message: `base.imageRef.channel: Image "debian" has no channel "stable" (channels: none)`,
		},
		"a channel with a rule that no build meets": {
			channel: "edge", image: without(func(i *v1alpha1.Image) {
				i.Spec.Channels = []v1alpha1.ChannelRule{{Name: "edge", Promote: v1alpha1.PromoteAutomatic}}
			}),
			message: `has no channel "edge" (channels: empty, stable, testing): wait for a build that meets its rule: goldsmith show debian`,
		},
		"a channel of nothing": {channel: "empty", image: builtImage(), message: `Image "debian" has no channel "empty"`},
	} {
		t.Run(name, func(t *testing.T) {
			inputs := sampleInputs()
			inputs.Base, inputs.Targets = basedOn("debian", test.channel), inputs.Targets[:1]
			before := test.image.DeepCopy()
			resolved, failure := Resolve(inputs, Found{Base: test.image})
			if diff := cmp.Diff(before, test.image); diff != "" {
				t.Errorf("the base was changed:\n%s", diff)
			}
			if test.message != "" {
				checkFailure(t, failure, v1alpha1.ReasonBaseNotFound, test.message)
				if resolved != nil {
					t.Errorf("there is a failure, and yet the inputs resolved to %v", resolved)
				}
				return
			}
			checkFailure(t, failure, "", "")
			if resolved.BaseDigest != test.want || resolved.InputsDigest != Digest(inputs, nil, test.want, "") {
				t.Errorf("resolved to %+v, want the base %s", resolved, test.want)
			}
		})
	}
}

func TestAReferenceResolvesToNoBaseDigest(t *testing.T) {
	resolved, failure := Resolve(sampleInputs(), Found{Base: builtImage()})
	checkFailure(t, failure, "", "")
	if resolved.BaseDigest != "" || resolved.InputsDigest != Digest(sampleInputs(), nil, "", "") {
		t.Errorf("resolved to %+v", resolved)
	}
}

func TestOnlyTheDigestOfABaseImageCountsAndNotItsBuild(t *testing.T) {
	inputs := sampleInputs()
	inputs.Base, inputs.Targets = basedOn("debian", "stable"), inputs.Targets[:1]
	image := builtImage()
	before, _ := Resolve(inputs, Found{Base: image})
	image.Status.Channels[1].Build = "debian-9"
	after, _ := Resolve(inputs, Found{Base: image})
	if before.BaseDigest != after.BaseDigest || before.InputsDigest != after.InputsDigest {
		t.Errorf("another build of the same digest is another base: %+v and %+v", before, after)
	}
}

// The artifact of the same target is handed over, else the first of the same platform.
func TestEachTargetStartsFromOneArtifactOfTheBase(t *testing.T) {
	made := []v1alpha1.Artifact{
		{Target: "linux/amd64/vmdk", Digest: digestA}, {Target: "linux/amd64/raw", Digest: digestB}, {Target: "linux/amd64/qcow2", Digest: digestC},
		{Target: "linux/arm64/v8/raw", Digest: digestC},
	}
	image := &v1alpha1.Image{}
	image.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Name: "debian-9", Artifacts: made}
	image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-8", Digest: digestA, Artifacts: made[3:]}}
	target := func(platform string, format v1alpha1.ArtifactFormat) v1alpha1.Target {
		return v1alpha1.Target{Platform: platform, Format: format}
	}
	for name, test := range map[string]struct {
		channel string
		targets []v1alpha1.Target
		want    []string // targets of the base, after the name of its build
		digest  string
		message string
	}{
		"the same target":           {targets: []v1alpha1.Target{target("linux/amd64", "raw")}, want: []string{"debian-9", "linux/amd64/raw"}, digest: digestB},
		"the same platform":         {targets: []v1alpha1.Target{target("linux/amd64", "iso")}, want: []string{"debian-9", "linux/amd64/qcow2"}, digest: digestC},
		"one artifact for two":      {targets: []v1alpha1.Target{target("linux/amd64", "iso"), target("linux/amd64", "qcow2")}, want: []string{"debian-9", "linux/amd64/qcow2"}, digest: digestC},
		"two artifacts":             {targets: []v1alpha1.Target{target("linux/amd64", "raw"), target("linux/amd64", "vmdk")}, want: []string{"debian-9", "linux/amd64/raw", "linux/amd64/vmdk"}},
		"a variant of the platform": {targets: []v1alpha1.Target{target("linux/arm64/v8", "oci")}, want: []string{"debian-9", "linux/arm64/v8/raw"}, digest: digestC},
		"of a channel":              {channel: "stable", targets: []v1alpha1.Target{target("linux/arm64/v8", "raw")}, want: []string{"debian-8", "linux/arm64/v8/raw"}, digest: digestC},
		"another platform": {
			targets: []v1alpha1.Target{target("linux/arm64", "raw")},
			message: `base.imageRef: build debian-9 of Image "debian" has no artifact for linux/arm64 (artifacts: linux/amd64/qcow2, linux/amd64/raw, linux/amd64/vmdk, linux/arm64/v8/raw): add a target to Image "debian"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inputs := sampleInputs()
			inputs.Base, inputs.Targets = basedOn("debian", test.channel), test.targets
			resolved, failure := Resolve(inputs, Found{Base: image})
			if test.message != "" {
				checkFailure(t, failure, v1alpha1.ReasonBaseNotFound, test.message)
				return
			}
			checkFailure(t, failure, "", "")
			got := []string{resolved.Base.Name}
			for _, artifact := range resolved.Base.Artifacts {
				got = append(got, artifact.Target)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || test.digest != "" && resolved.BaseDigest != test.digest || resolved.BaseDigest != ArtifactsDigest(resolved.Base.Artifacts) {
				t.Errorf("the base is %v with the digest %s, want %v and %s", got, resolved.BaseDigest, test.want, test.digest)
			}
			if again := ResolvePinned(inputs, Pinned(&v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Resolved: resolved}})); cmp.Diff(resolved, again) != "" {
				t.Errorf("a rerun resolves to %+v", again)
			}
		})
	}
}
