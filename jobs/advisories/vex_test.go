// SPDX-License-Identifier: Apache-2.0

package advisories_test

import (
	"fmt"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

// vex is a document of OpenVEX with statements.
func vex(statements string) string {
	return `{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex/1", "author": "Ada", "timestamp": "2026-11-01T10:00:00Z", "version": 1,
	 "statements": [` + statements + `]}`
}

// said is a statement that a product is not affected by CVE-2026-1001.
func said(product string) string {
	return fmt.Sprintf(`{"vulnerability": {"name": "CVE-2026-1001"}, "products": [%s], "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path"}`, product)
}

func TestStatementsSayWhyAnImageIsNotAffected(t *testing.T) {
	const (
		expat = `{"@id": "pkg:deb/debian/expat"}`
		path  = "vulnerable_code_not_in_execute_path"
	)
	in := func(image, parts string) string {
		return fmt.Sprintf(`{"@id": %q, "subcomponents": [%s]}`, image, parts)
	}
	for _, c := range []struct {
		name, document, want string // want is the justification, or ""
	}{
		{"the source package", vex(said(expat)), path},
		{"the source package, by arch=source", vex(said(`{"@id": "pkg:deb/debian/expat?arch=source"}`)), path},
		{"by an identifier", vex(said(`{"@id": "https://example.com/expat", "identifiers": {"purl": "pkg:deb/debian/expat@2.5.0-1"}}`)), path},
		{"another version", vex(said(`{"@id": "pkg:deb/debian/expat@2.5.0-2"}`)), ""},
		{"the release", vex(said(`{"@id": "pkg:deb/debian/expat?distro=debian-12"}`)), path},
		{"the release by its name", vex(said(`{"@id": "pkg:deb/debian/expat?distro=bookworm"}`)), path},
		{"another release", vex(said(`{"@id": "pkg:deb/debian/expat?distro=debian-13"}`)), ""},
		{"another distribution", vex(said(`{"@id": "pkg:deb/ubuntu/expat"}`)), ""},
		{"one of two binary packages", vex(said(`{"@id": "pkg:deb/debian/libexpat1"}`)), ""},
		{"both binary packages", vex(said(`{"@id": "pkg:deb/debian/libexpat1?arch=amd64"}, {"@id": "pkg:deb/debian/expat-utils@2.5.0-1+b1"}`)), path},
		{"another architecture", vex(said(`{"@id": "pkg:deb/debian/libexpat1?arch=arm64"}, {"@id": "pkg:deb/debian/expat-utils"}`)), ""},
		{"another vulnerability", vex(`{"vulnerability": {"name": "CVE-2026-9"}, "products": [` + expat + `], "status": "not_affected"}`), ""},
		{"an alias", vex(`{"vulnerability": {"name": "X-1", "aliases": ["CVE-2026-1001"]}, "products": [` + expat + `], "status": "not_affected", "impact_statement": "compiled out"}`), "compiled out"},
		{"an address of the vulnerability", vex(`{"vulnerability": {"@id": "https://nvd.nist.gov/vuln/detail/CVE-2026-1001"}, "products": [` + expat + `], "status": "not_affected", "justification": "component_not_present", "impact_statement": "see notes"}`),
			"component_not_present: see notes"},
		{"an ID of the source", vex(`{"vulnerability": {"name": "DEBIAN-CVE-2026-1001"}, "products": [` + expat + `], "status": "fixed", "status_notes": "patched here"}`), "fixed: patched here"},
		{"the image, whatever the package", vex(said(`{"@id": "pkg:oci/web?repository_url=registry.example%2Fteam%2Fweb"}`)), path},
		{"the image, by the parent of its repository", vex(said(`{"@id": "pkg:oci/web?repository_url=https://Registry.example/team"}`)), path},
		{"the image, by its digest", vex(said(`{"@id": "pkg:oci/web@sha256%3Aabc"}`)), path},
		{"another digest", vex(said(`{"@id": "pkg:oci/web@sha256:def?repository_url=registry.example/team/web"}`)), ""},
		{"another repository", vex(said(`{"@id": "pkg:oci/web?repository_url=registry.example/other/web"}`)), ""},
		{"no repository", vex(said(`{"@id": "pkg:oci/web"}`)), ""},
		{"the Image", vex(said(`{"@id": "pkg:generic/team/web"}`)), path},
		{"the Image of another namespace", vex(said(`{"@id": "pkg:generic/others/web"}`)), ""},
		{"a package in the image", vex(said(in("pkg:generic/team/web", expat))), path},
		{"another package in the image", vex(said(in("pkg:generic/team/web", `{"@id": "pkg:deb/debian/zlib"}`))), ""},
		{"the package in another image", vex(said(in("pkg:generic/team/db", expat))), ""},
		{"affected", vex(`{"vulnerability": {"name": "CVE-2026-1001"}, "products": [` + expat + `], "status": "affected"}`), ""},
		{"version 0.0.1", `{"@context": "https://openvex.dev/ns", "timestamp": "2026-11-01T10:00:00Z", "statements": [{"vulnerability": "CVE-2026-1001",
			"products": ["pkg:generic/team/web"], "subcomponents": ["pkg:deb/debian/expat"], "status": "not_affected", "justification": "component_not_present"}]}`, "component_not_present"},
		{"two documents, of which the later counts", vex(`{"vulnerability": {"name": "CVE-2026-1001"}, "timestamp": "2026-11-03T10:00:00Z", "products": [`+expat+`], "status": "under_investigation"}`) +
			vex(said(expat)), ""},
		{"the same time, of which the last counts", vex(`{"vulnerability": {"name": "CVE-2026-1001"}, "products": [` + expat + `], "status": "affected"}, ` + said(expat)), path},
		{"about the image, which counts before a later one about the package", vex(said(`{"@id": "pkg:generic/team/web"}`) +
			`, {"vulnerability": {"name": "CVE-2026-1001"}, "timestamp": "2026-11-03T10:00:00Z", "products": [` + expat + `], "status": "affected"}`), path},
	} {
		subject := advisories.Subject{
			Namespace: "team", Image: "web", Repository: "registry.example/team/web", Digests: []string{"sha256:abc"},
			Locks: []*v1alpha1.Lock{lockOf("debian 12", "libexpat1 2.5.0-1 expat", "expat-utils 2.5.0-1+b1 expat 2.5.0-1", "zlib1g 1:1.3-1 zlib")},
		}
		result := advisories.Match(read(t, debianCVE, c.document), subject)
		if len(result.Items) != 1 {
			t.Errorf("%s: got %s", c.name, brief(result))
			continue
		}
		item, wanted := result.Items[0], v1alpha1.VulnerabilityOpen
		if c.want != "" {
			wanted = v1alpha1.VulnerabilityNotAffected
		}
		if item.Status != wanted || item.Justification != c.want || (result.Counts.NotAffected == 1) != (c.want != "") || (len(result.Worst) == 0) != (c.want != "") {
			t.Errorf("%s: got %s %q, want %s %q; counts %+v", c.name, item.Status, item.Justification, wanted, c.want, result.Counts)
		}
	}
}

func TestNestedSubcomponentsAreIgnored(t *testing.T) {
	allocations := func(levels int) float64 {
		nested := strings.Repeat(`{"@id": "pkg:npm/a", "subcomponents": [`, levels) + strings.Repeat("]}", levels)
		document := vex(said(nested))
		return testing.AllocsPerRun(1, func() { read(t, document) })
	}
	if few, many := allocations(10), allocations(1000); many > 2*few {
		t.Errorf("%v allocations of 1000 levels, %v of 10", many, few)
	}
}
