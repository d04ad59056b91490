// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"fmt"
	"slices"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// SelectedBuild returns the name and the artifacts of the build of a base Image that a reference selects, as the Image has recorded them. The
// name is empty if the reference selects no build.
func SelectedBuild(ref *v1alpha1.BaseImageReference, image *v1alpha1.Image) (string, []v1alpha1.Artifact) {
	switch {
	case ref == nil || image == nil:
	case ref.Channel != "":
		for i := range image.Status.Channels {
			if channel := &image.Status.Channels[i]; channel.Name == ref.Channel && channel.Digest != "" {
				return channel.Build, channel.Artifacts
			}
		}
	case image.Status.LatestSuccessful != nil:
		return image.Status.LatestSuccessful.Name, image.Status.LatestSuccessful.Artifacts
	}
	return "", nil
}

// RevocationOf returns the revocation of a build of an Image. build is the build of this name, which knows it best, or nil if that was deleted:
// then the Image has recorded the revocation. Either may be nil.
func RevocationOf(name string, image *v1alpha1.Image, build *v1alpha1.ImageBuild) *v1alpha1.Revocation {
	if build != nil && build.Name == name && (image == nil || build.Spec.ImageRef != nil && build.Spec.ImageRef.UID == image.UID) {
		return build.Status.Revoked
	}
	if image == nil {
		return nil
	}
	if latest := image.Status.LatestSuccessful; latest != nil && latest.Name == name {
		return latest.Revoked
	}
	for i := range image.Status.Channels {
		if channel := &image.Status.Channels[i]; channel.Build == name {
			return channel.Revoked
		}
	}
	return nil
}

// BaseRevoked returns the failure of inputs whose base is a revoked build. ref is nil if the base does not follow an Image, because it is pinned.
func BaseRevoked(ref *v1alpha1.BaseImageReference, base string, revoked *v1alpha1.Revocation) *v1alpha1.BuildFailure {
	remedy := "build the base again"
	switch {
	case ref != nil && ref.Channel != "":
		remedy = fmt.Sprintf("promote another build of image %s to channel %s", ref.Name, ref.Channel)
	case ref != nil:
		remedy = fmt.Sprintf("build image %s again", ref.Name)
	}
	return v1alpha1.ReasonBaseRevoked.Failure("base.imageRef: build %s is revoked: %s, or take that back: goldsmith unrevoke %s. It was %s",
		base, remedy, base, revoked.Explain())
}

// BaseOfBuild returns the build that a build is based on, or nil. It is pinned, or was resolved.
func BaseOfBuild(build *v1alpha1.ImageBuild) *v1alpha1.BaseBuild {
	switch {
	case build.Status.Resolved != nil:
		return build.Status.Resolved.Base
	case build.Spec.Pinned != nil:
		return build.Spec.Pinned.Base
	}
	return nil
}

// IsBase reports whether a build is the one that a base names: it has the same artifacts. A later build can have the name of one that was deleted.
func IsBase(build *v1alpha1.ImageBuild, base *v1alpha1.BaseBuild) bool {
	if base == nil || base.Name != build.Name {
		return false
	}
	return !slices.ContainsFunc(base.Artifacts, func(used v1alpha1.Artifact) bool {
		return !slices.ContainsFunc(build.Status.Artifacts, func(made v1alpha1.Artifact) bool { return made.Digest == used.Digest })
	})
}

// Descendants returns the builds that share artifacts with a build and, with based, also those that are based on the build or on one of the returned
// builds.
func Descendants(of *v1alpha1.ImageBuild, builds []v1alpha1.ImageBuild, based bool) (found []*v1alpha1.ImageBuild) {
	known := map[string]bool{of.Name: true}
	for next := []*v1alpha1.ImageBuild{of}; len(next) > 0; next = next[1:] {
		for i := range builds {
			build := &builds[i]
			belongs := Overlap(ArtifactsOf(build), ArtifactsOf(next[0])) || based && IsBase(next[0], BaseOfBuild(build))
			if belongs && !known[build.Name] {
				known[build.Name] = true
				found, next = append(found, build), append(next, build)
			}
		}
	}
	return found
}

// RevokedBase returns the nearest revoked build that a build is based on, directly or through other builds. It is nil if no such build is revoked at that
// time. find returns a build by its name, or nil. whole is false if one of the builds was deleted, so that nobody knows on which builds it was based.
func RevokedBase(build *v1alpha1.ImageBuild, find func(name string) *v1alpha1.ImageBuild, now time.Time) (revoked *v1alpha1.ImageBuild, whole bool) {
	for range maxAncestors {
		base := BaseOfBuild(build)
		if base == nil {
			return nil, true
		}
		next := find(base.Name)
		switch {
		case next == nil || !IsBase(next, base):
			return nil, false
		case v1alpha1.Revoked(next, now):
			return next, true
		}
		build = next
	}
	return nil, false
}

// maxAncestors is the maximum number of Images that an Image is based on.
const maxAncestors = 32
