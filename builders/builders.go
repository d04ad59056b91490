// SPDX-License-Identifier: Apache-2.0

// Package builders lists the builders that ship with Goldsmith. Packages disk and oci make what several of them need.
package builders

import (
	"context"
	"io"
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/mock/schema"
)

// Main runs a builder and returns its exit code. getenv looks up the variables of the builder contract. SIGTERM and the end of ctx end it.
type Main func(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer, args []string) int

// Builder is a builder that ships with Goldsmith. `goldsmith up` registers it under its name, which no other builder can have.
type Builder struct {
	// Name is what images refer to, and Description a line for users.
	Name, Description string
	// Command is the name of the hidden subcommand of goldsmith that runs Main, and of the program in the sandbox of the builder.
	Command string
	// Image is the name of the container image of the builder, and of the program in it.
	Image string
	Programs
	// Capabilities are the inputs that the builder takes, the targets that it makes, and its reasons.
	Capabilities capability.Capabilities
	// First is what `goldsmith init` writes to an Image with the builder. It is nil for a builder that only runs tests.
	First *First
}

// Programs run a builder. Without Linux there are none: programs of other systems only describe the builder.
type Programs struct {
	// Main runs the builder as a process of the machine.
	Main Main
	// Inside runs the builder inside a sandbox that Main makes from the executable of this process. Nil means that Main makes none. If
	// it is set, the builder is not confined by goldsmith up.
	Inside Main
	// Missing returns a function that tells what the machine lacks for Main, for callers that ask often. Optional.
	Missing func() func() error
	// Environment returns the variables, as NAME=VALUE, that Main needs besides those of the contract. cache is a directory for what later
	// builds can use, of at most limit bytes, or empty. Optional.
	Environment func(getenv func(string) string, cache string, limit int64) []string
}

// mockName is the name of the test builder.
const mockName = "mock"

// First is a part of a first Image.
type First struct {
	// Base is the reference of its base.
	Base string
	// About and Parameters are comments.
	About, Parameters string
	// Values returns the values of parameters for an Image of a name.
	Values func(image string) []v1alpha1.Parameter
}

// Shipped returns the builders that ship with Goldsmith.
func Shipped() []Builder {
	return []Builder{
		{
			Name: mockName, Description: "Test builder that writes small files and fails on request",
			Command: "mock-builder", Image: "mock-builder", Programs: programs[mockName],
			Capabilities: capability.Capabilities{Probe: true, Parameters: schema.Parameters()},
			First: &First{
				Base:  debian.Base, // any
				About: "takes as long as parameters.duration, and makes nothing but a digest",
				Values: func(string) []v1alpha1.Parameter {
					return []v1alpha1.Parameter{{Name: "duration", Value: "5s"}, {Name: "steps", Value: "5"}}
				},
			},
		},
		{
			Name: debian.Name, Description: debian.Description,
			Command: "debian-builder", Image: "debian-builder", Programs: programs[debian.Name],
			Capabilities: debian.Capabilities(),
			First: &First{
				Base:  debian.Base,
				About: "makes a disk that boots: docs/debian.md of Goldsmith", Parameters: "`goldsmith builders debian` lists them",
				Values: func(image string) []v1alpha1.Parameter {
					return []v1alpha1.Parameter{{Name: "packages", Value: "nginx-light curl"}, {Name: "hostname", Value: image}}
				},
			},
		},
		{
			Name: inputs.Tester, Description: "Runs the tests of images in virtual machines, and makes no image",
			Command: "tester", Image: "goldsmith-tester", Programs: programs[inputs.Tester],
			Capabilities: capability.Capabilities{Parameters: &capability.Schema{}}, // none
		},
	}
}

// Find returns the builder of a name that ships with Goldsmith.
func Find(name string) (Builder, bool) {
	all := Shipped()
	at := slices.IndexFunc(all, func(builder Builder) bool { return builder.Name == name })
	if at < 0 {
		return Builder{}, false
	}
	return all[at], true
}

// Names returns the names of the builders that ship with Goldsmith and make images.
func Names() []string {
	var names []string
	for _, builder := range Shipped() {
		if builder.First != nil {
			names = append(names, builder.Name)
		}
	}
	return names
}
