// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"net/url"
	"strings"
)

// purl is a package URL (https://github.com/package-url/purl-spec).
type purl struct {
	kind, namespace, name, version string
	qualifiers                     url.Values
}

// parsePURL reads a package URL. It is false for another text.
func parsePURL(text string) (purl, bool) {
	rest, ok := strings.CutPrefix(text, "pkg:")
	if !ok || len(text) > 4096 {
		return purl{}, false
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	kind, path, ok := strings.Cut(strings.TrimLeft(rest, "/"), "/")
	if !ok {
		return purl{}, false
	}
	read := purl{kind: strings.ToLower(kind)}
	if at := strings.LastIndexByte(path, '@'); at > 0 && !strings.Contains(path[at:], "/") { // not that of an npm scope
		path, read.version = path[:at], path[at+1:]
	}
	path = strings.Trim(path, "/")
	if slash := strings.LastIndexByte(path, '/'); slash >= 0 {
		read.namespace, path = path[:slash], path[slash+1:]
	}
	read.name = path
	for _, part := range []*string{&read.namespace, &read.name, &read.version} {
		plain, err := url.PathUnescape(*part)
		if err != nil {
			return purl{}, false
		}
		*part = plain
	}
	qualifiers, err := url.ParseQuery(strings.ReplaceAll(query, "+", "%2B"))
	if err != nil {
		return purl{}, false
	}
	read.qualifiers = qualifiers
	switch read.kind {
	case "deb", "apk", "oci", "golang", "composer", "nuget":
		read.namespace, read.name = strings.ToLower(read.namespace), strings.ToLower(read.name)
	case "pypi":
		read.name = strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(read.name))
	case "rpm":
		if epoch := qualifiers.Get("epoch"); epoch != "" && read.version != "" {
			read.version = epoch + ":" + read.version // as locks have it
		}
	}
	return read, read.name != ""
}

// ofVersion reports whether the package URL names a version, or all versions. The epoch 0 is that of a version without an epoch.
func (p purl) ofVersion(version string) bool {
	return p.version == "" || strings.TrimPrefix(p.version, "0:") == strings.TrimPrefix(version, "0:")
}

// ecosystem returns the ecosystem of OSV of a package, and its name there. It is "" if OSV has none.
func (p purl) ecosystem() (ecosystem, name string) {
	slash := func() string { return strings.TrimPrefix(p.namespace+"/"+p.name, "/") }
	switch p.kind {
	case "npm":
		return "npm", slash()
	case "pypi":
		return "PyPI", p.name
	case "golang":
		return "Go", slash()
	case "cargo":
		return "crates.io", p.name
	case "gem":
		return "RubyGems", p.name
	case "maven":
		return "Maven", p.namespace + ":" + p.name
	case "nuget":
		return "NuGet", p.name
	case "composer":
		return "Packagist", slash()
	case "hex":
		return "Hex", slash()
	case "pub":
		return "Pub", p.name
	}
	return "", ""
}

// packageName returns how the name of a package in OSV is compared.
func packageName(ecosystem, name string) string {
	switch ecosystem {
	case "PyPI":
		return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
	case "NuGet", "Packagist", "Go":
		return strings.ToLower(name)
	}
	return name
}
