// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"maps"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Builder is what makes an image: a container image that follows the builder contract.
type Builder struct {
	// Image is the reference of the container image.
	Image string
	// Command replaces the entry point of the image. Optional.
	Command []string
	// Reports says that the builder reports its progress, and so needs a token for the API. Only a registered builder's
	// operator says so; one given by its image does not get any.
	Reports bool
}

// Builders are the builders that the operator allows.
type Builders struct {
	// Registered are the builders by name.
	Registered map[string]Builder
	// AllowImages says whether a build may also name a container image of its own.
	AllowImages bool
}

// Lookup finds the builder that a build asks for. The failure is BuilderNotFound or BuilderNotAllowed.
func (b Builders) Lookup(builder v1alpha1.Builder) (Builder, *v1alpha1.BuildFailure) {
	if builder.Image != "" {
		if !b.AllowImages {
			return Builder{}, v1alpha1.ReasonBuilderNotAllowed.Failure(
				"builder.image %q is not allowed here: the operator allows only builders by name (%s)", builder.Image, b.names())
		}
		return Builder{Image: builder.Image, Command: slices.Clone(builder.Command)}, nil
	}
	registered, ok := b.Registered[builder.Name]
	if !ok {
		return Builder{}, v1alpha1.ReasonBuilderNotFound.Failure(
			"no builder is registered as %q: name one of those that are (%s), or have the operator register it", builder.Name, b.names())
	}
	return registered, nil
}

func (b Builders) names() string {
	if len(b.Registered) == 0 {
		return "there are none"
	}
	return strings.Join(slices.Sorted(maps.Keys(b.Registered)), ", ")
}
