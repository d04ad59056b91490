// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/result"
)

// section returns the text of a page below a heading, until the next heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	page := string(require.Value(os.ReadFile(buildersPage))(t))
	_, text, found := strings.Cut(page, "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", buildersPage, heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	text, _, _ = strings.Cut(text, "\n### ")
	return text
}

// The tables of the page have a row for each field that Goldsmith writes into an input, or reads from a result or a lock, and no other.
func TestThePageHasEveryField(t *testing.T) {
	document := reflect.TypeFor[result.Content]()
	// These fields belong to Goldsmith: what a builder sets there is ignored.
	ignored := []string{"check", "ignored", "tagged", "artifacts[].verified", "artifacts[].tag", "artifacts[].packages", "artifacts[].made"}
	for heading, of := range map[string]reflect.Type{
		"### Fields of the input":  reflect.TypeFor[Input](),
		"### Fields of the result": reflect.TypeFor[result.Result](),
		"## Locks":                 reflect.TypeFor[v1alpha1.Lock](),
	} {
		var want []string
		var walk func(path string, of reflect.Type)
		walk = func(path string, of reflect.Type) {
			switch {
			case slices.Contains(ignored, path):
			case of.Kind() == reflect.Pointer && (path == "" || of.Elem() != document):
				walk(path, of.Elem())
			case of.Kind() == reflect.Slice:
				walk(path+"[]", of.Elem())
			case of.Kind() == reflect.Struct && of != reflect.TypeFor[metav1.Time]() && of != reflect.TypeFor[v1alpha1.ImageTest](): // the API describes tests
				for field := range of.Fields() {
					if !field.IsExported() {
						continue
					}
					name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
					walk(strings.TrimPrefix(strings.TrimSuffix(path+"."+name, "."), "."), field.Type)
				}
			default: // a document has the fields of an artifact's content
				want = append(want, path)
			}
		}
		walk("", of)
		var got []string
		for line := range strings.Lines(section(t, heading)) {
			cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
			if strings.HasPrefix(line, "| `") {
				for name := range strings.SplitSeq(cell, ", ") {
					got = append(got, strings.Trim(name, "`"))
				}
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the table below %q differs from %s: %s", heading, of, diff)
		}
	}
}

// The page shows how a shell builder writes a lock.
func TestThePageShowsHowToWriteALock(t *testing.T) {
	_, script, _ := strings.Cut(section(t, "## Locks"), "```sh\n")
	script, _, _ = strings.Cut(script, "```\n")
	if n := strings.Count(script, "\n"); n == 0 || n > 5 {
		t.Errorf("the script has %d lines", n)
	}
	root, output := t.TempDir(), t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "var/lib/dpkg"), 0o700))
	const status = "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nSource: bash (5.2.37-2)\nVersion: 5.2.37-2+b5\nDescription: a shell\n Version: 0\n\n" +
		"Package: cron\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 3.0\n\n" +
		"Package: tzdata\nStatus: hold ok installed\nArchitecture: all\nVersion: 2025b-4\n\n"
	require.NoError(t, os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), []byte(status), 0o600))
	command := exec.CommandContext(t.Context(), "/bin/sh", "-euc", script)
	command.Env = []string{"PATH=" + commonPath, "root=" + root, EnvOutput + "=" + output}
	said, err := command.CombinedOutput()
	if err != nil || len(said) > 0 {
		t.Fatalf("the script ends with %v, and prints %s", err, said)
	}
	got := require.Value(lock.Read(require.Value(os.ReadFile(filepath.Join(output, "lock.json")))(t)))(t)
	want := &v1alpha1.Lock{Version: 1, Distribution: &v1alpha1.Distribution{ID: "debian"}, Packages: []v1alpha1.Package{
		{Name: "bash", Version: "5.2.37-2+b5", Architecture: "amd64"},
		{Name: "tzdata", Version: "2025b-4", Architecture: "all"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The page shows how a shell builder answers about an archive.
func TestThePageShowsHowToCheckAnArchive(t *testing.T) {
	_, script, _ := strings.Cut(section(t, "## Checking archives"), "```sh\n")
	script, _, _ = strings.Cut(script, "```\n")
	if n := strings.Count(script, "\n"); n == 0 || n > 25 {
		t.Errorf("the script has %d lines", n)
	}
	const list = "date: 2026-11-29T10:00:00Z\nopenssl 3.5.7-1\ntzdata 2026a-0+deb13u1\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, list) }))
	defer server.Close()
	dir := t.TempDir()
	run := func(release *v1alpha1.ArchiveRelease) (log string, err error) {
		input := Input{Version: InputVersion, Probe: &InputProbe{Archive: InputArchive{URI: server.URL}, Packages: someProbe().Packages, Release: release}}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "input"), require.Value(json.Marshal(input))(t), 0o600))
		command := exec.CommandContext(t.Context(), "/bin/sh", "-euc", script)
		command.Env = []string{"PATH=" + commonPath, EnvInput + "=" + filepath.Join(dir, "input"), EnvOutput + "=" + dir, EnvResult + "=" + filepath.Join(dir, "result")}
		said, err := command.CombinedOutput()
		return string(said), err
	}
	log, err := run(someProbe().Release)
	require.NoError(t, err)
	got, failure := result.ParseProbe(string(require.Value(os.ReadFile(filepath.Join(dir, "result")))(t)), 0, strings.NewReader(log), someProbe().Packages)
	if failure != nil {
		t.Fatalf("%s, log %s", failure.Message, log)
	}
	want := []v1alpha1.PackageUpdate{
		{Name: "openssl", Architecture: "amd64", From: "3.5.4-1", To: "3.5.7-1"}, {Name: "openssl", Architecture: "amd64", From: "3.5.6-1", To: "3.5.7-1"},
	}
	if diff := cmp.Diff(want, got.Updates); diff != "" || got.Release.SHA256 != strings.TrimPrefix(contents.Digest([]byte(list)), "sha256:") {
		t.Errorf("release %+v, updates: %s", got.Release, diff)
	}
	if log, err := run(&v1alpha1.ArchiveRelease{Date: metav1.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Errorf("an older archive is accepted: %s", log)
	}
}

// The page names each variable that this package sets.
func TestThePageHasEveryVariable(t *testing.T) {
	page := string(require.Value(os.ReadFile(buildersPage))(t))
	found := map[string]bool{}
	for _, file := range require.Value(filepath.Glob("*.go"))(t) {
		for _, name := range regexp.MustCompile(`\bGOLDSMITH_[A-Z_]+`).FindAllString(string(require.Value(os.ReadFile(file))(t)), -1) {
			found[name] = true
			if !strings.Contains(page, "| `"+name+"` |") {
				t.Errorf("%s has no row for $%s, which %s names", buildersPage, name, file)
			}
		}
	}
	if !found[EnvInput] {
		t.Errorf("the sources name only %v", found)
	}
}
