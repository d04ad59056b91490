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
	npm    = `{"id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2026-1004"], "affected": [{"package": {"ecosystem": "npm", "name": "@acme/pad"}, "versions": ["x"], "ranges": 7}]}`
	ranges = `{"id": "CVE-2026-1005", "database_specific": {"severity": "HIGH"}, "affected": [{"package": {"ecosystem": "Debian:13", "name": "pad"}, "ranges": [
   {"type": "ECOSYSTEM", "events": [{"introduced": "1:2.0-1"}, {"last_affected": "1:2.3-1"}, {"introduced": "1:2.5-1"}]},
   {"type": "ECOSYSTEM", "events": [{"fixed": "1:1.4~rc2-1"}, {"introduced": "0"}]},
   {"type": "GIT", "repo": "https://example.com/pad", "events": [{"introduced": "0"}, {"fixed": "6879efc2c1596d11a6a6ad296f80063b558d5e0f"}]}]}]}`
	listed    = `{"id": "CVE-2026-1006", "affected": [{"package": {"ecosystem": "Debian:trixie", "name": "list"}, "versions": ["1.0-1", "0:1.2-1"]}]}`
	withdrawn = `{"id": "CVE-2026-1008", "withdrawn": "2026-11-01T00:00:00Z", "affected": [{"package": {"ecosystem": "Debian:13", "name": "expat"}, "versions": ["2.7.1-1"]}]}`
	commits   = `{"id": "CVE-2026-1009", "affected": [{"ranges": [{"type": "GIT", "repo": "https://example.com/x", "events": [{"introduced": "0"}]}]}]}`
)

// ofOthers is a lock of packages that belong to no distribution, as package URLs.
func ofOthers(urls ...string) *v1alpha1.Lock {
	lock := &v1alpha1.Lock{Version: 1}
	for i, url := range urls {
		lock.Packages = append(lock.Packages, v1alpha1.Package{Name: "x", Version: fmt.Sprint(i), Architecture: "all", PURL: url})
	}
	return lock
}

