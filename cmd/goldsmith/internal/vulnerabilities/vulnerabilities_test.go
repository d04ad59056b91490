// SPDX-License-Identifier: Apache-2.0

package vulnerabilities

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
)

var now = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// list returns the vulnerabilities of build web-7.
func list(items ...v1alpha1.Vulnerability) *v1alpha1.ImageBuildVulnerabilities {
	return &v1alpha1.ImageBuildVulnerabilities{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ImageBuildVulnerabilities"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-7"}, BuildUID: "uid",
		Counts:  v1alpha1.VulnerabilityCounts{Critical: 1, Low: 1, Fixable: 1, NotAffected: 1},
		Sources: []v1alpha1.AdvisorySource{{Name: "debian.json", Format: "DebianTracker", ReadTime: metav1.NewTime(now.Add(-12 * time.Minute)), Message: "404"}},
		Items:   items,
	}
}

func TestVulnerabilitiesAreATable(t *testing.T) {
	const open = v1alpha1.VulnerabilityOpen
	critical := v1alpha1.Vulnerability{
		ID: "CVE-1", Severity: v1alpha1.SeverityCritical, Status: open, Source: "openssl", Version: "3.5.6-1", FixedVersion: "3.5.7-1",
		Packages: []string{"libssl-dev", "libssl3t64", "openssl", "openssl-provider"}, Description: "a\x1b[31m",
	}
	low := v1alpha1.Vulnerability{ID: "CVE-2", Severity: v1alpha1.SeverityLow, Status: open, Source: "bash", Version: "5.2-1", Packages: []string{"bash"}}
	other := v1alpha1.Vulnerability{
		ID: "CVE-3", Severity: v1alpha1.SeverityHigh, Status: v1alpha1.VulnerabilityNotAffected, Source: "curl", Version: "8", FixedVersion: "9", Packages: []string{"curl"},
		Justification: "vulnerable_code_not_in_execute_path: no client runs",
	}
	all := func() *v1alpha1.ImageBuildVulnerabilities { return list(critical, low, other) }
	unknown := list()
	unknown.Counts, unknown.Sources, unknown.Unmatched = v1alpha1.VulnerabilityCounts{}, nil, []string{"no advisory is about 3 packages of alpine"}
	partly := list(low)
	partly.Unmatched, partly.OtherArchives, partly.Counts = unknown.Unmatched, []string{"https://a.example trixie stable"}, v1alpha1.VulnerabilityCounts{Low: 1}
	unreadable := list(v1alpha1.Vulnerability{ID: "CVE-4", Severity: v1alpha1.SeverityUnreadable, Status: open, Source: "bash", Version: "5.2-1", Packages: []string{"bash"}})
	unreadable.Counts = v1alpha1.VulnerabilityCounts{Unreadable: 1}
	partly.Sources, unreadable.Sources = nil, []v1alpha1.AdvisorySource{{Name: "all.zip", Format: "OSV", ReadTime: metav1.NewTime(now.Add(-time.Minute)), Ignored: 3, Unreadable: 2, Problem: "X\x1b"}}
	const (
		partlySummary = "build web-7 has 1 open vulnerability: 1 Low\nunknown: no advisory is about 3 packages of alpine\n" +
			"unknown: packages of another archive: https://a.example trixie stable\n"
		unreadableSummary = "build web-7 has 1 open vulnerability: 1 Unreadable\n" +
			"advisories: all.zip (OSV), read 60s ago; ignored 3 about other packages than Debian's; 2 cannot be read, the first: X^[\n"
		summary = "build web-7 has 2 open vulnerabilities: 1 Critical, 1 Low, 1 with a fix; 1 does not affect it\n" +
			"advisories: debian.json (DebianTracker), read 12m ago; the last attempt to read them failed: 404\n"
		row1 = "CVE-1   Critical   openssl   3.5.6-1   3.5.7-1   libssl-dev, libssl3t64, 2 more\n"
	)
	for name, test := range map[string]struct {
		asked  options
		found  *v1alpha1.ImageBuildVulnerabilities // nil: the server has no advisories
		out    string
		stderr string
		fails  string
		code   int
	}{
		"open": {
			found: all(), stderr: summary,
			out: "ID      SEVERITY   SOURCE    VERSION   FIXED     PACKAGES\n" + row1 + "CVE-2   Low        bash      5.2-1     <none>    bash\n",
		},
		"severe":  {asked: options{severity: "High"}, found: all(), stderr: summary, out: "ID      SEVERITY   SOURCE    VERSION   FIXED     PACKAGES\n" + row1},
		"fixable": {asked: options{fixable: true, exitCode: true}, found: all(), stderr: summary, out: "ID      SEVERITY   SOURCE    VERSION   FIXED     PACKAGES\n" + row1, fails: "build web-7 has open vulnerabilities", code: exit.Vulnerable},
		"all, of a high severity": {
			asked: options{severity: "High", all: true, format: format{output.Wide}}, found: all(), stderr: summary,
			out: "ID      SEVERITY   SOURCE    VERSION   FIXED     PACKAGES                                            NOT AFFECTED                                          DESCRIPTION\n" +
				"CVE-1   Critical   openssl   3.5.6-1   3.5.7-1   libssl-dev, libssl3t64, openssl, openssl-provider   <none>                                                a^[[31m\n" +
				"CVE-3   High       curl      8         9         curl                                                vulnerable_code_not_in_execute_path: no client runs   <none>\n",
		},
		"in a format":          {asked: options{format: format{"jsonpath={.items[*].id}"}}, found: all(), out: "CVE-1 CVE-2"},
		"none that are open":   {asked: options{exitCode: true}, found: list(other), stderr: summary},
		"unknown":              {found: unknown, stderr: "build web-7 has no open vulnerability\nunknown: no advisory is about 3 packages of alpine\n"},
		"unknown, in a check":  {asked: options{exitCode: true}, found: unknown, stderr: "build web-7 has no open vulnerability\nunknown: no advisory is about 3 packages of alpine\n", fails: "the vulnerabilities of build web-7 are unknown: no advisory is about 3 packages of alpine", code: exit.Unjudged},
		"open, and unknown":    {asked: options{exitCode: true}, found: partly, stderr: partlySummary, out: "ID ", fails: "build web-7 has open vulnerabilities", code: exit.Vulnerable},
		"fixable, and unknown": {asked: options{exitCode: true, fixable: true}, found: partly, stderr: partlySummary, fails: "the vulnerabilities of build web-7 are unknown: no advisory", code: exit.Unjudged},
		"a rating that cannot be read": {asked: options{exitCode: true, severity: "Critical"}, found: unreadable, stderr: unreadableSummary,
			out: "ID      SEVERITY     SOURCE   VERSION   FIXED    PACKAGES\nCVE-4   Unreadable   bash     5.2-1     <none>   bash\n", fails: "build web-7 has open vulnerabilities", code: exit.Vulnerable},
		"fixable, without a rating that can be read": {asked: options{exitCode: true, fixable: true}, found: unreadable, stderr: unreadableSummary,
			fails: "build web-7 has vulnerabilities whose rating cannot be read: list them without --fixable", code: exit.Unjudged},
		"without advisories": {fails: "read the vulnerabilities of build web-7: the server has no advisories", code: exit.Failure},
		"of an image":        {asked: options{uid: "other"}, found: all(), stderr: summary, out: "ID "},
	} {
		t.Run(name, func(t *testing.T) {
			out, stderr, err := shown(t, &test.asked, test.found)
			if (err == nil) != (test.fails == "") || err != nil && (!strings.HasPrefix(err.Error(), test.fails) || exit.Code(t.Context(), err) != test.code) {
				t.Errorf("error %v, code %d", err, exit.Code(t.Context(), err))
			}
			if !strings.HasPrefix(out, test.out) || (test.out == "") != (out == "") || stderr != test.stderr {
				t.Errorf("stdout:\n%s\nstderr:\n%s", cmp.Diff(test.out, out), cmp.Diff(test.stderr, stderr))
			}
		})
	}

	out, _, err := shown(t, &options{format: format{openVEX}}, all())
	require.NoError(t, err)
	const component = `"products": [{"@id": "pkg:generic/team/web", "subcomponents": [{"@id": "pkg:deb/debian/`
	want := `{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "pkg:generic/team/web@web-7", "author": "Goldsmith", "timestamp": "2026-11-20T08:00:00Z", "version": 1, "statements": [
		{"vulnerability": {"name": "CVE-1"}, ` + component + `libssl3t64@3.5.6-1?arch=amd64&distro=debian-13&upstream=openssl"}]}],
			"status": "affected", "action_statement": "build the image with openssl 3.5.7-1"},
		{"vulnerability": {"name": "CVE-2"}, ` + component + `bash@5.2-1%2Bb1?arch=amd64&distro=debian-13"}]}], "status": "affected", "action_statement": "no fixed version is known"},
		{"vulnerability": {"name": "CVE-3"}, "products": [{"@id": "pkg:generic/team/web"}], "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path", "impact_statement": "no client runs"}]}`
	if diff := cmp.Diff(parsed(t, want), parsed(t, out)); diff != "" {
		t.Errorf("OpenVEX (-want +got):\n%s", diff)
	}
}

