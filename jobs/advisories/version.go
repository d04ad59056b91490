// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"regexp"
	"strconv"
	"strings"

	debian "pault.ag/go/debian/version"
)

// compareDebian compares versions as dpkg does (deb-version(7)). It is false if one is no version.
func compareDebian(a, b string) (order int, ok bool) {
	left, err := debian.Parse(a)
	if err != nil {
		return 0, false
	}
	right, err := debian.Parse(b)
	if err != nil {
		return 0, false
	}
	return debian.Compare(left, right), true
}

func isDebian(version string) bool {
	_, err := debian.Parse(version)
	return err == nil && validID(version)
}

var (
	rebuilt  = regexp.MustCompile(`\+b[0-9]+\z`)
	backport = regexp.MustCompile(`~bpo[0-9]+\+[0-9]+\z`)
)

// sourceVersion returns the version of the source package of a Debian package: without the number of a binary rebuild (+b1).
func sourceVersion(binary string) string { return rebuilt.ReplaceAllString(binary, "") }

// signed returns the source package whose code is in a package of signed binaries, which Debian's tracker does not list, with its version.
// linux-signed-amd64 6.12.57+1 is made of linux 6.12.57-1, and grub-efi-amd64-signed 1+2.12+9 of grub2 2.12-9.
func signed(name, version string) (string, string) {
	switch {
	case strings.HasPrefix(name, "linux-signed-"):
		return "linux", strings.Replace(version, "+", "-", 1)
	case strings.HasPrefix(name, "grub-efi-") && strings.HasSuffix(name, "-signed"):
		if _, rest, ok := strings.Cut(version, "+"); ok {
			return "grub2", strings.Replace(rest, "+", "-", 1)
		}
	}
	return name, version
}

// codenames are the releases of Debian by their numbers.
var codenames = map[string]string{
	"8": "jessie", "9": "stretch", "10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky", "15": "duke",
}

// firstRelease is the first release of Debian whose point releases are not releases of their own: 3.1 is none of 3.0, but 13.2 is of 13.
const firstRelease = 4

// knownRelease reports whether a text that release returned is a release of Debian.
func knownRelease(name string) bool {
	return numbered.MatchString(name) || name == "sid" || name == "experimental"
}

var numbered = regexp.MustCompile(`\A[0-9]+(\.[0-9]+)?\z`)

// release returns how this package names a release of Debian: by its number, or sid. Unknown names stay.
func release(name string) string {
	name = strings.ToLower(name)
	if name == "unstable" {
		return "sid"
	}
	for number, codename := range codenames {
		if name == codename {
			return number
		}
	}
	if major, _, ok := strings.Cut(name, "."); ok {
		if number, err := strconv.Atoi(major); err == nil && number >= firstRelease {
			return major
		}
	}
	return name
}
