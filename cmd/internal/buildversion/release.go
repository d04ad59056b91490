// SPDX-License-Identifier: Apache-2.0

package buildversion

import (
	"cmp"
	"fmt"

	utilversion "k8s.io/apimachinery/pkg/util/version"
)

// Release is a minor version. Its patch versions share the formats of what they store.
type Release struct{ Major, Minor uint }

// ReleaseOf returns the release of a version. A pre-release and a snapshot, such as v0.2.0-rc.1 and v0.1.1-0.20261128-abcdef, belong to the
// release of their first two numbers. ReleaseOf returns false for a version that does not tell its release: "devel", a commit, and the
// v0.0.0-… that go records in a checkout without tags.
func ReleaseOf(version string) (Release, bool) {
	parsed, err := utilversion.ParseSemantic(version)
	if err != nil || parsed.Major() == 0 && parsed.Minor() == 0 && parsed.Patch() == 0 {
		return Release{}, false
	}
	return Release{parsed.Major(), parsed.Minor()}, true
}

// Compare returns a negative number if r is older than the other release, 0 if they are the same, and else a positive number.
func (r Release) Compare(other Release) int {
	return cmp.Or(cmp.Compare(r.Major, other.Major), cmp.Compare(r.Minor, other.Minor))
}

// Next returns the next minor version.
func (r Release) Next() Release { return Release{r.Major, r.Minor + 1} }

// Previous returns the previous minor version, or r if r is the first of its major version.
func (r Release) Previous() Release { return Release{r.Major, r.Minor - min(r.Minor, 1)} }

// String returns the release as in v0.1.
func (r Release) String() string { return fmt.Sprintf("v%d.%d", r.Major, r.Minor) }
