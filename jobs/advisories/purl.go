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
	case "deb", "oci":
		read.namespace, read.name = strings.ToLower(read.namespace), strings.ToLower(read.name)
	}
	return read, read.name != ""
}

// ofVersion reports whether the package URL names a version, or all versions. The epoch 0 is that of a version without an epoch.
func (p purl) ofVersion(version string) bool {
	return p.version == "" || strings.TrimPrefix(p.version, "0:") == strings.TrimPrefix(version, "0:")
}

// origin returns whose package it is, for users: the type of the package URL, and the distribution.
func (p purl) origin() string {
	switch p.kind {
	case "deb", "apk", "rpm":
		if validID(p.namespace) {
			return p.kind + "/" + p.namespace
		}
	}
	return cutText(p.kind, maxID)
}
