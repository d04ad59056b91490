// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// The digest's document. Fields are in the order of their JSON names, so that it is canonical. A field added later
// must be left out where it is empty: a digest that changes by itself rebuilds every image.
type digested struct {
	Base       v1alpha1.Base     `json:"base"`
	Builder    digestedBuilder   `json:"builder"`
	Files      map[string]string `json:"files"`
	Parameters map[string]string `json:"parameters"`
	Targets    []digestedTarget  `json:"targets"`
	Template   any               `json:"template,omitempty"`
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

// Digest identifies what goes into an image: "sha256:" and 64 hex digits, over canonical JSON. The order of
// parameters and targets does not count, files count by content, wherever they come from, and a template that says
// nothing is none.
func Digest(inputs v1alpha1.BuildInputs, files map[string]string) string {
	document := digested{
		Base:       inputs.Base,
		Builder:    digestedBuilder{Command: inputs.Builder.Command, Image: inputs.Builder.Image, Name: inputs.Builder.Name},
		Files:      files,
		Parameters: Parameters(inputs),
		Targets:    make([]digestedTarget, 0, len(inputs.Targets)),
		Template:   digestedTemplate(inputs.Template),
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
	return DigestBytes(mustCanonicalJSON(document))
}

// DigestBytes is the sha256 digest of content: "sha256:" and 64 hex digits.
func DigestBytes(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
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

// mustCanonicalJSON is for values made of strings and numbers: encoding those cannot fail.
func mustCanonicalJSON(value any) []byte {
	encoded, err := CanonicalJSON(value)
	if err != nil {
		panic(err)
	}
	return encoded
}
