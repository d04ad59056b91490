// SPDX-License-Identifier: Apache-2.0

// Package docs holds the page of this folder that a program shows, so that the page is its only source.
package docs

import _ "embed" // for the page

//go:embed reasons.md
var reasons string

// Reasons returns the page that lists every reason: reasons.md.
func Reasons() string {
	return reasons
}
