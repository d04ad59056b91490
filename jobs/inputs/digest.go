// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// digested is the document that Digest hashes. Fields are in the order of their JSON names, so that it is canonical. A field
// that is added later must be omitted if empty, because a changed digest rebuilds every image.
type digested struct {
	Base       digestedBase      `json:"base"`
	Builder    digestedBuilder   `json:"builder"`
	Files      map[string]string `json:"files"`
	Output     *digestedOutput   `json:"output,omitempty"`
	Parameters map[string]string `json:"parameters"`
	Targets    []digestedTarget  `json:"targets"`
	Template   any               `json:"template,omitempty"`
}

// digestedBase is a base as Digest counts it: a reference, or the name of an Image and the digest of its artifacts. Digest ignores
// which channel or build has these artifacts.
type digestedBase struct {
	Digest    string `json:"digest,omitempty"`
	Image     string `json:"image,omitempty"`
	Reference string `json:"reference,omitempty"`
}

type digestedBuilder struct {
	Command []string `json:"command,omitempty"`
	Image   string   `json:"image,omitempty"`
	Name    string   `json:"name,omitempty"`
}

type digestedTarget struct {
	Format   v1alpha1.ArtifactFormat `json:"format"`
	Platform string                  `json:"platform"`
}

// Digest identifies the inputs of an image: "sha256:" and 64 hex digits, over canonical JSON. It ignores the order of
// parameters and targets, the origin of files, and an empty template. baseDigest is the digest of the Image that
// base.imageRef names, and counts only if base.imageRef is set.
func Digest(inputs v1alpha1.BuildInputs, files map[string]string, baseDigest string) string {
	document := digested{
		Base:       digestedBase{Reference: inputs.Base.Reference},
		Builder:    digestedBuilder{Command: inputs.Builder.Command, Image: inputs.Builder.Image, Name: inputs.Builder.Name},
		Files:      files,
		Output:     digestOutput(inputs.Output),
		Parameters: Parameters(inputs),
		Targets:    make([]digestedTarget, 0, len(inputs.Targets)),
		Template:   digestedTemplate(inputs.Template),
	}
	if image := inputs.Base.ImageRef; image != nil {
		document.Base = digestedBase{Digest: baseDigest, Image: image.Name}
	}
	if document.Files == nil {
		document.Files = map[string]string{}
	}
	for _, target := range inputs.Targets {
		document.Targets = append(document.Targets, digestedTarget{Format: target.Format, Platform: target.Platform})
	}
	slices.SortFunc(document.Targets, func(a, b digestedTarget) int {
		return cmp.Or(cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Format, b.Format))
	})
	return contents.Digest(mustCanonicalJSON(document))
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
