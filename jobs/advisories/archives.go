// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"net/url"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// debianComponents are the components of Debian's archive.
var debianComponents = []string{"main", "contrib", "non-free", "non-free-firmware"}

// maxOtherArchives is how many other archives are told.
const maxOtherArchives = 100

// otherArchivesOf returns the sources of the locks with packages of Debian that are not known to be archives of Debian, for users.
func otherArchivesOf(locks []*v1alpha1.Lock) (others []string) {
	for _, lock := range locks {
		if lock.Distribution == nil || lock.Distribution.ID != debianID || len(lock.Packages) == 0 {
			continue // unmatched as a whole
		}
		if len(lock.Sources) == 0 {
			others = append(others, "a source that the lock does not name")
		}
		for i := range lock.Sources {
			if its := &lock.Sources[i]; !isDebianSource(its) {
				others = append(others, strings.Join(strings.Fields(its.URI+" "+its.Suite+" "+its.Component), " "))
			}
		}
	}
	slices.Sort(others)
	others = slices.Compact(others)
	return others[:min(len(others), maxOtherArchives)]
}

// isDebianSource reports whether a source looks like an archive of Debian: by the path of its URI, its suite and its component. Only the key of its
// release file could prove it, and locks do not have the key.
func isDebianSource(source *v1alpha1.PackageSource) bool {
	suite, _, _ := strings.Cut(source.Suite, "/") // as in buster/updates
	for _, suffix := range []string{"-security", "-updates", "-proposed-updates", "-backports", "-backports-sloppy", "-lts"} {
		if plain, ok := strings.CutSuffix(suite, suffix); ok {
			suite = plain
			break
		}
	}
	named := release(suite)
	known := named != suite && knownRelease(named) || slices.Contains([]string{"sid", "experimental", "testing", "stable", "oldstable", "oldoldstable"}, suite)
	component, _, _ := strings.Cut(strings.TrimPrefix(source.Component, "updates/"), " ")
	return known && slices.Contains(debianComponents, component) && isDebianArchive(source.URI)
}

// isDebianArchive reports whether a path of a URI is that of a mirror of Debian, such as /debian, /debian-security or /archive/debian/20261101T000000Z.
func isDebianArchive(uri string) bool {
	address, err := url.Parse(uri)
	return err == nil && slices.ContainsFunc(strings.Split(address.Path, "/"), func(part string) bool {
		return part == "debian" || part == "debian-security" || part == "debian-archive" || strings.HasSuffix(part, ".debian.org")
	})
}