func TestOpenVEXNamesTheImageOfABuild(t *testing.T) {
	named := func(name, version string) *v1alpha1.ImageBuild {
		return &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: version}}
	}
	ofImage := named("web-x", "1")
	ofImage.Spec.ImageRef = &v1alpha1.ImageReference{Name: "web"}
	for _, c := range []struct {
		build *v1alpha1.ImageBuild
		want  string // empty: refused
	}{{ofImage, "pkg:generic/team/web"}, {named("web-7", ""), "pkg:generic/team/web"}, {named("web-7", "1"), ""}, {named("foo-bar", "1"), ""}, {named("foo-bar", ""), ""}, {named("7", ""), ""}} {
		var out bytes.Buffer
		o := options{out: &out, clock: testingclock.NewFakePassiveClock(now)}
		found := list(v1alpha1.Vulnerability{ID: "CVE-1", Status: v1alpha1.VulnerabilityOpen})
		switch err := o.printOpenVEX(c.build, found, &v1alpha1.ImageBuildPackages{}); {
		case c.want == "" && (err == nil || err.Error() != "build "+c.build.Name+" has no image, which is the product of OpenVEX: name a build of an image"):
			t.Errorf("%s: got %v, %s", c.build.Name, err, &out)
		case c.want != "" && (err != nil || !strings.Contains(out.String(), `"@id": "`+c.want+`"`)):
			t.Errorf("%s: got %v, %s", c.build.Name, err, &out)
		}
	}
}

