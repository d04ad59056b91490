// SPDX-License-Identifier: Apache-2.0

// Package advisories finds the known vulnerabilities of the packages of Debian in a lock.
//
// Read reads advisories: the JSON of Debian's security tracker, OSV, or OpenVEX. Find compares locks with what was read. The content comes
// from elsewhere, so Read limits its memory, and counts entries that cannot be read: the packages that they name are unmatched. Packages of other
// distributions and ecosystems are unmatched, too. The package reads no files, and knows no clock.
package advisories
