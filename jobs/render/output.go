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
	// ContainerDisks are the targets whose artifacts are published as containerDisks of KubeVirt.
	ContainerDisks []string `json:"containerDisks,omitempty"`
	// Gates are the names of the tests that must pass before the tags are moved. Empty for an attempt that makes artifacts.
	Gates []string `json:"gates,omitempty"`
	// Repository is HOST[:PORT]/PATH of an OCI repository.
	Repository string `json:"repository"`
	// Secret is the name of the Secret with the credentials. Empty if there are none.
	Secret string `json:"secret,omitempty"`
	// Signed is whether all tested artifacts are signed, so that an index of them is signed before a tag names it. It is false for an attempt that makes
	// artifacts.
	Signed bool `json:"signed,omitempty"`
	// Tags are the tags of the artifacts by target. Targets without a tag are missing. If other attempts have to pass tests before tags are moved, it is
	// empty.
	Tags map[string]string `json:"tags,omitempty"`
}

// Tags returns the tags that an attempt gives the artifacts of its build, by target, if it succeeds. A target without a valid tag is missing. After
// tests, so is a target whose artifact Goldsmith has not published.
func Tags(build *v1alpha1.ImageBuild, attempt int32) map[string]string {
	tags := map[string]string{}
	if !movesTags(build, attempt) {
		return tags
	}
	for _, target := range build.Spec.Inputs.Targets {
		name := result.TargetName(target)
		tag, err := inputs.Tag(build, target)
		if err == nil && tag != "" && (len(TestsOf(build, attempt)) == 0 || published(build, name)) {
			tags[name] = tag
		}
	}
	return tags
}

// encodeOutput returns where an attempt publishes the artifacts of its build, or "" if the build publishes none.
func encodeOutput(build *v1alpha1.ImageBuild, attempt int32) (string, error) {
	declared := build.Spec.Inputs.Output
	if declared == nil {
		return "", nil
	}
	for _, target := range build.Spec.Inputs.Targets {
		if _, err := inputs.Tag(build, target); err != nil {
			return "", fmt.Errorf("output.tagTemplate %q: %w", declared.TagTemplate, err)
		}
	}
	output := Output{Attest: declared.Attest, Repository: declared.Repository, Tags: Tags(build, attempt), Gates: Gates(build, attempt)}
	for _, target := range build.Spec.Inputs.Targets {
		if target.ContainerDisk {
			output.ContainerDisks = append(output.ContainerDisks, result.TargetName(target))
		}
	}
	output.Signed = len(TestsOf(build, attempt)) > 0 && signed(build)
	if declared.SecretRef != nil {
		output.Secret = declared.SecretRef.Name
	}
	encoded, err := inputs.CanonicalJSON(output)
	return string(encoded), err
}
