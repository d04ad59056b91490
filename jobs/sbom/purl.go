// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"slices"
	"strconv"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// The IDs of distributions (os-release(5)) by the type of their package URLs.
var (
	alpm = []string{"arch", "archarm", "endeavouros", "manjaro"}
	apk  = []string{"adelie", "alpine", "chainguard", "postmarketos", "wolfi"}
	deb  = []string{
		"astra", "debian", "deepin", "devuan", "elementary", "gardenlinux", "kali", "linuxmint", "neon", "parrot", "pop", "pureos", "raspbian",
		"trisquel", "ubuntu", "vyos", "zorin",
	}
	rpm = []string{
		"almalinux", "altlinux", "amzn", "anolis", "azurelinux", "centos", "circle", "eurolinux", "fedora", "mageia", "mariner", "miraclelinux",
		"nobara", "ol", "openeuler", "openmandriva", "photon", "rhel", "rocky", "scientific", "sle-micro", "sl-micro", "sled", "sles",
		"sles_sap", "virtuozzo",
	}
)

// PackageURL returns the package URL of a package, in its canonical form (https://github.com/package-url/purl-spec). The qualifiers are those
// that Syft writes and Grype reads: upstream is the source package where it differs.
func PackageURL(lock *v1alpha1.Lock, one *v1alpha1.Package) string {
	if one.PURL != "" {
		return one.PURL
	}
	distribution := lock.Distribution
	if distribution == nil {
		distribution = &v1alpha1.Distribution{}
	}
	kind, namespace := kindOf(distribution.ID)
	name, version, epoch, upstream := one.Name, one.Version, "", ""
	if kind == "alpm" || kind == "apk" || kind == "deb" {
		name = strings.ToLower(name)
	}
	if kind == "rpm" {
		epoch, version = cutEpoch(version)
	}
	if source := one.Source; source != nil && (source.Name != one.Name || source.Version != "" && source.Version != one.Version) {
		upstream = source.Name
		switch _, sourceVersion := cutEpoch(source.Version); {
		case kind == "rpm" && sourceVersion == "":
			upstream = "" // it is the name of a file, which nobody knows
		case kind == "rpm":
			upstream += "-" + sourceVersion + ".src.rpm"
		case source.Version != "" && source.Version != one.Version:
			upstream += "@" + source.Version
		}
	}
	if namespace != "" {
		namespace += "/"
	}
	var qualifiers []string // sorted
	for _, qualifier := range []struct{ key, value string }{
		{"arch", one.Architecture},
		{"distro", strings.TrimSuffix(distribution.ID+"-"+distribution.Version, "-")},
		{"epoch", epoch},
		{"upstream", upstream},
	} {
		if qualifier.value != "" {
			qualifiers = append(qualifiers, qualifier.key+"="+escape(qualifier.value))
		}
	}
	return "pkg:" + kind + "/" + namespace + escape(name) + "@" + escape(version) + "?" + strings.Join(qualifiers, "&")
}

// kindOf returns the type and the namespace of the package URLs of a distribution.
func kindOf(id string) (kind, namespace string) {
	switch {
	case slices.Contains(deb, id):
		return "deb", id
	case slices.Contains(apk, id):
		return "apk", id
	case slices.Contains(alpm, id):
		return "alpm", id
	case id == "rhel":
		return "rpm", "redhat"
	case strings.HasPrefix(id, "opensuse"):
		return "rpm", "opensuse"
	case slices.Contains(rpm, id):
		return "rpm", id
	}
	return "generic", ""
}

// cutEpoch cuts off the epoch of a version, a number.
func cutEpoch(version string) (epoch, rest string) {
	epoch, rest, _ = strings.Cut(version, ":")
	if _, err := strconv.ParseUint(epoch, 10, 32); err != nil || rest == "" {
		return "", version
	}
	return epoch, rest
}

// escape encodes a part of a package URL.
func escape(part string) string {
	var escaped strings.Builder
	for _, octet := range []byte(part) {
		if octet >= 'a' && octet <= 'z' || octet >= 'A' && octet <= 'Z' || octet >= '0' && octet <= '9' || strings.IndexByte("-._~:", octet) >= 0 {
			escaped.WriteByte(octet)
			continue
		}
		const digits = "0123456789ABCDEF"
		escaped.WriteByte('%')
		escaped.WriteByte(digits[octet>>4])
		escaped.WriteByte(digits[octet&0xF])
	}
	return escaped.String()
}
