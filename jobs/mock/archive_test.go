// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	firstState  = "date: 2026-11-28T10:00:00Z\nopenssl 3.5.4-1\ncurl 8.14.1-1\n\n"
	secondState = "date: 2026-11-29T12:00:00+02:00\nopenssl 3.5.4-1\nopenssl 3.5.6-1 security CVE-2026-1\nopenssl 3.5.7-1 CVE-2026-3 CVE-2026-2\ncurl 8.14.1-1\n"
	etag        = `"2"`
)

// serve returns the address of a server with a state of an archive. It answers a request that has the validator with 304, and counts the requests
// with one.
func serve(t *testing.T, state *string, conditional *int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("ETag", etag)
		if request.Header.Get("If-None-Match") != "" {
			*conditional++
		}
		http.ServeContent(w, request, "", time.Time{}, strings.NewReader(*state))
	}))
	t.Cleanup(server.Close)
	return server.URL + "/archive"
}

// buildAt builds with parameters, and returns the lock and the artifact of the first target.
func buildAt(t *testing.T, parameters map[string]string, base []byte) (*v1alpha1.Lock, []byte) {
	t.Helper()
	parameters["duration"] = "0s"
	input := sampleInput(1, parameters)
	if base != nil {
		input.Base = render.InputBase{Image: "base", Artifacts: []render.InputArtifact{{Target: "linux/amd64/raw", Path: "base.raw", Digest: contents.Digest(base), SizeBytes: int64(len(base))}}}
	}
	c := newContract(t, input)
	if base != nil {
		require.NoError(t, os.Mkdir(c.getenv(render.EnvBase), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(c.getenv(render.EnvBase), "base.raw"), base, 0o400))
	}
	if code := c.run(t.Context()); code != 0 {
		t.Fatalf("exit code %d: %s", code, &c.stderr)
	}
	read := func(name string) []byte {
		return require.Value(os.ReadFile(filepath.Join(c.getenv(render.EnvOutput), name)))(t)
	}
	return require.Value(lock.Read(read("lock.json")))(t), read("linux-amd64.raw")
}

func all(name, version string) v1alpha1.Package {
	return v1alpha1.Package{Name: name, Version: version, Architecture: "all"}
}

func TestPackagesHaveTheNewestVersionOfTheArchive(t *testing.T) {
	state, conditional := firstState, 0
	uri := serve(t, &state, &conditional)
	parameters := map[string]string{"archive": uri, "packages": "openssl curl=8 vim"}
	before, base := buildAt(t, parameters, nil)
	again, sameBase := buildAt(t, parameters, nil)
	if diff := cmp.Diff(before, again); diff != "" || string(base) != string(sameBase) {
		t.Errorf("the same state of the archive gives another artifact: %s", diff)
	}
	state = secondState
	after, changed := buildAt(t, parameters, nil)
	date := metav1.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	want := &v1alpha1.Lock{
		Version: 1, Packages: []v1alpha1.Package{all("openssl", "3.5.7-1"), all("curl", "8"), all("vim", "1.0")},
		Sources: []v1alpha1.PackageSource{{URI: uri, Release: &v1alpha1.ReleaseFile{Date: &date, SHA256: strings.TrimPrefix(contents.Digest([]byte(secondState)), "sha256:")}}},
	}
	if diff := cmp.Diff(want, after); diff != "" {
		t.Error(diff)
	}
	if string(changed) == string(base) {
		t.Error("other packages are in the same artifact")
	}
	state = strings.Replace(secondState, "curl 8.14.1-1", "curl 8.14.1-2", 1)
	if _, same := buildAt(t, parameters, nil); string(same) != string(changed) {
		t.Error("another state of the archive with the same packages gives another artifact")
	}

	child, made := buildAt(t, map[string]string{"packages": "vim=9"}, base)
	want = &v1alpha1.Lock{Version: 1, Packages: []v1alpha1.Package{all("vim", "9"), all("openssl", "3.5.4-1"), all("curl", "8")}, Sources: []v1alpha1.PackageSource{{URI: uri}}}
	if diff := cmp.Diff(want, child); diff != "" {
		t.Errorf("the child: %s", diff)
	}
	grandchild, _ := buildAt(t, map[string]string{"packages": "openssl", "archive": uri}, made)
	if diff := cmp.Diff([]v1alpha1.Package{all("openssl", "3.5.7-1"), all("vim", "9"), all("curl", "8")}, grandchild.Packages); diff != "" || len(grandchild.Sources) != 1 {
		t.Errorf("the grandchild, from %v: %s", grandchild.Sources, diff)
	}
	if other, _ := buildAt(t, map[string]string{"packages": "vim"}, []byte("a disk")); len(other.Sources) > 0 || len(other.Packages) != 1 {
		t.Errorf("a base of another builder gives %v", other)
	}
}

