// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
	debian "pault.ag/go/debian/version"
)

// compare compares two versions. It is false if one is no version.
type compare func(a, b string) (order int, ok bool)

// ordered returns how an ecosystem of OSV orders its versions, or nil if that is not known here.
func ordered(ecosystem string) compare {
	switch ecosystem {
	case "Debian", "Ubuntu":
		return compareDebian
	case "npm", "Go", "crates.io", "Hex", "Pub":
		return compareSemantic
	}
	return nil
}

// compareDebian compares versions as dpkg does (deb-version(7)).
func compareDebian(a, b string) (int, bool) {
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

// compareSemantic compares versions as https://semver.org says. A v in front is allowed, as Go writes it.
func compareSemantic(a, b string) (int, bool) {
	a, b = "v"+strings.TrimPrefix(a, "v"), "v"+strings.TrimPrefix(b, "v")
	return semver.Compare(a, b), semver.IsValid(a) && semver.IsValid(b)
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
	if major, _, ok := strings.Cut(name, "."); ok && codenames[major] != "" {
		return major
	}
	return name
}
