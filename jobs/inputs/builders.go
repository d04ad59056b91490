// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/capability"
)

// Builder is what makes an image: a container image that follows the builder contract.
type Builder struct {
	// Image is the reference of the container image.
	Image string
	// Command replaces the entry point of the image. Optional.
	Command []string
	// Reports is whether the builder reports its progress, for which it needs a token for the API. The operator sets it for a
	// registered builder. A builder that is given by its image gets no token.
	Reports bool
	// Capabilities are the parameters that a registered builder takes, and the targets that it makes. Defaults to all.
	Capabilities capability.Capabilities
	// Description is a line about a registered builder, for users. Optional.
	Description string
	// Executable describes, for users, the program that runs on the server's machine in place of Image. It is called for each request.
	// Nil means that Image is a container image.
	Executable func() *v1alpha1.BuilderExecutable
	// Placement is what the pods of a registered builder have besides what their builds ask for. Optional.
	Placement Placement
	// Publisher publishes the artifacts, if the build has an output.
	Publisher Publisher
}

// Placement is what an operator adds to the pods of a builder, such as a node selector and a device for machines with KVM.
type Placement struct {
	// NodeSelector are labels that nodes need. They replace those of the build with the same names.
	NodeSelector map[string]string
	// Tolerations are further tolerations.
	Tolerations []corev1.Toleration
	// Resources are those of the container of the builder, except for the resources for which the build sets a request or a limit.
	Resources *v1alpha1.ResourceRequirements
}

// Publisher is what publishes artifacts in registries. With the zero value, builds with an output cannot run.
type Publisher struct {
	// Agent is whether the agent that runs the builder publishes. Then the other fields are not read.
	Agent bool
	// Image is the reference of a container image whose program publishes, with the arguments that package render gives it.
	Image string
	// PlainHTTP are the registries, HOST[:PORT], that are reached without TLS besides those on loopback addresses.
	PlainHTTP []string
	// Checker is the reference of a container image whose program finds out what the sources of Images name. Defaults to Image.
	Checker string
	// AllowedNetworks are the networks, ADDRESS/BITS, of sources that are reached although they are loopback or link-local.
	AllowedNetworks []string
	// Proxy are the variables of proxies, without credentials, for the containers that reach a source.
	Proxy []corev1.EnvVar
}

// Builders are the builders that the operator allows.
type Builders struct {
	// Registered are the builders by name.
	Registered map[string]Builder
	// Current returns the builders by name, and replaces Registered, if builders can change while the server runs. It is called for
	// each lookup, from several goroutines. Callers do not change its map. Optional.
	Current func() map[string]Builder
	// AllowImages is whether a build may also name a container image of its own.
	AllowImages bool
	// Publisher publishes the artifacts of all builders.
	Publisher Publisher
}

// Checker returns what finds out what the sources of Images name.
func (b Builders) Checker() Builder {
	return Builder{Image: cmp.Or(b.Publisher.Checker, b.Publisher.Image), Publisher: b.Publisher}
}

// Lookup finds the builder that a build asks for. The failure is BuilderNotFound or BuilderNotAllowed.
func (b Builders) Lookup(builder v1alpha1.BuilderReference) (Builder, *v1alpha1.BuildFailure) {
	if builder.Image != "" {
		if !b.AllowImages {
			return Builder{}, v1alpha1.ReasonBuilderNotAllowed.Failure(
				"builder.image %q is not allowed on this server: use a registered builder (%s)", builder.Image, b.names(shownNames))
		}
		return Builder{Image: builder.Image, Command: slices.Clone(builder.Command), Publisher: b.Publisher}, nil
	}
	registered, ok := b.All()[builder.Name]
	if !ok {
		return Builder{}, b.notFound(builder.Name)
	}
	registered.Publisher = b.Publisher
	return registered, nil
}

// All returns the registered builders by name. Callers do not change the map.
func (b Builders) All() map[string]Builder {
	if b.Current != nil {
		return b.Current()
	}
	return b.Registered
}

// shownNames is how many characters of registered names the message about a builder's image shows.
const shownNames = 60

// maxLookupMessage is the maximum length of the message about an unknown builder.
const maxLookupMessage = 200

// notFound reports an unknown name, the registered builders, and how to register one.
func (b Builders) notFound(name string) *v1alpha1.BuildFailure {
	problem := fmt.Sprintf("no builder is registered as %.63q: ", name)
	const remedy = "register it: goldsmith up --builders, or ConfigMap goldsmith-builders"
	if len(b.All()) > 0 {
		room := maxLookupMessage - len(problem) - len(remedy) - len("use ; or ")
		problem += "use " + b.names(room) + "; or "
	}
	return v1alpha1.ReasonBuilderNotFound.Failure("%s", problem+remedy)
}

// names lists the registered builders that make images, sorted. Builders for which there is no room are only counted.
func (b Builders) names(room int) string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(b.All())), func(name string) bool { return name == Tester })
	if len(names) == 0 {
		return "none is registered"
	}
	if all := strings.Join(names, ", "); len(all) <= room {
		return all
	}
	for shown := len(names) - 1; shown > 0; shown-- {
		if list := fmt.Sprintf("%s or %d more", strings.Join(names[:shown], ", "), len(names)-shown); len(list) <= room {
			return list
		}
	}
	return fmt.Sprintf("one of %d builders", len(names))
}