func TestTheArchiveIsAnswered(t *testing.T) {
	const digest = "sha256:"
	state, conditional := secondState, 0
	uri := serve(t, &state, &conditional)
	question := map[string]map[string][]string{"all": {"openssl": {"3.5.4-1", "3.5.6-1", "3.5.7-1", "1.0"}, "curl": {"8.14.1-1"}, "vim": {"1.0"}}}
	known := func(content, etag string) *v1alpha1.ArchiveRelease {
		return &v1alpha1.ArchiveRelease{Date: metav1.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC), SHA256: strings.TrimPrefix(contents.Digest([]byte(content)), digest), ETag: etag}
	}
	full := []v1alpha1.PackageUpdate{
		{Name: "openssl", Architecture: "all", From: "3.5.4-1", To: "3.5.7-1", Security: true, Advisories: []string{"CVE-2026-3", "CVE-2026-2", "CVE-2026-1"}},
		{Name: "openssl", Architecture: "all", From: "3.5.6-1", To: "3.5.7-1", Advisories: []string{"CVE-2026-3", "CVE-2026-2"}},
	}
	for title, test := range map[string]struct {
		probe       render.InputProbe
		state       string // secondState if empty
		unchanged   bool
		conditional int
		fails       string // the class and a part of the message
	}{
		"the first time":                        {probe: render.InputProbe{}},
		"with the validator":                    {probe: render.InputProbe{Conditional: true, Release: known(secondState, etag)}, unchanged: true, conditional: 1},
		"with an old validator":                 {probe: render.InputProbe{Conditional: true, Release: known(firstState, `"1"`)}, conditional: 1},
		"the same content":                      {probe: render.InputProbe{Conditional: true, Release: known(secondState, "")}, unchanged: true},
		"the same content, without a condition": {probe: render.InputProbe{Release: known(secondState, etag)}},
		"an older state":                        {probe: render.InputProbe{Release: known(secondState, etag)}, state: firstState, fails: "Infrastructure ArchiveOlder: " + uri + " is of 2026-11-28T10:00:00Z, older than before, 2026-11-29T10:00:00Z"},
		"no date":                               {state: "openssl 1\n", fails: "User ArchiveInvalid: read " + uri + ": it must begin with the line date"},
		"a line without a version":              {state: firstState + "vim\n", fails: `User ArchiveInvalid: read ` + uri + `: line "vim": it must begin`},
		"an archive that is too large":          {state: firstState + strings.Repeat("vim 1\n", maxArchiveBytes/6), fails: "it has more than 1048576 bytes"},
		"no archive there":                      {probe: render.InputProbe{Archive: render.InputArchive{URI: "http://127.0.0.1:1/"}}, fails: "Infrastructure ArchiveUnavailable: "},
		"another scheme":                        {probe: render.InputProbe{Archive: render.InputArchive{URI: "file:///etc/passwd"}}, fails: "Infrastructure ArchiveUnavailable: "},
	} {
		t.Run(title, func(t *testing.T) {
			conditional = 0
			if state = test.state; state == "" {
				state = secondState
			}
			if test.probe.Packages = question; test.probe.Archive.URI == "" {
				test.probe.Archive.URI = uri
			}
			c := newContract(t, render.Input{Version: 1, Attempt: 1, Probe: &test.probe})
			code := c.run(t.Context())
			answer, failure := result.ParseProbe(c.result(t), int32(code), &c.stdout, question)
			if test.fails != "" {
				if failure == nil || !strings.Contains(fmt.Sprintf("%s %s", failure.Class, failure.Message), test.fails) {
					t.Errorf("got %+v, want %s", failure, test.fails)
				}
				return
			}
			if failure != nil {
				t.Fatal(failure.Message)
			}
			want := &result.Answer{Release: *known(secondState, etag), Updates: full, Unchanged: test.unchanged}
			if test.unchanged {
				want.Updates = nil
			}
			if diff := cmp.Diff(want, answer); diff != "" {
				t.Error(diff)
			}
			if conditional != test.conditional {
				t.Errorf("%d requests have a condition", conditional)
			}
		})
	}
}

func TestAnArchiveOfABuildIsRefused(t *testing.T) {
	for archive, want := range map[string]string{
		"":                          "InvalidParameter: parameter archive must be a URL that begins with http:// or https://, without user, query and fragment",
		"/srv/archive":              "InvalidParameter: parameter archive must be",
		"ftp://mirror.example":      "InvalidParameter: parameter archive must be",
		"http://":                   "InvalidParameter: parameter archive must be",
		"http://u:p@mirror.example": "InvalidParameter: parameter archive must be",
		"http://mirror.example/?a":  "InvalidParameter: parameter archive must be",
		"http://127.0.0.1:1/":       "ArchiveUnavailable: ",
	} {
		c := newContract(t, sampleInput(1, map[string]string{"archive": archive, "duration": "0s"}))
		if code := c.run(t.Context()); code != 1 {
			t.Errorf("%s: exit code %d", archive, code)
		}
		var left result.Result
		require.NoError(t, json.Unmarshal([]byte(c.result(t)), &left))
		if got := left.Failure.Reason + ": " + left.Failure.Message; !strings.HasPrefix(got, want) || strings.Contains(got, "u:p") {
			t.Errorf("%s: got %s", archive, got)
		}
	}
}

// A resolve answers the packages that a build would have, with those that the archive adds.
func TestPackagesAreResolved(t *testing.T) {
	state, conditional := secondState+"+libnew\nlibnew 2\n+curl\n", 0
	parameters := map[string]string{"archive": serve(t, &state, &conditional), "packages": "openssl curl=8 vim"}
	built, _ := buildAt(t, parameters, nil)
	if diff := cmp.Diff([]v1alpha1.Package{all("openssl", "3.5.7-1"), all("curl", "8"), all("vim", "1.0"), all("libnew", "2")}, built.Packages); diff != "" {
		t.Error(diff)
	}
	input := sampleInput(1, parameters)
	input.Resolve = true
	c := newContract(t, input)
	code := c.run(t.Context())
	message := require.Value(os.ReadFile(c.getenv(render.EnvResult)))(t)
	answer, failure := result.ParseResolve(string(message), int32(code), &c.stdout)
	if failure != nil || !answer.Complete {
		t.Fatalf("answers %+v, %+v", answer, failure)
	}
	var resolved []v1alpha1.Package
	for _, one := range answer.Packages {
		resolved = append(resolved, v1alpha1.Package{Name: one.Name, Version: one.Version, Architecture: one.Architecture})
	}
	if diff := cmp.Diff(built.Packages, resolved); diff != "" {
		t.Errorf("a build has other packages: %s", diff)
	}
}