func TestOSVKnowsSourcePackagesOfDebian(t *testing.T) {
	sets := read(t, strings.Join([]string{debianCVE, dsa, generic, ranges, listed, withdrawn, npm, commits}, "\n"))
	if sets[0].Entries != 8 || sets[0].Ignored != 2 {
		t.Errorf("read %d entries, ignored %d", sets[0].Entries, sets[0].Ignored)
	}
	const pad = "CVE-2026-1005 High pad %s pad"
	for _, c := range []struct {
		name string
		lock *v1alpha1.Lock
		want string
	}{
		{"an advisory about two CVEs, of which one is known better", lockOf("debian 12", "libexpat1 2.5.0-1 expat"),
			"CVE-2026-1001 Critical expat 2.5.0-1 libexpat1\nCVE-2026-1002 Unknown expat 2.5.0-1 libexpat1 fixed 2.5.0-1+deb12u2"},
		{"what the distribution calls unimportant", lockOf("debian 13", "libexpat1 2.7.1-1 expat"), "CVE-2026-1001 Negligible expat 2.7.1-1 libexpat1 fixed 2.7.1-2"},
		{"the fix", lockOf("debian 13", "libexpat1 2.7.1-2 expat"), ""},
		{"a rebuild of the fix", lockOf("debian 13", "expat 2.7.1-2+b1"), ""},
		{"before the fix", lockOf("debian 13", "expat 2.7.1-2~deb13u1"), "CVE-2026-1001 Negligible expat 2.7.1-2~deb13u1 expat fixed 2.7.1-2"},
		{"another release", lockOf("debian 11", "libexpat1 2.2.10-2 expat"), "no advisory is about 1 package of debian 11"},
		{"all releases", lockOf("debian 11", "zlib1g 1:1.2.11.dfsg-2 zlib"),
			"CVE-2026-1003 Unknown zlib 1:1.2.11.dfsg-2 zlib1g fixed 1:1.3.1-1\nno advisory is about 1 package of debian 11"},
		{"all releases, before the introduction", lockOf("debian 12", "zlib1g 1:1.1.9-1 zlib"), ""},
		{"a release that is known better", lockOf("debian 13", "zlib1g 1:1.2.13-1 zlib"), ""},
		{"the second of two ranges, whose events are not sorted", lockOf("debian 13", "pad 2:1"), fmt.Sprintf(pad, "2:1")},
		{"before the fix, and the epoch", lockOf("debian 13", "pad 1.9-1"), fmt.Sprintf(pad, "1.9-1") + " fixed 1:1.4~rc2-1"},
		{"before a pre-release", lockOf("debian 13", "pad 1:1.4~rc1-1"), fmt.Sprintf(pad, "1:1.4~rc1-1") + " fixed 1:1.4~rc2-1"},
		{"between the ranges", lockOf("debian 13", "pad 1:1.4-1"), ""},
		{"the last affected version", lockOf("debian 13", "pad 1:2.3-1"), fmt.Sprintf(pad, "1:2.3-1")},
		{"after the last affected version", lockOf("debian 13", "pad 1:2.3-1+deb13u1"), ""},
		{"introduced again, never fixed", lockOf("debian 13", "pad 1:2.5-2"), fmt.Sprintf(pad, "1:2.5-2")},
		{"a binary package with the name of a source package", lockOf("debian 13", "pad 2:1 other 1"), ""},
		{"a listed version", lockOf("debian 13", "list 1.2-1"), "CVE-2026-1006 Unknown list 1.2-1 list"},
		{"a version that is not listed", lockOf("debian 13", "list 1.1-1"), ""},
		{"sid, which no advisory is about", lockOf("debian sid", "list 1.2-1"), "no advisory is about 1 package of debian sid"},
		{"other ecosystems", ofOthers("pkg:npm/%40acme/pad@1.4.1", "pkg:npm/left-pad@1", "pkg:pypi/torch@2.0.1%2Bcu118", "pkg:gem/nokogiri@1.18.2-x86_64-linux",
			"pkg:nuget/a@1.2.3.0", "pkg:composer/a/b@v1.0.0", "pkg:maven/a/b@1", "pkg:golang/example.com/mod@v1.0.0"),
			"no advisory is about 2 packages of npm\nno advisory is about 1 package of composer\nno advisory is about 1 package of gem\nno advisory is about 1 package of golang\n" +
				"no advisory is about 1 package of maven\nno advisory is about 1 package of nuget\nno advisory is about 1 package of pypi"},
		{"other distributions", &v1alpha1.Lock{Distribution: &v1alpha1.Distribution{ID: "ubuntu", Version: "24.04"}, Packages: []v1alpha1.Package{
			installed("list 1.2-1"), installed("expat 2.5.0-1"), {Name: "a", Version: "1", Architecture: "all", PURL: "pkg:rpm/fedora/bash@5"},
			{Name: "b", Version: "1", Architecture: "all", PURL: "pkg:apk/a%1bb/bash@5"},
		}}, "no advisory is about 2 packages of ubuntu 24.04\nno advisory is about 1 package of apk\nno advisory is about 1 package of rpm/fedora"},
		{"a Debian package in another lock", ofOthers("pkg:deb/debian/libexpat1@2.5.0-1%2Bb1?arch=amd64&distro=debian-12&upstream=expat"),
			"CVE-2026-1001 Critical expat 2.5.0-1 x\nCVE-2026-1002 Unknown expat 2.5.0-1 x fixed 2.5.0-1+deb12u2"},
		{"a Debian package with a code name", ofOthers("pkg:deb/debian/list@1.0-1?distro=trixie"), "CVE-2026-1006 Unknown list 1.0-1 x"},
		{"a Debian package without a release", ofOthers("pkg:deb/debian/list@1.0-1"), "no advisory is about 1 package of debian"},
		{"a derivative", ofOthers("pkg:deb/ubuntu/list@1.0-1?distro=ubuntu-24.04", "pkg:deb/raspbian/list@1.0-1"),
			"no advisory is about 1 package of deb/raspbian\nno advisory is about 1 package of deb/ubuntu"},
		{"a package of another archive", ofOthers("pkg:deb/debian/docker-ce@5?distro=trixie&repository_url=https://download.docker.com/linux/", "pkg:deb/debian/list@3?distro=trixie&repository_url=http://mirror.example/debian"),
			"no advisory is about 1 package of other archives"},
		{"a package URL that cannot be read", ofOthers("pkg:deb/debian/a%zz"), "no advisory is about 1 package of package URLs that cannot be read"},
	} {
		got := brief(advisories.Match(sets, advisories.Subject{Locks: []*v1alpha1.Lock{c.lock}}))
		if got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestWhatAnAdvisoryNamesAndCannotBeJudgedIsUnmatched(t *testing.T) {
	const good = `{"id": "CVE-2026-1", "affected": [{"package": {"ecosystem": "Debian:13", "name": "good"}, "versions": ["1"]}]}`
	affected := func(text string) string {
		return `{"id": "CVE-2026-2", "affected": [{"package": {"ecosystem": "Debian:13", "name": "a"}, ` + text + `}]}` + good
	}
	events := func(text string) string {
		return affected(`"ranges": [{"type": "ECOSYSTEM", "events": [` + text + `]}]`)
	}
	const about = "an advisory cannot be judged about 1 package of a: "
	for name, c := range map[string]struct{ content, version, want string }{
		"a version of an event":            {events(`{"introduced": "0"}, {"fixed": "1:!"}`), "1", about + `CVE-2026-2 has an event with the version "1:!"`},
		"an event without a version":       {events(`{"introduced": "0"}, {"limit": "2"}`), "1", about + "CVE-2026-2 has an event without a version"},
		"a range without a begin":          {events(`{"fixed": "2"}`), "1", about + "CVE-2026-2 has a range without a begin"},
		"a range without events":           {events(""), "1", about + "CVE-2026-2 has a range without a begin"},
		"an event of a wrong type":         {events(`{"introduced": "0"}, {"fixed": 2}`), "9", about + "CVE-2026-2 json: cannot unmarshal number"},
		"ranges of a wrong type":           {affected(`"ranges": "all"`), "1", about + "CVE-2026-2 json: cannot unmarshal string"},
		"only commits":                     {affected(`"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]`), "1", about + "CVE-2026-2 lists no versions of a"},
		"only semantic versions":           {affected(`"ranges": [{"type": "SEMVER", "events": [{"introduced": "1.0.0-rc.1"}]}]`), "1", about + "CVE-2026-2 lists no versions of a"},
		"no versions":                      {affected(`"versions": []`), "1", about + "CVE-2026-2 lists no versions of a"},
		"a listed version":                 {affected(`"versions": ["2", "1:!"]`), "1", about + `CVE-2026-2 lists the version "1:!"`},
		"the other listed version":         {affected(`"versions": ["2", "1:!"]`), "2", "CVE-2026-2 Unknown a 2 a"},
		"a range that can be judged":       {affected(`"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "!"}]}, {"type": "ECOSYSTEM", "events": [{"introduced": "2"}]}]`), "3", "CVE-2026-2 Unknown a 3 a"},
		"a release":                        {strings.Replace(affected(`"versions": ["2"]`), "Debian:13", "Debian:zurg", 1), "1", about + `CVE-2026-2 names the release "zurg"`},
		"a release, beside that of a lock": {affected(`"versions": ["2"]}, {"package": {"ecosystem": "Debian:zurg", "name": "a"}, "versions": ["1"]`), "1", ""},
		"another release":                  {strings.Replace(affected(`"versions": ["!"]`), "Debian:13", "Debian:12", 1), "1", ""},
		"another package":                  {strings.Replace(affected(`"versions": ["!"]`), `"a"`, `"b"`, 1), "1", ""},
		"another ecosystem":                {strings.Replace(affected(`"versions": ["!"]`), "Debian:13", "npm", 1), "1", ""},
		"a withdrawn entry":                {strings.Replace(affected(`"versions": ["!"]`), `"id"`, `"withdrawn": "2026-11-01T00:00:00Z", "id"`, 1), "1", ""},
		"an ID":                            {strings.Replace(affected(`"versions": ["2"]`), `"CVE-2026-2"`, `7`, 1), "1", about + "json: cannot unmarshal number"},
		"an ID with a space":               {strings.Replace(affected(`"versions": ["2"]`), `"CVE-2026-2"`, `"a b"`, 1), "1", about + `an entry has the id "a b"`},
		"aliases":                          {strings.Replace(affected(`"versions": ["2"]`), `"id"`, `"aliases": {}, "id"`, 1), "1", about + "json: cannot unmarshal object"},
		"a status of the tracker":          {`{"a": {"CVE-2026-2": {"releases": {"trixie": {"status": "<none>"}}}}}`, "1", about + "the status of CVE-2026-2 in debian 13"},
		"a version of the tracker":         {`{"a": {"CVE-2026-2": {"releases": {"trixie": {"status": "resolved", "fixed_version": "1:!"}}}}}`, "1", about + "the status of CVE-2026-2 in debian 13"},
		"a release of the tracker":         {`{"a": {"CVE-2026-2": {"releases": {"trixi": {"status": "open"}}}}, "b": {"CVE-2026-3": {"releases": {"trixie": {"status": "open"}}}}}`, "1", about + `CVE-2026-2 names the release "trixi"`},
		"a new release of the tracker":     {`{"a": {"CVE-2026-2": {"releases": {"zurg": {"status": "open"}, "trixie": {"status": "resolved", "fixed_version": "1"}}}}}`, "1", ""},
		"an entry of the tracker":          {`{"a": {"CVE-2026-2": "x", "CVE-2026-3": {"releases": {"trixie": {"status": "resolved", "fixed_version": "1"}}}}}`, "1", about + "CVE-2026-2 of a: json: cannot unmarshal string"},
		"an ID of the tracker":             {`{"a": {"CVE ": {}, "CVE-2026-3": {"releases": {"trixie": {"status": "resolved", "fixed_version": "1"}}}}}`, "1", about + `"CVE " of "a" is no ID`},
		"undetermined":                     {`{"a": {"CVE-2026-2": {"releases": {"trixie": {"status": "undetermined"}}}}}`, "1", ""},
		"the version of the package":       {events(`{"introduced": "0"}, {"fixed": "2"}`), "!", `no advisory can judge 1 package of a: "!" is no version of Debian`},
		"what a statement excludes":        {events(`{"introduced": "0"}, {"fixed": "!"}`) + "\x00" + vex(`{"vulnerability": {"name": "CVE-2026-2"}, "products": ["pkg:deb/debian/a"], "status": "not_affected"}`), "1", ""},
	} {
		var sets []*advisories.Set
		for text := range strings.SplitSeq(c.content, "\x00") {
			sets = append(sets, require.Value(advisories.Read(strings.NewReader(text)))(t))
		}
		result := advisories.Match(sets, advisories.Subject{Locks: []*v1alpha1.Lock{lockOf("debian 13", "a "+c.version, "c 1")}})
		got := brief(result)
		if !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") || (result.Counts.Unmatched == 1) != strings.Contains(c.want, "package of a") {
			t.Errorf("%s: %+v\ngot  %s\nwant %s", name, result.Counts, got, c.want)
		}
		broken := strings.HasPrefix(c.want, about) && !strings.Contains(name, "release of the tracker")
		if broken && sets[0].Skipped == 0 {
			t.Errorf("%s: it is not counted", name)
		}
	}
}

func TestOtherArchivesAreTold(t *testing.T) {
	const unnamed = "a source that the lock does not name"
	for _, c := range []struct {
		name, want string
		sources    []v1alpha1.PackageSource
	}{
		{"no sources", unnamed, nil},
		{"mirrors of Debian", "", []v1alpha1.PackageSource{
			{URI: "http://deb.debian.org/debian", Suite: "trixie", Component: "main"}, {URI: "https://mirror.example/pub/debian/", Suite: "trixie-updates", Component: "non-free-firmware"},
			{URI: "http://security.debian.org/debian-security", Suite: "trixie-security", Component: "main"}, {URI: "file:///srv/debian", Suite: "sid", Component: "contrib"},
			{URI: "https://snapshot.debian.org/archive/debian/20261101T000000Z", Suite: "bookworm-backports", Component: "main"},
			{URI: "http://cache.example:3142/deb.debian.org/debian", Suite: "stable", Component: "non-free"}, {URI: "http://archive.debian.org/debian", Suite: "buster/updates", Component: "main"},
		}},
		{"of others", "https://apt.postgresql.org/pub/repos/apt trixie-pgdg main,https://download.docker.com/linux/debian trixie stable,https://example.com/list," +
			"https://packages.sury.org/php/ trixie main,not a%zzURI trixie main", []v1alpha1.PackageSource{
			{URI: "http://deb.debian.org/debian", Suite: "trixie", Component: "main"}, {URI: "https://download.docker.com/linux/debian", Suite: "trixie", Component: "stable"},
			{URI: "https://packages.sury.org/php/", Suite: "trixie", Component: "main"}, {URI: "https://apt.postgresql.org/pub/repos/apt", Suite: "trixie-pgdg", Component: "main"},
			{URI: "https://example.com/list"}, {URI: "https://example.com/list"}, {URI: "not a%zzURI", Suite: "trixie", Component: "main"},
		}},
	} {
		lock := lockOf("debian 13", "bash 1")
		lock.Sources = c.sources
		other := lockOf("alpine 3.22", "musl 1") // unmatched as a whole
		got := advisories.Match(nil, advisories.Subject{Locks: []*v1alpha1.Lock{lock, other}}).OtherArchives
		if strings.Join(got, ",") != c.want {
			t.Errorf("%s: got %q", c.name, got)
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
		{"not judged", "CVE-2026-2002" + open + "\nCVE-2026-2001" + open + "\nno advisory is about 1 package of debian 13", []string{again}},
		{"undetermined", "CVE-2026-2003" + open + "\n" + unimportant, []string{strings.ReplaceAll(again, "CVE-2026-2002", "CVE-2026-2003"), tracker}},
	} {
		if got := brief(advisories.Match(read(t, c.texts...), advisories.Subject{Locks: []*v1alpha1.Lock{lock}})); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestAWithdrawnEntryIsAboutNothing(t *testing.T) {
	if got := brief(advisories.Match(read(t, withdrawn), advisories.Subject{Locks: []*v1alpha1.Lock{lockOf("debian 13", "expat 2.7.1-1")}})); got != "no advisory is about 1 package of debian 13" {
		t.Errorf("got %s", got)
	}
}

func TestVectorsBecomeSeverities(t *testing.T) {
	const (
		base3 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
		rest3 = "/E:P/RL:O/RC:C/CR:H/IR:H/AR:H/MAV:N/MAC:L/MPR:N/MUI:N/MS:U/MC:H/MI:H/MA:H"
		base4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
		rest4 = "/E:X/CR:X/IR:X/AR:X/MAV:X/MAC:X/MAT:X/MPR:X/MUI:X/MVC:X/MVI:X/MVA:X/MSC:X/MSI:X/MSA:X/S:X/AU:X/R:X/V:X/RE:X/U:X"
	)
	vector := func(kind, vector string) string { return fmt.Sprintf(`{"type": %q, "score": %q}`, kind, vector) }
	for vectors, want := range map[string]v1alpha1.Severity{
		vector("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"):                                                                                              v1alpha1.SeverityHigh,
		vector("CVSS_V3", "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"):                                                                                              v1alpha1.SeverityLow,
		vector("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"):                                                                                              v1alpha1.SeverityNegligible,
		vector("CVSS_V2", "AV:N/AC:L/Au:N/C:C/I:C/A:C"):                                                                                                                v1alpha1.SeverityCritical,
		vector("CVSS_V2", "(C:C/I:C/A:C/AV:N/AC:L/Au:N)"):                                                                                                              v1alpha1.SeverityCritical,
		vector("CVSS_V2", "AV:N/AC:L/Au:N/C:C/I:C/A:C") + "," + vector("CVSS_V3", "CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"):                                      v1alpha1.SeverityHigh,
		vector("CVSS_V3", "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H") + "," + vector("CVSS_V4", "CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N"): v1alpha1.SeverityHigh,
		vector("CVSS_V3", base3+rest3):                                                                                                                                 v1alpha1.SeverityCritical,
		vector("CVSS_V3", base3+"/"):                                                                                                                                   v1alpha1.SeverityCritical,
		vector("CVSS_V3", "CVSS:3.1/A:H/I:H/C:H/S:U/UI:N/PR:N/AC:L/AV:N"):                                                                                              v1alpha1.SeverityCritical,
		vector("CVSS_V3", "CVSS:3.0/E:P/A:H/I:H/C:H/S:U/UI:N/PR:N/AC:L/AV:N/"):                                                                                         v1alpha1.SeverityCritical,
		vector("CVSS_V4", base4+rest4):                                                                                                                                 v1alpha1.SeverityCritical,
		vector("CVSS_V4", base4+"/"):                                                                                                                                   v1alpha1.SeverityCritical,
		vector("CVSS_V4", "CVSS:4.0/SA:N/SI:N/SC:N/VA:H/VI:H/VC:H/UI:N/PR:N/AT:N/AC:L/AV:N"):                                                                           v1alpha1.SeverityCritical,
		vector("Ubuntu", "medium"):                                                                                                                                     v1alpha1.SeverityMedium,
		"":                                                                                                                                                             v1alpha1.SeverityUnknown,
		vector("CVSS_V3", "CVSS:3.1/AV:X"):                                                                                                                             v1alpha1.SeverityUnreadable,
		vector("CVSS_V3", base3+"/AV:N"):                                                                                                                               v1alpha1.SeverityUnreadable,
		vector("CVSS_V3", base3+"/ZZ:N"):                                                                                                                               v1alpha1.SeverityUnreadable,
		vector("CVSS_V3", base3[9:]):                                                                                                                                   v1alpha1.SeverityUnreadable,
		vector("CVSS_V4", base4+"/E:Q"):                                                                                                                                v1alpha1.SeverityUnreadable,
		vector("CVSS_V2", "AV:N/AC:L/Au:N/C:C/I:C"):                                                                                                                    v1alpha1.SeverityUnreadable,
		`{"type": "CVSS_V3", "score": 9.8}`:                                                                                                                            v1alpha1.SeverityUnreadable,
		vector("CVSS_V5", "CVSS:5.0/AV:N"):                                                                                                                             v1alpha1.SeverityUnreadable,
		vector("Acme", "7 of 9"):                                                                                                                                       v1alpha1.SeverityUnreadable,
		vector("CVSS_V3", ""):                                                                                                                                          v1alpha1.SeverityUnreadable,
		vector("CVSS_V3", "CVSS:3.1/"+strings.Repeat("AV:N/", 1000)):                                                                                                   v1alpha1.SeverityUnreadable,
		vector("CVSS_V3", "CVSS:3.1/AV:X") + "," + vector("CVSS_V2", "AV:L/AC:H/Au:M/C:P/I:N/A:N"):                                                                     v1alpha1.SeverityLow,
		vector("CVSS_V4", "CVSS:4.0/AV:X") + "," + vector("CVSS_V3", base3):                                                                                            v1alpha1.SeverityCritical,
	} {
		for specific, other := range map[string]v1alpha1.Severity{
			`{}`: "", `7`: "", `{"severity": "MODERATE"}`: v1alpha1.SeverityMedium, `{"urgency": "low**"}`: v1alpha1.SeverityLow, `{"urgency": "not yet assigned"}`: "",
			`{"severity": {"a": 1}}`: v1alpha1.SeverityUnreadable, `{"severity": "SEVERE"}`: v1alpha1.SeverityUnreadable, `{"urgency": "unimportant"}`: v1alpha1.SeverityNegligible,
		} {
			wanted := want
			switch {
			case other == v1alpha1.SeverityNegligible, want == v1alpha1.SeverityUnknown && other != "", want == v1alpha1.SeverityUnreadable && other != "",
				other == v1alpha1.SeverityMedium && (want == v1alpha1.SeverityLow || want == v1alpha1.SeverityNegligible), other == v1alpha1.SeverityLow && want == v1alpha1.SeverityNegligible:
				wanted = other
			}
			entry := fmt.Sprintf(`{"id": "CVE-2026-1", "severity": [%s], "affected": [{"package": {"ecosystem": "Debian:13", "name": "a"}, "ecosystem_specific": %s, "versions": ["1"]}]}`, vectors, specific)
			result := advisories.Match(read(t, entry), advisories.Subject{Locks: []*v1alpha1.Lock{lockOf("debian 13", "a 1")}})
			if got := result.Items[0].Severity; got != wanted {
				t.Errorf("%s, %s: got %s, want %s", vectors, specific, got, wanted)
			}
			if got := result.Counts.Unreadable == 1; got != (wanted == v1alpha1.SeverityUnreadable) || result.Counts.Unmatched != 0 {
				t.Errorf("%s: %+v", vectors, result.Counts)
			}
		}
	}
	order := `{"id": "CVE-2026-1", "severity": [{"type": "CVSS_V3"}], "affected": [{"package": {"ecosystem": "Debian:13", "name": "a"}, "versions": ["1"]}]}` +
		`{"id": "CVE-2026-2", "database_specific": {"severity": "critical"}, "affected": [{"package": {"ecosystem": "Debian:13", "name": "a"}, "versions": ["1"]}]}`
	if got := advisories.Match(read(t, order), advisories.Subject{Locks: []*v1alpha1.Lock{lockOf("debian 13", "a 1")}}).Worst; strings.Join(got, " ") != "CVE-2026-1 CVE-2026-2" {
		t.Errorf("the worst are %s: what cannot be read may be the worst", got)
	}
}

// TestVersionsAreOrderedAsByDpkg has versions in the order of dpkg --compare-versions.
func TestVersionsAreOrderedAsByDpkg(t *testing.T) {
	versions := strings.Fields(`0~~ 0~ 0~a 0 0-0.1 0-1~bpo13+1 0-1 0-1+b1 0-1+b2 0-1+b10 0-1+deb13u1 0-1+deb13u2 0-1.1 0-2 0-10 0a 0+b1 0.1 0.1a 0.1.0 0.2 0.10
		1.0~alpha1 1.0~beta1 1.0~rc1 1.0~rc1-1 1.0~rc1+dfsg 1.0 1.0-1 1.0-1ubuntu1 1.0a 1.0+dfsg-1 1.0+git20261101 1.0.0 1.2.3-r4 1.10 1:0 1:0-1 1:0.9-1 2:0`)
	for i, a := range versions {
		for j, b := range versions {
			entry := fmt.Sprintf(`{"id": "CVE-2026-1", "affected": [{"package": {"ecosystem": "Debian:13", "name": "a"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0~~~"}, {"fixed": %q}]}]}]}`, b)
			lock := lockOf("debian 13", "a "+a+" a "+a)
			if got, want := len(advisories.Match(read(t, entry), advisories.Subject{Locks: []*v1alpha1.Lock{lock}}).Items) == 1, i < j; got != want {
				t.Errorf("%s before %s: got %t", a, b, got)
			}
		}
	}
}
