// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Counts reports whether a build counts for its Image: it is neither one-off nor cancelled. Only such a build is the latest, the
// last finished or the latest successful one, decides what the Image's conditions report, and is a consecutive failure.
// docs/images.md states the rule.
func (build *ImageBuild) Counts() bool {
	return !build.IsOneOff() && build.Status.Phase != BuildCancelled
}

// IsSuspended reports whether spec.suspend of an Image is true.
func (image *Image) IsSuspended() bool {
	return image.Spec.Suspend != nil && *image.Spec.Suspend
}

// IsOneOff reports whether a build is not made from the Image's own inputs. docs/triggers.md states the rule, and package
// jobs/inputs decides it when the build is created.
func (build *ImageBuild) IsOneOff() bool {
	return build.Spec.OneOff != nil && *build.Spec.OneOff
}
