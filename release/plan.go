// SPDX-License-Identifier: Apache-2.0

package main

import (
	"goldsmith.dev/goldsmith/release/program"
)

// plan is what a release consists of.
type plan struct {
	// command is the program of the archives and packages.
	command string
	// archives are the platforms of the archives. Those of Linux have packages too.
	archives []program.Platform
	// images are the container images, by the name of their program, with their platforms.
	images map[string][]program.Platform
	// tools are the names of the images that also have the tools that their programs make.
	tools []string
	// documented tells that command has manual pages and completions, and packages.
	documented bool
	// clusters tells that there is a kustomization, which installs the images in a cluster.
	clusters bool
}

// everything is the plan of a release.
func everything() plan {
	amd64, arm64 := program.Platform{OS: "linux", Architecture: "amd64"}, program.Platform{OS: "linux", Architecture: "arm64"}
	both := []program.Platform{amd64, arm64}
	return plan{
		command: "goldsmith",
		archives: []program.Platform{
			amd64, arm64, {OS: "darwin", Architecture: "amd64"}, {OS: "darwin", Architecture: "arm64"}, {OS: "windows", Architecture: "amd64"},
		},
		images: map[string][]program.Platform{
			"goldsmith-apiserver": both, "goldsmith-controller": both, "goldsmith-console": both, "mock-builder": both,
			"debian-builder": {amd64}, "goldsmith-tester": {amd64}, // they make and test images of amd64 only
		},
		tools:      []string{"debian-builder", "goldsmith-tester"},
		documented: true,
		clusters:   true,
	}
}

// platforms returns each platform of the plan once, with the programs that are compiled for it.
func (p *plan) platforms() ([]program.Platform, map[program.Platform][]string) {
	var order []program.Platform
	programs := map[program.Platform][]string{}
	add := func(platform program.Platform, name string) {
		if _, seen := programs[platform]; !seen {
			order = append(order, platform)
		}
		programs[platform] = append(programs[platform], name)
	}
	for _, platform := range p.archives {
		add(platform, p.command)
	}
	for _, name := range p.imageNames() {
		for _, platform := range p.images[name] {
			add(platform, name)
		}
	}
	return order, programs
}
