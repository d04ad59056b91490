// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"errors"
	"fmt"
	"slices"

	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/attestation"
)

// maxIndexManifests is how many manifests an index can have: one for each target of a build.
const maxIndexManifests = 16

// readIndex reads an OCI image index of manifests. It is strict: a client that reads JSON in another way must not find other manifests in it.
func readIndex(content []byte) (*ociv1.Index, error) {
	index := &ociv1.Index{}
	faults, err := kjson.UnmarshalStrict(content, index)
	switch n := len(index.Manifests); {
	case err != nil:
		return nil, fmt.Errorf("must be JSON: %w", err)
	case index.SchemaVersion != 2 || index.MediaType != ociv1.MediaTypeImageIndex:
		return nil, fmt.Errorf("must have schemaVersion 2 and mediaType %s, as the index has that was pushed", ociv1.MediaTypeImageIndex)
	case len(faults) > 0:
		return nil, fmt.Errorf("must have the fields of an index only, each once: %w", errors.Join(faults...))
	case n == 0 || n > maxIndexManifests:
		return nil, fmt.Errorf("has %d manifests: must have 1 to %d", n, maxIndexManifests)
	}
	return index, nil
}

func invalidIndex(err error) *field.Error {
	return field.Invalid(field.NewPath("index"), field.OmitValueType{}, err.Error())
}

// checkIndex checks that a build publishes, and has attested each manifest of a valid index. Two targets can have the same manifest.
func checkIndex(build *v1alpha1.ImageBuild, request *v1alpha1.BuildAttestation) (errs field.ErrorList) {
	if build.Spec.Inputs.Output == nil {
		return field.ErrorList{field.Forbidden(field.NewPath("index"), "the build has no output: it publishes no index")}
	}
	index, err := readIndex(request.Index)
	if err != nil {
		return field.ErrorList{invalidIndex(err)}
	}
	for i := range index.Manifests {
		digest := index.Manifests[i].Digest.String()
		if !attestedManifest(build, digest) {
			errs = append(errs, invalidIndex(fmt.Errorf("manifests[%d] is %q, which is the manifest of no artifact that this attempt has attested: attest the artifact first", i, digest)))
		}
	}
	return errs
}

// attestedManifest reports whether a manifest is that of an artifact that the build has attested, or that it tests: then the build that made the
// artifact has attested it.
func attestedManifest(build *v1alpha1.ImageBuild, digest string) bool {
	its, of := build.Status.Attestation, build.Spec.Retests
	return its != nil && slices.ContainsFunc(its.Artifacts, func(a v1alpha1.AttestedArtifact) bool { return a.Manifest == digest }) ||
		of != nil && slices.ContainsFunc(of.Artifacts, func(a v1alpha1.Artifact) bool { return a.Location == build.Spec.Inputs.Output.Repository+"@"+digest })
}

// ofIndex returns how an index is attested. The attestation of a build that makes no artifacts begins with it.
func ofIndex(content []byte, retests bool, version string) *subject {
	digest := contents.Digest(content)
	return &subject{
		stored: func(status *v1alpha1.ImageBuildStatus) []v1alpha1.AttestedStatement {
			if index := attestation.FindIndex(status, digest); index != nil {
				return index.Statements
			}
			return nil
		},
		make: func(build *v1alpha1.ImageBuild) ([]attestation.Statement, error) {
			return attestation.MakeIndex(build.Spec.Inputs.Output.Repository, digest)
		},
		add: func(status *v1alpha1.ImageBuildStatus, statements []v1alpha1.AttestedStatement) error {
			if retests && status.Attestation == nil {
				status.Attestation = &v1alpha1.Attestation{Attempt: status.CurrentAttempt, Version: version}
			}
			return attestation.AddIndex(status, &v1alpha1.AttestedIndex{Digest: digest, Statements: statements})
		},
	}
}
