// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/result"
)

// resolveBase returns the digest of the base Image's artifacts that the targets start from, and the build that made them.
func resolveBase(ref v1alpha1.BaseImageReference, image *v1alpha1.Image, targets []v1alpha1.Target) (string, *v1alpha1.BaseBuild, *v1alpha1.BuildFailure) {
	if image == nil {
		return "", nil, v1alpha1.ReasonBaseNotFound.Failure(
			"base.imageRef.name: there is no Image %q in the namespace: create it, or change base.imageRef", ref.Name)
	}
	name, made := SelectedBuild(&ref, image)
	switch {
	case name == "" && ref.Channel != "":
		return "", nil, noChannel(ref, image)
	case len(made) == 0:
		remedy := "build it first, or change base.imageRef"
		if build := AwaitedBuild(image); build != "" {
			remedy = fmt.Sprintf("wait for its build %s: goldsmith logs %[1]s -f", build)
		}
		return "", nil, v1alpha1.ReasonBaseNotFound.Failure("base.imageRef.name: Image %q has no artifacts yet: %s", ref.Name, remedy)
	}
	base := &v1alpha1.BaseBuild{Name: name}
	for _, target := range targets {
		artifact := BaseOf(target, made)
		switch {
		case artifact == nil:
			return "", nil, v1alpha1.ReasonBaseNotFound.Failure(
				"base.imageRef: build %s of Image %q has no artifact for %s (artifacts: %s): add a target to Image %q, or change base.imageRef",
				name, ref.Name, target.Platform, targetNames(made), ref.Name)
		case !slices.ContainsFunc(base.Artifacts, func(a v1alpha1.Artifact) bool { return a.Target == artifact.Target }):
			base.Artifacts = append(base.Artifacts, *artifact.DeepCopy())
		}
	}
	return ArtifactsDigest(base.Artifacts), base, nil
}

// AwaitedBuild returns the name of the newest build of an Image, if that build has not finished and no build of the Image has succeeded.
// Otherwise it is empty.
func AwaitedBuild(image *v1alpha1.Image) string {
	latest := image.Status.LatestBuild
	if image.Status.LatestSuccessful != nil || latest == nil || latest.Phase.Finished() {
		return ""
	}
	return latest.Name
}

// lostBase returns a failure if the server has lost an artifact of a base, and no registry has the artifact.
func lostBase(ref v1alpha1.BaseImageReference, base *v1alpha1.BaseBuild, kept func(digest string) bool) *v1alpha1.BuildFailure {
	if base == nil || kept == nil {
		return nil
	}
	for i := range base.Artifacts {
		artifact := &base.Artifacts[i]
		if artifact.Verified != v1alpha1.ArtifactVerifiedContent || Published(artifact) || kept(artifact.Digest) {
			continue
		}
		remedy := fmt.Sprintf("build image %s again", ref.Name)
		if ref.Channel != "" {
			remedy += ", and promote that build to channel " + ref.Channel
		}
		return v1alpha1.ReasonBaseNotFound.Failure("base.imageRef: artifact %s of build %s is lost: %s", artifact.Target, base.Name, remedy)
	}
	return nil
}

// Published reports whether an artifact is in the registry in which Goldsmith published it, as the file that it was. The tar of an OCI image
// layout was published as its image.
func Published(artifact *v1alpha1.Artifact) bool {
	return artifact.Verified == v1alpha1.ArtifactVerifiedContent && PublishedAt(artifact.Location, artifact.MediaType)
}

// PublishedAt reports what Published reports about an artifact with this location and media type whose content is verified.
func PublishedAt(location, mediaType string) bool {
	_, digest, published := strings.Cut(location, "@")
	return published && result.ValidDigest(digest) && !result.IsLayout(mediaType)
}

// BaseOf returns the artifact of a base from which a target is made: that of the same target, else the first one of the same platform
// in the order of their targets. It is nil if there is none.
func BaseOf(target v1alpha1.Target, artifacts []v1alpha1.Artifact) (found *v1alpha1.Artifact) {
	for i := range artifacts {
		artifact := &artifacts[i]
		platform, format := targetOf(artifact.Target)
		switch {
		case platform != target.Platform:
		case format == target.Format:
			return artifact
		case found == nil || artifact.Target < found.Target:
			found = artifact
		}
	}
	return found
}

// targetOf returns the parts of a target's name.
func targetOf(name string) (platform string, format v1alpha1.ArtifactFormat) {
	slash := max(strings.LastIndexByte(name, '/'), 0)
	return name[:slash], v1alpha1.ArtifactFormat(strings.TrimPrefix(name[slash:], "/"))
}

func targetNames(artifacts []v1alpha1.Artifact) string {
	names := make([]string, len(artifacts))
	for i := range artifacts {
		names[i] = artifacts[i].Target
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// noChannel returns the failure of a reference to a channel that an Image does not have.
func noChannel(ref v1alpha1.BaseImageReference, image *v1alpha1.Image) *v1alpha1.BuildFailure {
	channels, remedy := image.Status.Channels, "promote one of its builds, or change base.imageRef"
	if slices.ContainsFunc(image.Spec.Channels, func(rule v1alpha1.ChannelRule) bool {
		return rule.Name == ref.Channel && rule.Promote == v1alpha1.PromoteAutomatic
	}) {
		remedy = fmt.Sprintf("wait for a build that meets its rule: goldsmith show %s tells what it waits for", ref.Name)
	}
	names := make([]string, 0, len(channels))
	for i := range channels {
		names = append(names, channels[i].Name)
	}
	slices.Sort(names)
	return v1alpha1.ReasonBaseNotFound.Failure(
		"base.imageRef.channel: Image %q has no channel %q (channels: %s): %s",
		ref.Name, ref.Channel, cmp.Or(strings.Join(names, ", "), "none"), remedy)
}
