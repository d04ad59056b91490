// SPDX-License-Identifier: Apache-2.0

// Package kubeversion reports the Kubernetes version that a program was built with: v0.37.2 of the Kubernetes modules
// belongs to Kubernetes v1.37.2. It must never report a minor version other than that of the library.
package kubeversion

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	_ "unsafe" // for go:linkname

	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/component-base/version"
)

// library is the module whose package version serves /version and prints `kubectl version`.
const library = "k8s.io/component-base"

// The variables of the library that the linker flags of a Kubernetes release set. The library has no other way to set
// them, and `go install` passes no linker flags.
//
//go:linkname gitMajor k8s.io/component-base/version.gitMajor
//go:linkname gitMinor k8s.io/component-base/version.gitMinor
//go:linkname gitVersion k8s.io/component-base/version.gitVersion
var gitMajor, gitMinor, gitVersion string

// set runs once in a process, because servers in the process read the variables at any time.
var set = sync.OnceValue(func() error {
	if version.Get().Major != "" {
		return nil // set by linker flags
	}
	build, _ := debug.ReadBuildInfo() // nil without module support
	return report(of(build))
})

// Set makes version.Get of the library return the Kubernetes version that this program was built with, such as v1.37.2.
// Without it, version.Get returns the placeholder v0.0.0-master. The version comes from the build information. A build that
// records no modules, such as a test binary, reports patch 0 of the minor version. A version from linker flags is kept.
// The servers of package builder call Set. Other programs that report the version call it first.
func Set() error { return set() }

// of returns the Kubernetes version of a build.
func of(build *debug.BuildInfo) string {
	if build == nil {
		build = &debug.BuildInfo{}
	}
	for _, module := range build.Deps {
		if module.Path != library {
			continue
		}
		if module.Replace != nil {
			module = module.Replace
		}
		if minor, found := strings.CutPrefix(module.Version, "v0."); found {
			return "v1." + minor
		}
	}
	return "v" + version.DefaultKubeBinaryVersion + ".0"
}

// report makes the library report a version.
func report(kubernetes string) error {
	parsed, err := utilversion.ParseSemantic(kubernetes)
	if err != nil {
		return fmt.Errorf("parse the version of %s: %w", library, err)
	}
	gitMajor, gitMinor, gitVersion = utilversion.Itoa(parsed.Major()), utilversion.Itoa(parsed.Minor()), kubernetes
	if err := version.SetDynamicVersion(kubernetes); err != nil { // copies gitVersion, and accepts no other version
		return fmt.Errorf("report Kubernetes version %s: %w", kubernetes, err)
	}
	return nil
}
