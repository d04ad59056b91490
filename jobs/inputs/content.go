// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"slices"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// MadeBy reports whether a build has artifacts with the content of all given artifacts. It does not for no artifacts.
func MadeBy(artifacts []v1alpha1.Artifact, build *v1alpha1.ImageBuild) bool {
	all := artifactsOf(build)
	other := slices.ContainsFunc(artifacts, func(artifact v1alpha1.Artifact) bool {
		return !slices.ContainsFunc(all, func(made v1alpha1.Artifact) bool { return made.Digest == artifact.Digest })
	})
	return len(artifacts) > 0 && !other
}

// SameArtifacts reports whether two builds of an Image have artifacts with the same content.
func SameArtifacts(one, other *v1alpha1.ImageBuild) bool {
	of, and := one.Spec.ImageRef, other.Spec.ImageRef
	return of != nil && and != nil && of.UID == and.UID && MadeBy(artifactsOf(one), other) && MadeBy(artifactsOf(other), one)
}

// artifactsOf returns the artifacts of a build, which it has from its creation on if it tests those of another build.
func artifactsOf(build *v1alpha1.ImageBuild) []v1alpha1.Artifact {
	if retests := build.Spec.Retests; retests != nil {
		return retests.Artifacts
	}
	return build.Status.Artifacts
}

// RevokedBuilds returns the builds of an Image that are revoked at a time: of the existing ones, and of the deleted ones that the Image names. The Image
// may be nil.
func RevokedBuilds(image *v1alpha1.Image, builds []v1alpha1.ImageBuild, now time.Time) (revoked []v1alpha1.ImageBuild) {
	known := map[string]bool{}
	for i := range builds {
		known[builds[i].Name] = true
		if v1alpha1.Revoked(&builds[i], now) {
			revoked = append(revoked, builds[i])
		}
	}
	if image == nil {
		return revoked
	}
	record := func(name string, artifacts []v1alpha1.Artifact, revocation *v1alpha1.Revocation) {
		if known[name] || !revocation.InEffect(now) {
			return
		}
		known[name] = true
		build := v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Artifacts: artifacts, Revoked: revocation}}
		build.Namespace, build.Name = image.Namespace, name
		revoked = append(revoked, build)
	}
	if latest := image.Status.LatestSuccessful; latest != nil {
		record(latest.Name, latest.Artifacts, latest.Revoked)
	}
	for i := range image.Status.Channels {
		channel := &image.Status.Channels[i]
		record(channel.Build, channel.Artifacts, channel.Revoked)
	}
	return revoked
}
