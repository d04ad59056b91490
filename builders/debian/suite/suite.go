// SPDX-License-Identifier: Apache-2.0

// Package suite names the release of Debian for the parts of the builder debian that run on Linux, and for those that run anywhere.
package suite

// Name is the release of Debian that the tools of the builder are of, and that the builder makes images of.
const Name = "trixie"

// Version is the version of that release.
const Version = "13"
