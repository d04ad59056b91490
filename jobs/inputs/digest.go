// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"bytes"
	"encoding/json"
	"fmt"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Digest identifies the inputs of an image: "sha256:" and 64 hex digits, over the canonical JSON of their document. baseDigest is the
// digest of the Image that base.imageRef names, and counts only if base.imageRef is set. revision is what source.git or source.oci resolves to, and
// counts only if one of them is set.
func Digest(inputs v1alpha1.BuildInputs, files map[string]string, baseDigest, revision string) string {
	return contents.Digest(mustCanonicalJSON(newDocument(inputs, files, baseDigest, revision)))
}

// ArtifactsDigest is the digest of a build's artifacts, which Images that are based on the build count as an input. For several
// artifacts, it is a digest over all of them, in any order. It is empty if there are none.
func ArtifactsDigest(artifacts []v1alpha1.Artifact) string {
	switch len(artifacts) {
	case 0:
		return ""
	case 1:
		return artifacts[0].Digest
	}
	digests := make(map[string]string, len(artifacts))
	for _, artifact := range artifacts {
		digests[artifact.Target] = artifact.Digest
	}
	return contents.Digest(mustCanonicalJSON(digests))
}

// Parameters are the parameters by name; never nil.
func Parameters(inputs v1alpha1.BuildInputs) map[string]string {
	parameters := make(map[string]string, len(inputs.Parameters))
	for _, parameter := range inputs.Parameters {
		parameters[parameter.Name] = parameter.Value
	}
	return parameters
}

// CanonicalJSON encodes value without white space and without HTML escaping, the keys of maps sorted. Fields of
// structs come in the order they are declared in: declare them sorted by their JSON names.
func CanonicalJSON(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("encode canonical JSON: %w", err)
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// mustCanonicalJSON is for values of strings and numbers, whose encoding cannot fail.
func mustCanonicalJSON(value any) []byte {
	encoded, err := CanonicalJSON(value)
	if err != nil {
		panic(err)
	}
	return encoded
}
