// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"fmt"
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
				"builder.image %q is not allowed here: the operator allows only builders by name (%s)", builder.Image, b.names(shownNames))
		}
		return Builder{Image: builder.Image, Command: slices.Clone(builder.Command)}, nil
	}
	registered, ok := b.Registered[builder.Name]
	if !ok {
		return Builder{}, b.notFound(builder.Name)
	}
	return registered, nil
}

// shownNames is how many characters of registered names the message about a builder's image shows.
const shownNames = 60

// maxLookupMessage is how long the message about an unknown builder is at most: that of a condition.
const maxLookupMessage = 200

// notFound reports a name that nobody registered, those that are registered, and how to register one.
func (b Builders) notFound(name string) *v1alpha1.BuildFailure {
	problem := fmt.Sprintf("no builder is registered as %.63q: use ", name)
	const remedy = "; or register it: goldsmith up --builder, or ConfigMap goldsmith-builders"
	return v1alpha1.ReasonBuilderNotFound.Failure("%s", problem+b.names(maxLookupMessage-len(problem)-len(remedy))+remedy)
}

// names lists the registered builders, sorted, and only counts those that have no room.
func (b Builders) names(room int) string {
	names := slices.Sorted(maps.Keys(b.Registered))
	if len(names) == 0 {
		return "another, but there is none"
	}
	if all := strings.Join(names, ", "); len(all) <= room {
		return all
	}
	for shown := len(names) - 1; shown > 0; shown-- {
		if list := fmt.Sprintf("%s or %d more", strings.Join(names[:shown], ", "), len(names)-shown); len(list) <= room {
			return list
		}
	}
	return fmt.Sprintf("one of %d others", len(names))
}
