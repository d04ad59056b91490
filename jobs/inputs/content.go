// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// MadeBy reports whether a build has artifacts with the content of all given artifacts. It does not for no artifacts.
func MadeBy(artifacts []v1alpha1.Artifact, build *v1alpha1.ImageBuild) bool {
	other := slices.ContainsFunc(artifacts, func(artifact v1alpha1.Artifact) bool {
		return !slices.ContainsFunc(build.Status.Artifacts, func(made v1alpha1.Artifact) bool { return made.Digest == artifact.Digest })
	})
	return len(artifacts) > 0 && !other
}
