// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
)

func TestTheMirrorsOfTheToolsAreTheDefault(t *testing.T) {
	directory := t.TempDir()
	list := `# deb http://commented.example.com/debian trixie main
deb-src http://source.example.com/debian trixie main
deb [signed-by=/usr/share/keyrings/a.gpg arch=amd64] http://mirror.example.com/debian/ trixie main
deb http://mirror.example.com/debian trixie-updates main
deb http://security.example.com/debian-security trixie-security main
deb
`
	if err := os.WriteFile(filepath.Join(directory, "sources.list"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	mirror, security, err := mirrorsOf(filepath.Join(directory, "sources.list"))
	if err != nil || mirror != "http://mirror.example.com/debian" || security != "http://security.example.com/debian-security" {
		t.Errorf("mirrors %q and %q, error %v", mirror, security, err)
	}
}

// mirrorWith serves release files.
func mirrorWith(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL
}

func TestTheNewestReleaseFileIsTheTimeOfTheImage(t *testing.T) {
	url := mirrorWith(t, func(writer http.ResponseWriter, request *http.Request) {
		day := 21
		if strings.Contains(request.URL.Path, "trixie-updates") {
			day = 26
		}
		_, _ = fmt.Fprintf(writer, "-----BEGIN PGP SIGNED MESSAGE-----\n\nOrigin: Debian\nDate: Sat, %d Nov 2026 09:15:44 UTC\nComponents: main contrib\n", day)
	})
	b := &build{
		getenv: func(string) string { return "" }, log: t.Output(), report: func(string, int, string) {},
		config: &configuration{mirror: url, security: "none", components: []string{"contrib"}},
	}
	sources, _, err := b.sources()
	require.NoError(t, err)
	newest, _, err := b.findTime(t.Context(), sources)
	require.NoError(t, err)
	if want := time.Date(2026, 11, 26, 9, 15, 44, 0, time.UTC); !newest.Equal(want) {
		t.Errorf("time %v, want %v", newest, want)
	}
}

// TestASnapshotReplacesTheMirrors plays snapshot.debian.org as a proxy. A host in no_proxy is asked without the proxy.
func TestASnapshotReplacesTheMirrors(t *testing.T) {
	var asked []string
	proxy := mirrorWith(t, func(writer http.ResponseWriter, request *http.Request) {
		asked = append(asked, request.URL.String())
		day := "Tue, 01"
		if strings.Contains(request.URL.Path, "trixie-security") {
			day = "Wed, 02"
		}
		_, _ = fmt.Fprintf(writer, "Date: %s Sep 2026 08:00:00 UTC\nComponents: main\n", day)
	})
	environment := map[string]string{"http_proxy": proxy, "no_proxy": "example.com,direct.invalid"}
	c, err := newConfiguration(inputWith(map[string]string{"snapshot": "20260901T000000Z"}))
	require.NoError(t, err)
	b := &build{config: c, getenv: func(name string) string { return environment[name] }, log: t.Output(), report: func(string, int, string) {}}
	sources, _, err := b.sources()
	require.NoError(t, err)
	newest, _, err := b.findTime(t.Context(), sources)
	require.NoError(t, err)
	const archive = "http://snapshot.debian.org/archive/"
	want := []string{
		archive + "debian/20260901T000000Z/dists/trixie/InRelease",
		archive + "debian/20260901T000000Z/dists/trixie-updates/InRelease",
		archive + "debian-security/20260901T000000Z/dists/trixie-security/InRelease",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	if want := time.Date(2026, 9, 2, 8, 0, 0, 0, time.UTC); !newest.Equal(want) {
		t.Errorf("time %v, want that of the newest release file, %v", newest, want)
	}
	for _, test := range []struct {
		config configuration
		want   int // options about expiry
	}{
		{*c, 1},
		{configuration{expired: true}, 1},
		{configuration{}, 0},
	} {
		options := strings.Join((&plan{config: &test.config}).mmdebstrap("plan"), " ")
		if got := strings.Count(options, "Check-Valid-Until"); got != test.want {
			t.Errorf("%d options about expiry, want %d: %s", got, test.want, options)
		}
	}

	asked = nil
	_, _, err = b.findTime(t.Context(), []source{{"http://direct.invalid/debian", release, paramMirror}})
	if err == nil || failureOf(err).Reason != ReasonMirror || asked != nil {
		t.Errorf("error %v, and the proxy was asked for %q", err, asked)
	}
}

// What apt of the machine uses: by default what the build used, except for a mirror that no other machine reaches. The list of a base stays if no
// parameter is about mirrors.
func TestTheMirrorsOfTheMachineAreADecisionOfTheirOwn(t *testing.T) {
	const deb = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
	const old = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg check-valid-until=no] http://snapshot.debian.org/archive/"
	suites := func(mirror, components string) string {
		return deb + mirror + " trixie " + components + "\n" + deb + mirror + " trixie-updates " + components + "\n"
	}
	security := func(mirror string) string { return deb + mirror + " trixie-security main\n" }
	tools := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(tools, "etc/apt"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(tools, toolSources), []byte("deb http://tools/debian trixie main\ndeb http://tools/sec trixie-security main\n"), 0o600))
	for name, test := range map[string]struct {
		based      bool
		parameters map[string]string
		want       string
	}{
		"nothing": {want: suites("http://tools/debian", "main") + security("http://tools/sec")},
		"a mirror": {parameters: map[string]string{"mirror": "http://a/debian", "securityMirror": "https://a/sec"},
			want: suites("http://a/debian", "main") + security("https://a/sec")},
		"no security": {parameters: map[string]string{"securityMirror": "none", "components": "main contrib"}, want: suites("http://tools/debian", "main contrib")},
		"a kept mirror": {parameters: map[string]string{"mirror": "http://127.0.0.1:3142/debian", "securityMirror": "http://LOCALHOST:3142/sec"},
			want: suites("http://tools/debian", "main") + security("http://tools/sec")},
		"a kept mirror of IPv6": {parameters: map[string]string{"mirror": "http://[::1]:3142/debian", "securityMirror": "none"}, want: suites("http://tools/debian", "main")},
		"a kept mirror that is meant": {parameters: map[string]string{"mirror": "http://127.0.0.1/d", "machineMirror": "http://127.0.0.1/d", "machineSecurityMirror": "none"},
			want: suites("http://127.0.0.1/d", "main")},
		"a snapshot": {parameters: map[string]string{"snapshot": "20260901T000000Z"}, want: old + "debian/20260901T000000Z trixie main\n" +
			old + "debian/20260901T000000Z trixie-updates main\n" + old + "debian-security/20260901T000000Z trixie-security main\n"},
		"a snapshot, and updates": {parameters: map[string]string{"snapshot": "20260901T000000Z", "machineMirror": "http://m/debian/", "machineSecurityMirror": "http://m/sec"},
			want: suites("http://m/debian", "main") + security("http://m/sec")},
		"none":               {parameters: map[string]string{"machineMirror": "none"}, want: ""},
		"only security":      {parameters: map[string]string{"machineMirror": "none", "machineSecurityMirror": "http://m/sec"}, want: security("http://m/sec")},
		"a base, none":       {based: true, parameters: map[string]string{"machineMirror": "none"}, want: ""},
		"a base, and a name": {based: true, parameters: map[string]string{"mirror": "http://a/debian"}, want: suites("http://a/debian", "main") + security("http://tools/sec")},
		"a base":             {based: true, parameters: map[string]string{"packages": "curl", "acceptExpired": "true"}, want: "stays"},
	} {
		t.Run(name, func(t *testing.T) {
			input := inputWith(test.parameters)
			if test.based {
				input.Base = render.InputBase{Image: "server"}
			}
			c, err := newConfiguration(input)
			require.NoError(t, err)
			_, machine, err := (&build{config: c, tools: tools}).sources()
			require.NoError(t, err)
			want := listHeader + test.want
			if test.want == "stays" {
				want = ""
			}
			if diff := cmp.Diff(want, c.machineList(machine)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAComponentThatASuiteLacksIsRefused(t *testing.T) {
	c := &configuration{components: []string{"main", "nonsense"}}
	for components, want := range map[string]string{
		"main nonsense": "",
		"updates/main":  "UnknownComponent: parameter components: http://m/dists/trixie/InRelease has no component nonsense, only updates/main",
	} {
		err := c.checkComponents(source{"http://m", "trixie", paramMirror}, strings.Fields(components))
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %q", components, err, want)
		}
	}
}

func TestAMirrorWithoutAReleaseFileIsExplained(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		reason string
		class  v1alpha1.FailureClass
	}{
		"no mirror":  {http.NotFound, "NotAMirror", v1alpha1.FailureUser},
		"not Debian": {func(http.ResponseWriter, *http.Request) {}, "NotAMirror", v1alpha1.FailureUser},
		"wrong date": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("Date: today\n")) }, "NotAMirror", v1alpha1.FailureUser},
		"overloaded": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "MirrorUnavailable", v1alpha1.FailureInfrastructure},
		"half a file": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("Origin"))
		}, "MirrorUnavailable", v1alpha1.FailureInfrastructure},
	} {
		t.Run(name, func(t *testing.T) {
			url := mirrorWith(t, test.answer)
			_, err := readRelease(t.Context(), http.DefaultClient, source{url, release, paramMirror})
			check(t, err, test.reason, test.class)
		})
	}
	t.Run("unreachable", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		_, err := readRelease(context.Background(), http.DefaultClient, source{server.URL, release, paramMirror})
		check(t, err, "MirrorUnavailable", v1alpha1.FailureInfrastructure)
	})
}

func check(t *testing.T, err error, reason string, class v1alpha1.FailureClass) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	got := failureOf(err)
	if got.Reason != reason || got.Class != class {
		t.Errorf("failure %+v, want reason %s, class %s", *got, reason, class)
	}
	if !strings.Contains(got.Message, "/dists/trixie/InRelease") {
		t.Errorf("the message does not name the file: %s", got.Message)
	}
}
