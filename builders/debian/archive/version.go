// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"pault.ag/go/debian/version"
)

// newer reports whether a version is newer than an installed version, as dpkg compares versions (deb-version(7)). It is false for a text that is no version.
func newer(candidate, installed string) bool {
	a, err := version.Parse(candidate)
	if err != nil {
		return false
	}
	b, err := version.Parse(installed)
	return err == nil && version.Compare(a, b) > 0
}
