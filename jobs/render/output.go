// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/result"
)

// Output is where the artifacts of a build are published, as canonical JSON in the annotation AnnotationOutput of a pod. Fields are in
// the order of their JSON names.
type Output struct {
	// Attest is the policy of signatures. Empty for Automatic.
	Attest v1alpha1.AttestPolicy `json:"attest,omitempty"`
	// Repository is HOST[:PORT]/PATH of an OCI repository.
	Repository string `json:"repository"`
	// Secret is the name of the Secret with the credentials. Empty if there are none.
	Secret string `json:"secret,omitempty"`
	// Tags are the tags of the artifacts by target. Targets without a tag are missing.
	Tags map[string]string `json:"tags,omitempty"`
}

// Tags returns the tags that a build gives its artifacts, by target. A target without a valid tag is missing.
func Tags(build *v1alpha1.ImageBuild) map[string]string {
	tags := map[string]string{}
	for _, target := range build.Spec.Inputs.Targets {
		if tag, err := inputs.Tag(build, target); err == nil && tag != "" {
			tags[result.TargetName(target)] = tag
		}
	}
	return tags
}

// encodeOutput returns where a build publishes its artifacts, or "" if it publishes none.
func encodeOutput(build *v1alpha1.ImageBuild) (string, error) {
	declared := build.Spec.Inputs.Output
	if declared == nil {
		return "", nil
	}
	for _, target := range build.Spec.Inputs.Targets {
		if _, err := inputs.Tag(build, target); err != nil {
			return "", fmt.Errorf("output.tagTemplate %q: %w", declared.TagTemplate, err)
		}
	}
	output := Output{Attest: declared.Attest, Repository: declared.Repository, Tags: Tags(build)}
	if declared.SecretRef != nil {
		output.Secret = declared.SecretRef.Name
	}
	encoded, err := inputs.CanonicalJSON(output)
	return string(encoded), err
}