func parsed(t *testing.T, text string) (value any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	return value
}

func TestSeveritiesAndFormatsAreChecked(t *testing.T) {
	for argument, fails := range map[string]string{
		"--severity=high": "", "--severity=Worst": "must be Critical, High", "-oopenvex": "", "-oyaml": "", "-ovex": "must be json, yaml, name, wide",
	} {
		err := NewCommand().ParseFlags([]string{argument})
		if (err == nil) != (fails == "") || err != nil && !strings.Contains(err.Error(), fails) {
			t.Errorf("%s: %v", argument, err)
		}
	}
}

// shown returns the output of the verb for build web-7.
func shown(t *testing.T, asked *options, found *v1alpha1.ImageBuildVulnerabilities) (stdout, stderr string, err error) {
	t.Helper()
	build := &v1alpha1.ImageBuild{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ImageBuild"}, ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-7", UID: "uid"}}
	build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "web"}
	build.Status = v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildSucceeded, Finished: true, Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw"}}}
	packages := &v1alpha1.ImageBuildPackages{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ImageBuildPackages"}, Locks: []v1alpha1.ArtifactLock{{Lock: v1alpha1.Lock{
		Distribution: &v1alpha1.Distribution{ID: "debian", Version: "13"},
		Packages: []v1alpha1.Package{
			{Name: "libssl3t64", Version: "3.5.6-1", Architecture: "amd64", Source: &v1alpha1.SourcePackage{Name: "openssl", Version: "3.5.6-1"}},
			{Name: "openssl", Version: "3.0", Architecture: "amd64", Source: &v1alpha1.SourcePackage{Name: "openssl", Version: "3.0"}},
			{Name: "bash", Version: "5.2-1+b1", Architecture: "amd64"},
		},
	}}}}
	uid := string(build.UID)
	if asked.uid != "" {
		uid = asked.uid
	}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		const prefix = "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds/web-7"
		var answer runtime.Object
		switch in.URL.String() {
		case prefix:
			answer = build
		case prefix + "/packages?uid=" + uid:
			answer = packages
		case prefix + "/vulnerabilities?uid=" + uid:
			answer = found
		}
		out.Header().Set("Content-Type", "application/json")
		if answer == nil || found == nil && answer != runtime.Object(build) {
			answer = &metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound, Message: "the server has no advisories"}
			out.WriteHeader(http.StatusNotFound)
		}
		_ = json.NewEncoder(out).Encode(answer) // the client reports what it misses
	}))
	defer server.Close()
	var written, complaints bytes.Buffer
	asked.out, asked.stderr, asked.clock = &written, &complaints, testingclock.NewFakePassiveClock(now)
	if asked.severity == "" {
		asked.severity = "Unknown"
	}
	config := &rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	err = asked.run(t.Context(), &client.Connection{Interface: versioned.NewForConfigOrDie(config), Namespace: "team", Config: config}, "web-7")
	return written.String(), complaints.String(), err
}
