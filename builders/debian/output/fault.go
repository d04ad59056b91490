// SPDX-License-Identifier: Apache-2.0

package output

import "regexp"

// Fault is why mmdebstrap failed. FaultOf also returns texts that name it, the first of which is what is told.
type Fault int

// The faults.
const (
	Unknown Fault = iota
	DiskFull
	// ReleaseFileExpired has the release file, and "expired" or "not valid yet".
	ReleaseFileExpired
	// WrongSignature has the release file.
	WrongSignature
	// NotAMirror has the URL, and the release that it lacks.
	NotAMirror
	// MirrorUnavailable means that the mirror cannot be reached, changes at this moment, or sends half a file. Another attempt can succeed.
	MirrorUnavailable
	// UnknownPackage has the package.
	UnknownPackage
	// UnknownVersion has the version, and the package.
	UnknownVersion
)

// faults are what mmdebstrap and apt print. The first that matches counts.
var faults = []struct {
	fault   Fault
	pattern *regexp.Regexp
}{
	{DiskFull, Full},
	{ReleaseFileExpired, regexp.MustCompile(`Release file for (\S+) is (expired|not valid yet)`)},
	{MirrorUnavailable, regexp.MustCompile(`(Failed to fetch \S+ +(?:40[137]|429|5\d\d) .*)`)}, // of a refused release file, apt also says that it is not signed
	{WrongSignature, regexp.MustCompile(`(?:The repository '|GPG error: )(.*?)(?:' is not signed|: The following signatures )`)},
	{NotAMirror, regexp.MustCompile(`The repository '(\S+) (\S+) .*does not have a Release file`)},
	{MirrorUnavailable, regexp.MustCompile(`(Failed to fetch|Hash Sum mismatch|File has unexpected size).*`)},
	{MirrorUnavailable, regexp.MustCompile(`(Could not (resolve|connect)|Temporary failure resolving|Connection (failed|timed out|refused|reset)|` +
		`Network is unreachable|Error reading from server).*`)},
	{UnknownPackage, regexp.MustCompile(`Unable to locate package (\S+)`)},
	{UnknownVersion, regexp.MustCompile(`Version '(\S+)' for '(\S+)' was not found`)},
	{UnknownPackage, regexp.MustCompile(`Package '?(\S+?)'? has no installation candidate`)},
}

// FaultOf returns what the lines of mmdebstrap mean.
func FaultOf(lines []string) (fault Fault, found []string) {
	for _, known := range faults {
		for _, line := range lines {
			if found := known.pattern.FindStringSubmatch(line); found != nil {
				return known.fault, found
			}
		}
	}
	return Unknown, nil
}
