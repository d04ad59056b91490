// SPDX-License-Identifier: Apache-2.0

package advisories_test

import (
	"fmt"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

// tracker has the shape of https://security-tracker.debian.org/tracker/data/json.
const tracker = `{
"openssl": {
  "CVE-2026-2001": {"scope": "remote", "debianbug": 1100001, "description": "A use after free\nin \u0000TLS.", "releases": {
    "bullseye": {"status": "resolved", "repositories": {"bullseye": "1.1.1w-0+deb11u1", "bullseye-security": "1.1.1w-0+deb11u4"}, "fixed_version": "1.1.1w-0+deb11u4", "urgency": "not yet assigned"},
    "bookworm": {"status": "open", "repositories": {"bookworm": "3.0.17-1~deb12u2"}, "urgency": "not yet assigned", "nodsa": "Minor issue", "nodsa_reason": "postponed"},
    "trixie": {"status": "resolved", "repositories": {"trixie": "3.5.4-1~deb13u1", "trixie-security": "3.5.4-1~deb13u2"}, "fixed_version": "3.5.4-1~deb13u2", "urgency": "high"},
    "forky": {"status": "resolved", "repositories": {"forky": "3.5.5-1"}, "fixed_version": "3.5.5-1", "urgency": "high"},
    "sid": {"status": "resolved", "repositories": {"sid": "3.5.5-1"}, "fixed_version": "3.5.5-1", "urgency": "high"}}},
  "CVE-2026-2002": {"description": "not in this release", "releases": {
    "trixie": {"status": "resolved", "repositories": {"trixie": "3.5.4-1~deb13u1"}, "fixed_version": "0", "urgency": "unimportant"}}},
  "CVE-2026-2003": {"description": "nobody knows", "releases": {"trixie": {"status": "undetermined", "repositories": {}, "urgency": "not yet assigned"}}},
  "CVE-2007-6755": {"description": "never fixed", "releases": {"trixie": {"status": "open", "repositories": {}, "urgency": "unimportant"}}}},
"binutils": {"CVE-2026-3001": {"releases": {"trixie": {"status": "open", "urgency": "low**"}}}},
"gcc-14": {"CVE-2026-3002": {"releases": {"trixie": {"status": "resolved", "fixed_version": "14.2.0-20", "urgency": "medium"}}}},
"tzdata": {"CVE-2026-3003": {"releases": {"trixie": {"status": "resolved", "fixed_version": "1:2026a-1", "urgency": "medium"}}}},
"linux": {"CVE-2026-4001": {"releases": {"trixie": {"status": "resolved", "fixed_version": "6.12.57-2", "urgency": "medium"}}},
  "CVE-2026-4002": {"releases": {"trixie": {"status": "resolved", "fixed_version": "6.12.57-1", "urgency": "medium"}}}},
"bash": {"CVE-2022-3715": {"releases": {"trixie": {"status": "open", "urgency": "not yet assigned"}, "sid": {"status": "resolved", "fixed_version": "5.2.15-2", "urgency": "not yet assigned"}}},
  "TEMP-0841856-B18BAF": {"releases": {"trixie": {"status": "open", "urgency": "unimportant"}}}},
"phpldapadmin": {"CVE-2026-3004": {"releases": {"bullseye": {"status": "open", "urgency": "end-of-life"}}}}
}`

// read reads advisories that are correct.
func read(t *testing.T, texts ...string) (sets []*advisories.Set) {
	t.Helper()
	for _, text := range texts {
		set := require.Value(advisories.Read(strings.NewReader(text)))(t)
		if set.Skipped > 0 {
			t.Errorf("skipped %d: %s", set.Skipped, set.Problem)
		}
		sets = append(sets, set)
	}
	return sets
}

// installed is a package of a lock: NAME VERSION [SOURCE SOURCEVERSION].
func installed(text string) v1alpha1.Package {
	words := strings.Fields(text)
	one := v1alpha1.Package{Name: words[0], Version: words[1], Architecture: "amd64"}
	if len(words) > 2 {
		one.Source = &v1alpha1.SourcePackage{Name: words[2]}
	}
	if len(words) > 3 {
		one.Source.Version = words[3]
	}
	return one
}

// lockOf is a lock of a distribution, such as debian 13.
func lockOf(distribution string, packages ...string) *v1alpha1.Lock {
	lock := &v1alpha1.Lock{Version: 1}
	if id, version, _ := strings.Cut(distribution, " "); id != "" {
		lock.Distribution = &v1alpha1.Distribution{ID: id, Version: version}
	}
	for _, text := range packages {
		lock.Packages = append(lock.Packages, installed(text))
	}
	return lock
}

// brief are the items of a result: ID SEVERITY SOURCE VERSION PACKAGES, and what fixes or why not; and what is unmatched.
func brief(result advisories.Result) string {
	var lines []string
	for _, item := range result.Items {
		line := fmt.Sprintf("%s %s %s %s %s", item.ID, item.Severity, item.Source, item.Version, strings.Join(item.Packages, ","))
		if item.FixedVersion != "" {
			line += " fixed " + item.FixedVersion
		}
		if item.Status != v1alpha1.VulnerabilityOpen {
			line += " " + string(item.Status) + ": " + item.Justification
		}
		lines = append(lines, line)
	}
	return strings.Join(append(lines, result.Unmatched...), "\n")
}

func TestTheTrackerKnowsSourcePackagesOfReleases(t *testing.T) {
	sets := read(t, tracker)
	const unimportant = "CVE-2007-6755 Negligible openssl %s libssl3t64"
	for _, c := range []struct {
		name string
		lock *v1alpha1.Lock
		want string
	}{
		{"older than the fix", lockOf("debian 13", "libssl3t64 3.5.4-1~deb13u1 openssl 3.5.4-1~deb13u1"),
			"CVE-2026-2001 High openssl 3.5.4-1~deb13u1 libssl3t64 fixed 3.5.4-1~deb13u2\n" + fmt.Sprintf(unimportant, "3.5.4-1~deb13u1")},
		{"the fix", lockOf("debian 13", "libssl3t64 3.5.4-1~deb13u2 openssl 3.5.4-1~deb13u2"), fmt.Sprintf(unimportant, "3.5.4-1~deb13u2")},
		{"several binary packages, in one source package", lockOf("debian 11", "openssl 1.1.1w-0+deb11u3", "libssl1.1 1.1.1w-0+deb11u3 openssl"),
			"CVE-2026-2001 Unknown openssl 1.1.1w-0+deb11u3 libssl1.1,openssl fixed 1.1.1w-0+deb11u4"},
		{"a fix by LTS", lockOf("debian 11", "openssl 1.1.1w-0+deb11u4"), ""},
		{"no fix: nodsa", lockOf("debian 12", "openssl 3.0.17-1~deb12u2"), "CVE-2026-2001 Unknown openssl 3.0.17-1~deb12u2 openssl"},
		{"a binary package with the name of another source package", lockOf("debian 13", "openssl 1 unrelated 1"), ""},
		{"an urgency with stars", lockOf("debian 13", "binutils 2.44-3"), "CVE-2026-3001 Low binutils 2.44-3 binutils"},
		{"a binary rebuild without its source", lockOf("debian 13", "gcc-14 14.2.0-20+b1"), ""},
		{"a binary package with a version of its own", lockOf("debian 13", "g++ 4:14.2.0-1 gcc-14 14.2.0-19"), "CVE-2026-3002 Medium gcc-14 14.2.0-19 g++ fixed 14.2.0-20"},
		{"an epoch", lockOf("debian 13", "tzdata 2026b-1"), "CVE-2026-3003 Medium tzdata 2026b-1 tzdata fixed 1:2026a-1"},
		{"signed binaries", lockOf("debian 13", "linux-image-amd64 6.12.57+1 linux-signed-amd64 6.12.57+1"),
			"CVE-2026-4001 Medium linux-signed-amd64 6.12.57+1 linux-image-amd64 fixed 6.12.57-2"},
		{"a package of sid, with its fix", lockOf("debian 13", "bash 5.2.15-2"), "TEMP-0841856-B18BAF Negligible bash 5.2.15-2 bash"},
		{"a backport of the fix", lockOf("debian 13", "bash 5.2.15-2~bpo13+1"), "TEMP-0841856-B18BAF Negligible bash 5.2.15-2~bpo13+1 bash"},
		{"older than the fix in sid", lockOf("debian 13", "bash 5.2.15-1"), "CVE-2022-3715 Unknown bash 5.2.15-1 bash\nTEMP-0841856-B18BAF Negligible bash 5.2.15-1 bash"},
		{"end of life", lockOf("debian 11", "phpldapadmin 1.2.2-6"), "CVE-2026-3004 Unknown phpldapadmin 1.2.2-6 phpldapadmin"},
		{"a release that the tracker no longer has", lockOf("debian 10", "openssl 1.1.1n-0+deb10u6"), "no advisory is about 1 package of debian 10"},
		{"a point release", lockOf("debian 13.2", "openssl 3.5.4-1~deb13u2", "tzdata 1:2026a-1"), "CVE-2007-6755 Negligible openssl 3.5.4-1~deb13u2 openssl"},
		{"no version of the release", lockOf("debian", "openssl 1"), "no advisory is about 1 package of debian"},
		{"a version that is no version", lockOf("debian 13", "tzdata 1:!"), "CVE-2026-3003 Medium tzdata 1:! tzdata fixed 1:2026a-1\n" + `no advisory can judge 1 package of tzdata: "1:!" is no version of Debian`},
		{"another distribution", lockOf("alpine 3.22", "openssl 3.5.4-r0"), "no advisory is about 1 package of alpine 3.22"},
		{"no distribution", lockOf("", "openssl 3.5.4"), "no advisory is about 1 package of no distribution"},
		{"no packages", lockOf(""), ""},
	} {
		if got := brief(advisories.Match(sets, advisories.Subject{Locks: []*v1alpha1.Lock{c.lock}})); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestSuitesNameTheReleaseOfATestingSystem(t *testing.T) {
	sets := read(t, tracker)
	for suite, want := range map[string]string{
		"sid": "fixed 3.5.5-1", "unstable": "fixed 3.5.5-1", "trixie-security": "fixed 3.5.4-1~deb13u2", "testing": "no advisory is about 1 package of debian", "": "no advisory is about 1 package of debian",
	} {
		lock := lockOf("debian", "openssl 3.5.4-1~deb13u1")
		lock.Sources = []v1alpha1.PackageSource{{URI: "http://mirror.example/debian", Suite: suite}}
		if got := brief(advisories.Match(sets, advisories.Subject{Locks: []*v1alpha1.Lock{lock}})); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", suite, got, want)
		}
	}
}
