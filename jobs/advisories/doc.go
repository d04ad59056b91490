// SPDX-License-Identifier: Apache-2.0

// Package advisories finds the known vulnerabilities of the packages in a lock.
//
// Read reads advisories: the JSON of Debian's security tracker, OSV, or OpenVEX. Match compares locks with what was read. The content comes
// from elsewhere, so Read limits its memory, and skips and counts entries that make no sense. The package reads no files, and knows no clock.
package advisories
