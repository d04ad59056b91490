// SPDX-License-Identifier: Apache-2.0

// Package troubleshooting breaks an installation in each of the ways that docs/troubleshooting.md explains, and expects to
// see what that says: a line there that tells of a command and of what it shows is a test.
//
// It must never say itself what is seen.
package troubleshooting
