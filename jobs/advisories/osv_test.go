// SPDX-License-Identifier: Apache-2.0

package advisories_test

import (
	"fmt"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

// The entries have the shape of those of https://osv-vulnerabilities.storage.googleapis.com.
const (
	debianCVE = `{"id": "DEBIAN-CVE-2026-1001", "upstream": ["CVE-2026-1001"], "modified": "2026-11-01T00:00:00Z", "details": "A heap overflow in libexpat",
 "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
 "affected": [
  {"package": {"ecosystem": "Debian:12", "name": "expat", "purl": "pkg:deb/debian/expat?arch=source"},
   "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}], "versions": ["2.5.0-1"], "ecosystem_specific": {"urgency": "not yet assigned"}},
  {"package": {"ecosystem": "Debian:13", "name": "expat", "purl": "pkg:deb/debian/expat?arch=source"},
   "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.7.1-2"}]}], "versions": ["2.7.1-1"], "ecosystem_specific": {"urgency": "unimportant"}}]}`
	dsa = `{"id": "DSA-6001-1", "upstream": ["CVE-2026-1001", "CVE-2026-1002"], "details": "expat - security update",
 "affected": [{"package": {"ecosystem": "Debian:12", "name": "expat"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.5.0-1+deb12u2"}]}]}]}`
	generic = `{"id": "CVE-2026-1003", "affected": [
  {"package": {"ecosystem": "Debian", "name": "zlib"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1:1.2.0"}, {"fixed": "1:1.3.1-1"}]}]},
  {"package": {"ecosystem": "Debian:13", "name": "zlib"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1:1.2.13-1"}]}]}]}`
	ghsa = `{"id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2026-1004"], "summary": "Prototype pollution", "database_specific": {"severity": "MODERATE", "cwe_ids": ["CWE-1321"]},
 "affected": [{"package": {"ecosystem": "npm", "name": "@acme/pad"}, "ranges": [
   {"type": "SEMVER", "events": [{"introduced": "2.0.0"}, {"fixed": "2.3.1"}]}, {"type": "SEMVER", "events": [{"fixed": "1.4.2"}, {"introduced": "0"}]},
   {"type": "GIT", "repo": "https://example.com/pad", "events": [{"introduced": "0"}, {"fixed": "6879efc2c1596d11a6a6ad296f80063b558d5e0f"}]}]}]}`
	pysec = `{"id": "PYSEC-2026-7", "aliases": ["GHSA-dddd-eeee-ffff"], "details": "x", "affected": [{"package": {"ecosystem": "PyPI", "name": "My_Package"},
 "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "1.2"}]}], "versions": ["1.0", "1.2"]}]}`
	pyGHSA = `{"id": "GHSA-dddd-eeee-ffff", "aliases": ["CVE-2026-1005"], "severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}],
 "affected": [{"package": {"ecosystem": "PyPI", "name": "my-package"}, "versions": ["1.2"]}]}`
	golang = `{"id": "GO-2026-1", "aliases": ["CVE-2026-1006"], "affected": [{"package": {"ecosystem": "Go", "name": "example.com/Mod/v2"},
 "ranges": [{"type": "SEMVER", "events": [{"introduced": "2.0.0"}, {"last_affected": "2.1.0"}, {"introduced": "2.3.0"}]}]}]}`
	alpine = `{"id": "ALPINE-CVE-2026-1007", "upstream": ["CVE-2026-1007"], "affected": [{"package": {"ecosystem": "Alpine:v3.22", "name": "musl"},
 "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2.5-r9"}]}], "versions": ["1.2.5-r8"]}]}`
	rpm       = `{"id": "RHSA-1", "affected": [{"package": {"ecosystem": "Rocky Linux:9", "name": "bash"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0:5.1.8-9.el9"}]}]}]}`
	withdrawn = `{"id": "CVE-2026-1008", "withdrawn": "2026-11-01T00:00:00Z", "affected": [{"package": {"ecosystem": "Debian:13", "name": "expat"}, "versions": ["2.7.1-1"]}]}`
	commits   = `{"id": "CVE-2026-1009", "affected": [{"ranges": [{"type": "GIT", "repo": "https://example.com/x", "events": [{"introduced": "0"}]}]}]}`
	ubuntu    = `{"id": "UBUNTU-CVE-2026-1010", "upstream": ["CVE-2026-1010"], "severity": [{"type": "Ubuntu", "score": "medium"}], "affected": [
 {"package": {"ecosystem": "Ubuntu:Pro:24.04:LTS", "name": "bash"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9"}]}]},
 {"package": {"ecosystem": "Ubuntu:24.04:LTS", "name": "bash"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "5.2.21-2ubuntu5"}]}]}]}`
)

// ofOthers is a lock of packages that belong to no distribution, as package URLs.
func ofOthers(urls ...string) *v1alpha1.Lock {
	lock := &v1alpha1.Lock{Version: 1}
	for _, url := range urls {
		lock.Packages = append(lock.Packages, v1alpha1.Package{Name: "x", Version: "0", Architecture: "all", PURL: url})
	}
	return lock
}

func TestOSVKnowsPackagesOfEcosystems(t *testing.T) {
	sets := read(t, strings.Join([]string{debianCVE, dsa, generic, ghsa, pysec, pyGHSA, golang, alpine, rpm, withdrawn, commits, ubuntu}, "\n"))
	for _, c := range []struct {
		name string
		lock *v1alpha1.Lock
		want string
	}{
		{"an advisory about two CVEs, of which one is known better", lockOf("debian 12", "libexpat1 2.5.0-1 expat"),
			"CVE-2026-1001 Critical expat 2.5.0-1 libexpat1\nCVE-2026-1002 Unknown expat 2.5.0-1 libexpat1 fixed 2.5.0-1+deb12u2"},
		{"what the distribution calls unimportant", lockOf("debian 13", "libexpat1 2.7.1-1 expat"), "CVE-2026-1001 Negligible expat 2.7.1-1 libexpat1 fixed 2.7.1-2"},
		{"the fix", lockOf("debian 13", "libexpat1 2.7.1-2 expat"), ""},
		{"another release", lockOf("debian 11", "libexpat1 2.2.10-2 expat"), ""},
		{"all releases", lockOf("debian 11", "zlib1g 1:1.2.11.dfsg-2 zlib"), "CVE-2026-1003 Unknown zlib 1:1.2.11.dfsg-2 zlib1g fixed 1:1.3.1-1"},
		{"all releases, before the introduction", lockOf("debian 11", "zlib1g 1:1.1.9-1 zlib"), ""},
		{"a release that is known better", lockOf("debian 13", "zlib1g 1:1.2.13-1 zlib"), ""},
		{"the first of two ranges, whose events are not sorted", ofOthers("pkg:npm/%40acme/pad@1.4.1"), "CVE-2026-1004 Medium @acme/pad 1.4.1 x fixed 1.4.2"},
		{"the second", ofOthers("pkg:npm/%40acme/pad@2.3.0"), "CVE-2026-1004 Medium @acme/pad 2.3.0 x fixed 2.3.1"},
		{"before a release", ofOthers("pkg:npm/%40acme/pad@2.3.1-rc.1"), "CVE-2026-1004 Medium @acme/pad 2.3.1-rc.1 x fixed 2.3.1"},
		{"between the ranges", ofOthers("pkg:npm/%40acme/pad@1.4.2"), ""},
		{"another scope", ofOthers("pkg:npm/pad@1.4.1"), ""},
		{"a version that cannot be compared", ofOthers("pkg:npm/%40acme/pad@latest"), "unmatched npm"},
		{"one vulnerability with three names", ofOthers("pkg:pypi/my.package@1.2"), "CVE-2026-1005 Critical my-package 1.2 x"},
		{"a list of versions", ofOthers("pkg:pypi/my-package@1.0"), "PYSEC-2026-7 Unknown my-package 1.0 x"},
		{"no version of the list", ofOthers("pkg:pypi/my-package@1.3"), ""},
		{"the last affected version", ofOthers("pkg:golang/example.com/mod/v2@v2.1.0"), "CVE-2026-1006 Unknown example.com/mod/v2 v2.1.0 x"},
		{"after the last affected version", ofOthers("pkg:golang/example.com/mod/v2@v2.2.0"), ""},
		{"introduced again, never fixed", ofOthers("pkg:golang/example.com/mod/v2@v2.3.1"), "CVE-2026-1006 Unknown example.com/mod/v2 v2.3.1 x"},
		{"an ecosystem that no advisory is about", ofOthers("pkg:cargo/serde@1.0.0", "pkg:swift/x/y@1"), "unmatched crates.io,swift"},
		{"a version of another distribution", lockOf("alpine 3.22.1", "musl 1.2.5-r8"), "CVE-2026-1007 Unknown musl 1.2.5-r8 musl"},
		{"a later version", lockOf("alpine 3.22.1", "musl 1.2.5-r9"), ""},
		{"another release of another distribution", lockOf("alpine 3.21.0", "musl 1.2.5-r8"), "unmatched alpine 3.21.0"},
		{"a range that cannot be compared", lockOf("rocky 9", "bash 5.1.8-6.el9"), "unmatched rocky 9"},
		{"another package of it", lockOf("rocky 9", "zsh 5.8"), ""},
		{"Ubuntu, without its paid updates", lockOf("ubuntu 24.04", "bash 5.2.21-2ubuntu4"), "CVE-2026-1010 Medium bash 5.2.21-2ubuntu4 bash fixed 5.2.21-2ubuntu5"},
		{"a Debian package in another lock", ofOthers("pkg:deb/debian/libexpat1@2.5.0-1%2Bb1?arch=amd64&distro=debian-12&upstream=expat"),
			"CVE-2026-1001 Critical expat 2.5.0-1 x\nCVE-2026-1002 Unknown expat 2.5.0-1 x fixed 2.5.0-1+deb12u2"},
		{"a package of a distribution that nobody names", ofOthers("pkg:rpm/fedora/bash@5"), "unmatched rpm"},
	} {
		got := brief(advisories.Match(sets, advisories.Subject{Locks: []*v1alpha1.Lock{c.lock}}))
		if got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestSeveralSourcesAreOneVulnerability(t *testing.T) {
	const openssl = `{"id": "DEBIAN-CVE-2026-2001", "upstream": ["CVE-2026-2001"], "summary": "more", "severity": [{"type": "CVSS_V3", "score": "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
	 "affected": [{"package": {"ecosystem": "Debian:13", "name": "openssl"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.5.4-1~deb13u3"}]}]}]}`
	result := advisories.Match(read(t, tracker, openssl), advisories.Subject{Locks: []*v1alpha1.Lock{lockOf("debian 13", "openssl 3.5.4-1~deb13u1")}})
	const want = "CVE-2026-2001 Critical openssl 3.5.4-1~deb13u1 openssl fixed 3.5.4-1~deb13u3\nCVE-2007-6755 Negligible openssl 3.5.4-1~deb13u1 openssl"
	if got := brief(result); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if want := (v1alpha1.VulnerabilityCounts{Critical: 1, Negligible: 1, Fixable: 1}); result.Counts != want {
		t.Errorf("got %+v", result.Counts)
	}
	if got := result.Items[0].Description; got != "A use after free in TLS." {
		t.Errorf("the description is %q", got)
	}
}

func TestUpdatesOfDebianCountOnlyForWhatItHasNotJudged(t *testing.T) {
	// The second update of openssl fixes a regression of the first.
	again := strings.NewReplacer("expat", "openssl", "Debian:12", "Debian:13", "2.5.0-1+deb12u2", "3.5.4-1~deb13u3", "DSA-6001-1", "DSA-6001-2",
		"CVE-2026-1001", "CVE-2026-2001", "CVE-2026-1002", "CVE-2026-2002").Replace(dsa)
	lock := lockOf("debian 13", "openssl 3.5.4-1~deb13u2")
	const (
		unimportant = "CVE-2007-6755 Negligible openssl 3.5.4-1~deb13u2 openssl"
		debian      = `{"id": "DEBIAN-CVE-2026-2001", "affected": [{"package": {"ecosystem": "Debian:13", "name": "openssl"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.5.4-1~deb13u2"}]}]}]}`
		open        = " Unknown openssl 3.5.4-1~deb13u2 openssl fixed 3.5.4-1~deb13u3"
	)
	for _, c := range []struct {
		name, want string
		texts      []string
	}{
		{"judged by the tracker: fixed, or never affected", unimportant, []string{again, tracker}},
		{"judged by an entry about the CVE", "CVE-2026-2002" + open, []string{again + debian}},
		{"not judged", "CVE-2026-2002" + open + "\nCVE-2026-2001" + open, []string{again}},
		{"undetermined", "CVE-2026-2003" + open + "\n" + unimportant, []string{strings.ReplaceAll(again, "CVE-2026-2002", "CVE-2026-2003"), tracker}},
	} {
		if got := brief(advisories.Match(read(t, c.texts...), advisories.Subject{Locks: []*v1alpha1.Lock{lock}})); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestAWithdrawnEntryIsAboutNothing(t *testing.T) {
	if got := brief(advisories.Match(read(t, withdrawn), advisories.Subject{Locks: []*v1alpha1.Lock{lockOf("debian 13", "expat 2.7.1-1")}})); got != "unmatched debian 13" {
		t.Errorf("got %s", got)
	}
}

func TestNamesOfOneVulnerabilityAreMerged(t *testing.T) {
	entry := func(id, aliases string) string {
		severity := map[string]string{"A-1": "HIGH"}[id]
		return fmt.Sprintf(`{"id": %q, "aliases": [%s], "database_specific": {"severity": %q}, "affected": [{"package": {"ecosystem": "PyPI", "name": "a"}, "versions": ["1"]}]}`, id, aliases, severity)
	}
	for name, c := range map[string]struct {
		entries []string
		want    string
	}{
		"without a CVE":        {[]string{entry("PYSEC-2026-8", `"GHSA-1"`), entry("GHSA-1", "")}, "GHSA-1 Unknown"},
		"a chain":              {[]string{entry("PYSEC-2026-8", `"B-22"`), entry("B-22", `"C-333"`), entry("C-333", "")}, "B-22 Unknown"},
		"a chain to a CVE":     {[]string{entry("A-1", `"B-22"`), entry("B-22", `"X"`), entry("Y", `"X", "CVE-2026-1005"`)}, "CVE-2026-1005 High"},
		"an alias of two CVEs": {[]string{entry("A-1", `"B"`), entry("B", `"CVE-2026-1006", "CVE-2026-1005"`)}, "CVE-2026-1005 High CVE-2026-1006 Unknown"},
		"nothing in common":    {[]string{entry("A-1", `"B"`), entry("C-1", `"D"`)}, "A-1 High C-1 Unknown"},
	} {
		for range 20 { // maps have no order
			result := advisories.Match(read(t, c.entries...), advisories.Subject{Locks: []*v1alpha1.Lock{ofOthers("pkg:pypi/a@1")}})
			var ids []string
			for _, item := range result.Items {
				ids = append(ids, item.ID, string(item.Severity))
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Fatalf("%s: got %s, want %s", name, got, c.want)
			}
		}
	}
}

func TestVectorsBecomeSeverities(t *testing.T) {
	for vectors, want := range map[string]v1alpha1.Severity{
		`{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}`:                                                                                                  v1alpha1.SeverityHigh,
		`{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}`:                                                                                                  v1alpha1.SeverityLow,
		`{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"}`:                                                                                                  v1alpha1.SeverityNegligible,
		`{"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:C/I:C/A:C"}`:                                                                                                                    v1alpha1.SeverityCritical,
		`{"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:C/I:C/A:C"}, {"type": "CVSS_V3", "score": "CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"}`:                                      v1alpha1.SeverityHigh,
		`{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"}, {"type": "CVSS_V4", "score": "CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N"}`: v1alpha1.SeverityHigh,
		`{"type": "CVSS_V3", "score": "CVSS:3.1/AV:X"}`:                                                                                                                                 v1alpha1.SeverityUnknown,
		`{"type": "CVSS_V3", "score": 9.8}`:                                                                                                                                             v1alpha1.SeverityUnknown,
		`{"type": "CVSS_V5", "score": "CVSS:5.0/AV:N"}`:                                                                                                                                 v1alpha1.SeverityUnknown,
		`{"type": "CVSS_V3", "score": "CVSS:3.1/` + strings.Repeat("AV:N/", 100) + `"}`:                                                                                                 v1alpha1.SeverityUnknown,
	} {
		entry := fmt.Sprintf(`{"id": "CVE-2026-1", "severity": [%s], "affected": [{"package": {"ecosystem": "npm", "name": "a"}, "versions": ["1"]}]}`, vectors)
		result := advisories.Match(read(t, entry), advisories.Subject{Locks: []*v1alpha1.Lock{ofOthers("pkg:npm/a@1")}})
		if got := result.Items[0].Severity; got != want {
			t.Errorf("%s: got %s, want %s", vectors, got, want)
		}
	}
}
