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

	"goldsmith.dev/goldsmith/e2e/require"
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
	sources, err := b.sources()
	if err == nil {
		err = b.findTime(t.Context(), sources)
	}
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 11, 26, 9, 15, 44, 0, time.UTC); !b.time.Equal(want) {
		t.Errorf("time %v, want %v", b.time, want)
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
	sources, err := b.sources()
	require.NoError(t, err)
	require.NoError(t, b.findTime(t.Context(), sources))
	const archive = "http://snapshot.debian.org/archive/"
	want := []string{
		archive + "debian/20260901T000000Z/dists/trixie/InRelease",
		archive + "debian/20260901T000000Z/dists/trixie-updates/InRelease",
		archive + "debian-security/20260901T000000Z/dists/trixie-security/InRelease",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	if want := time.Date(2026, 9, 2, 8, 0, 0, 0, time.UTC); !b.time.Equal(want) {
		t.Errorf("time %v, want that of the newest release file, %v", b.time, want)
	}
	list := ""
	for _, at := range []string{"debian/20260901T000000Z trixie", "debian/20260901T000000Z trixie-updates", "debian-security/20260901T000000Z trixie-security"} {
		list += "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] " + archive + at + " main\n"
	}
	if diff := cmp.Diff(list, c.sourcesList(sources)); diff != "" {
		t.Error(diff)
	}
	for _, test := range []struct {
		config configuration
		want   int // options about expiry: one sets it, and the other removes it
	}{
		{*c, 1},
		{configuration{expired: true}, 2},
		{configuration{snapshot: true, expired: true}, 1},
		{configuration{}, 0},
	} {
		options := strings.Join((&plan{config: &test.config}).mmdebstrap("plan", "link"), " ")
		if got := strings.Count(options, "Check-Valid-Until"); got != test.want {
			t.Errorf("%d options about expiry, want %d: %s", got, test.want, options)
		}
	}

	asked = nil
	err = b.findTime(t.Context(), []source{{"http://direct.invalid/debian", release}})
	if err == nil || failureOf(err).Reason != ReasonMirror || asked != nil {
		t.Errorf("error %v, and the proxy was asked for %q", err, asked)
	}
}

func TestAComponentThatASuiteLacksIsRefused(t *testing.T) {
	c := &configuration{components: []string{"main", "nonsense"}}
	for components, want := range map[string]string{
		"main nonsense": "",
		"updates/main":  "UnknownComponent: parameter components: http://m/dists/trixie/InRelease has no component nonsense, only updates/main",
	} {
		err := c.checkComponents(source{"http://m", "trixie"}, strings.Fields(components))
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %q", components, err, want)
		}
	}
}

func TestAMirrorWithoutAReleaseFileIsExplained(t *testing.T) {
	for name, test := range map[string]struct {
		answer    http.HandlerFunc
		reason    string
		retryable bool
	}{
		"no mirror":  {http.NotFound, "NotAMirror", false},
		"not Debian": {func(http.ResponseWriter, *http.Request) {}, "NotAMirror", false},
		"wrong date": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("Date: today\n")) }, "NotAMirror", false},
		"overloaded": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "MirrorUnavailable", true},
		"half a file": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("Origin"))
		}, "MirrorUnavailable", true},
	} {
		t.Run(name, func(t *testing.T) {
			url := mirrorWith(t, test.answer)
			_, err := readRelease(t.Context(), http.DefaultClient, source{url, release})
			check(t, err, test.reason, test.retryable)
		})
	}
	t.Run("unreachable", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		_, err := readRelease(context.Background(), http.DefaultClient, source{server.URL, release})
		check(t, err, "MirrorUnavailable", true)
	})
}

func check(t *testing.T, err error, reason string, retryable bool) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	got := failureOf(err)
	if got.Reason != reason || got.Retryable != retryable {
		t.Errorf("failure %+v, want reason %s, retryable %t", *got, reason, retryable)
	}
	if !strings.Contains(got.Message, "/dists/trixie/InRelease") {
		t.Errorf("the message does not name the file: %s", got.Message)
	}
}
