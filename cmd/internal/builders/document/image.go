// SPDX-License-Identifier: Apache-2.0

package document

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Extension is the end of the names of documents in a ConfigMap. The names of builders have no dot.
const Extension = ".yaml"

// ImageBuilder is a builder of a cluster.
type ImageBuilder struct {
	// Image is the reference of its container image.
	Image string
	// Description is a line for users. Optional.
	Description string
	// Reports is whether the builder reports its progress.
	Reports bool
	// Capabilities are the parameters that the builder takes, and the targets that it makes. Defaults to all.
	Capabilities capability.Capabilities
	// Placement is what the pods of the builder have besides what their builds ask for.
	Placement inputs.Placement
}

// DecodeImages returns the builders of a document of a ConfigMap by name. entries are the container images of the other entries by name: a
// builder without an image has that of its name. The error joins all problems, each with the builder and the field.
func DecodeImages(content []byte, entries map[string]string) (map[string]ImageBuilder, error) {
	declarations, err := Decode(content)
	var problems []error
	if err != nil {
		problems = append(problems, err)
	}
	builders := map[string]ImageBuilder{}
	for _, declaration := range declarations {
		builder, err := declaration.imageBuilder(entries[declaration.Name])
		if _, twice := builders[declaration.Name]; twice {
			err = errors.Join(err, errors.New("name: is set twice: choose another name"))
		}
		if err != nil {
			problems = append(problems, documents.Within(fmt.Sprintf("builder %q", declaration.Name), err)...)
		}
		builders[declaration.Name] = builder
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return builders, nil
}

// imageBuilder returns the builder that is declared. entry is the image of the entry of its name, or "".
func (b Builder) imageBuilder(entry string) (ImageBuilder, error) {
	declared := ImageBuilder{
		Image: cmp.Or(b.Image, entry), Description: b.Description, Reports: ptr.Deref(b.Reports, false),
		Placement: inputs.Placement{NodeSelector: b.NodeSelector, Tolerations: b.Tolerations, Resources: b.Resources},
	}
	problems := b.Check()
	for _, err := range validation.Template(&v1alpha1.BuildTemplate{NodeSelector: b.NodeSelector, Tolerations: b.Tolerations, Resources: b.Resources}, nil) {
		problems = append(problems, err)
	}
	if b.Image != "" && entry != "" {
		problems = append(problems, fmt.Errorf("image: entry %s has the image, too: remove one of them", b.Name))
	}
	if err := CheckImage(declared.Image); err != nil {
		problems = append(problems, fmt.Errorf("image: %w", err))
	}
	for _, field := range []struct {
		name string
		set  bool
	}{{"path", b.Path != ""}, {"args", b.Args != nil}, {"env", b.Env != nil}, {"workers", b.Workers != nil}, {"unconfined", b.Unconfined}} {
		if field.set {
			problems = append(problems, fmt.Errorf("%s: has no effect: it is for an executable of goldsmith up", field.name))
		}
	}
	var err error
	if declared.Capabilities, err = b.Capabilities(); err != nil {
		problems = append(problems, err)
	}
	return declared, errors.Join(problems...)
}

// CheckImage reports why a text is not the reference of a container image.
func CheckImage(image string) error {
	switch {
	case image == "":
		return errors.New("it is empty: it should hold the reference of a container image")
	case strings.ContainsFunc(image, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%q is not the reference of one container image", image)
	}
	return nil
}
