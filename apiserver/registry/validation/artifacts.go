// SPDX-License-Identifier: Apache-2.0

package validation

import (
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Artifacts validates the artifacts of a build.
func Artifacts(artifacts []v1alpha1.Artifact, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if n := len(artifacts); n > maxTargets {
		errs = append(errs, field.TooMany(path, n, maxTargets))
	}
	seen := map[string]bool{}
	for i, artifact := range artifacts {
		target := path.Index(i).Child("target")
		if artifact.Target == "" {
			errs = append(errs, field.Required(target, "set platform/format, such as linux/amd64/raw"))
		} else if seen[artifact.Target] {
			errs = append(errs, field.Duplicate(target, artifact.Target))
		}
		seen[artifact.Target] = true
		errs = append(errs, RequiredDigest(artifact.Digest, path.Index(i).Child("digest"))...)
		errs = append(errs, apivalidation.ValidateNonnegativeField(artifact.SizeBytes, path.Index(i).Child("sizeBytes"))...)
		if artifact.MediaType == "" {
			errs = append(errs, field.Required(path.Index(i).Child("mediaType"), "set the media type of the target's format"))
		}
	}
	return errs
}
