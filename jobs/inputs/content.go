// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Contents returns the digests of artifacts by which others know them: that of each file and, if it is in a registry, that of its manifest. Files that
// differ can hold the same container image.
func Contents(artifacts []v1alpha1.Artifact) (digests []string) {
	for i := range artifacts {
		digests = append(digests, artifacts[i].Digest)
		manifest := artifacts[i].Location[strings.LastIndex(artifacts[i].Location, "@")+1:]
		if _, err := contents.Sum(manifest); err == nil && manifest != artifacts[i].Digest {
			digests = append(digests, manifest)
		}
	}
	return digests
}

// Overlap reports whether two builds have an artifact with the same content.
func Overlap(one, other []v1alpha1.Artifact) bool {
	of := Contents(other)
	return slices.ContainsFunc(Contents(one), func(digest string) bool { return slices.Contains(of, digest) })
}

// ArtifactsOf returns the artifacts of a build, which it has from its creation on if it tests those of another build.
func ArtifactsOf(build *v1alpha1.ImageBuild) []v1alpha1.Artifact {
	if retests := build.Spec.Retests; retests != nil {
		return retests.Artifacts
	}
	return build.Status.Artifacts
}

// RevokedBuilds returns the builds of an Image that are revoked, or will be: of the existing ones, and of the deleted ones that the Image names. The
// Image may be nil. After them it returns, for each revoked artifact of the namespace, what is known of the build with which the artifact was revoked. Only
// existing builds have a UID.
func RevokedBuilds(image *v1alpha1.Image, builds []v1alpha1.ImageBuild, contents []v1alpha1.RevokedArtifact) (revoked []v1alpha1.ImageBuild) {
	known := map[string]bool{}
	for i := range builds {
		known[builds[i].Name] = true
		if builds[i].Status.Revoked != nil {
			revoked = append(revoked, builds[i])
		}
	}
	record := func(name string, artifacts []v1alpha1.Artifact, revocation *v1alpha1.Revocation) {
		if known[name] || revocation == nil {
			return
		}
		known[name] = true
		revoked = append(revoked, revokedBuild(name, artifacts, revocation))
	}
	if image == nil {
		image = &v1alpha1.Image{}
	}
	if latest := image.Status.LatestSuccessful; latest != nil {
		record(latest.Name, latest.Artifacts, latest.Revoked)
	}
	for i := range image.Status.Channels {
		channel := &image.Status.Channels[i]
		record(channel.Build, channel.Artifacts, channel.Revoked)
	}
	for i := range contents {
		of := &contents[i].Spec
		revoked = append(revoked, revokedBuild(of.Build, []v1alpha1.Artifact{{Digest: of.Digest}}, &of.Revocation))
	}
	return revoked
}

func revokedBuild(name string, artifacts []v1alpha1.Artifact, revocation *v1alpha1.Revocation) v1alpha1.ImageBuild {
	build := v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Artifacts: artifacts, Revoked: revocation}}
	build.Name = name
	return build
}
