// SPDX-License-Identifier: Apache-2.0

// Package buildversion returns the version of a program, and compares versions by their release. It must never ask anything but the program
// itself.
package buildversion

import "runtime/debug"

// Unknown is the version of a program that was built from files without a version.
const Unknown = "devel"

// Get returns the version that the linker set. Without one, it returns the version that go recorded in the program: that of the
// module for `go install`, and that of the commit for `go build` in a checkout. It is "devel" if go recorded none.
func Get(linked string) string {
	build, _ := debug.ReadBuildInfo() // nil without module support
	return versionOf(linked, build)
}

func versionOf(linked string, build *debug.BuildInfo) string {
	switch {
	case linked != "":
		return linked
	case build == nil, build.Main.Version == "", build.Main.Version == "(devel)":
		return Unknown
	default:
		return build.Main.Version
	}
}
