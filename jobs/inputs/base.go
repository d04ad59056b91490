// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// baseDigest is the digest of a base Image's artifacts: those of its channel, or of its latest successful build.
func baseDigest(ref v1alpha1.BaseImageReference, image *v1alpha1.Image) (string, *v1alpha1.BuildFailure) {
	if image == nil {
		return "", v1alpha1.ReasonBaseNotFound.Failure(
			"base.imageRef.name: there is no Image %q in the namespace: create it, or change base.imageRef", ref.Name)
	}
	if ref.Channel != "" {
		return channelDigest(ref, image.Status.Channels)
	}
	digest := ""
	if latest := image.Status.LatestSuccessful; latest != nil {
		digest = ArtifactsDigest(latest.Artifacts)
	}
	if digest == "" {
		return "", v1alpha1.ReasonBaseNotFound.Failure(
			"base.imageRef.name: Image %q has no artifacts yet: build it first, or change base.imageRef", ref.Name)
	}
	return digest, nil
}

func channelDigest(ref v1alpha1.BaseImageReference, channels []v1alpha1.ImageChannel) (string, *v1alpha1.BuildFailure) {
	names := make([]string, 0, len(channels))
	for _, channel := range channels {
		if channel.Name == ref.Channel && channel.Digest != "" {
			return channel.Digest, nil
		}
		names = append(names, channel.Name)
	}
	there := "none"
	if len(names) > 0 {
		slices.Sort(names)
		there = strings.Join(names, ", ")
	}
	return "", v1alpha1.ReasonBaseNotFound.Failure(
		"base.imageRef.channel: Image %q has no channel %q (channels: %s): promote one of its builds, or change base.imageRef",
		ref.Name, ref.Channel, there)
}
