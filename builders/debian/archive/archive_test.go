// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestVersionsAreComparedAsDpkgComparesThem(t *testing.T) {
	// From the tests of dpkg, lib/dpkg/t/t-version.c and Dpkg_Version.t, and the manual: each version is newer than the one before it.
	for _, ascending := range [][]string{
		{"1.0~~", "1.0~~a", "1.0~", "1.0", "1.0a", "1.0+"},
		{"0:1.0", "1:0.1", "2:0.0.44-1"},
		{"9.9", "1:0"},
		{"1.0-1", "1.0-1+b1", "1.0-1+b2", "1.0-1+b10", "1.0-1+deb13u1", "1.0-2"},
		{"1.0-1~bpo13+1", "1.0-1"},
		{"3.5.4-1~deb13u1", "3.5.4-1~deb13u2", "3.5.4-1"},
		{"1.2.3", "1.2.4", "1.2.24"},
		{"0.0.0-0", "0.0.0-1", "0.0.1", "0.1", "1a", "1b", "1.1"},
		{"0-A", "0-a", "0-aa", "0-a+", "0-a."},
		{"7.6-0", "7.6p2-4"},
		{"20250520123456789012345678", "20250520123456789012345679"},
	} {
		for i, version := range ascending {
			for j, other := range ascending {
				if newer(version, other) != (i > j) {
					t.Errorf("%s is newer than %s: %t", version, other, newer(version, other))
				}
			}
		}
	}
	for _, equal := range [][2]string{{"1.0", "0:1.0"}, {"1.0", "1.0-0"}, {"1.00", "1.0"}, {"1.0-01", "1.0-1"}} {
		if newer(equal[0], equal[1]) || newer(equal[1], equal[0]) {
			t.Errorf("%s and %s are not equal", equal[0], equal[1])
		}
	}
	for _, wrong := range []string{"", "a:1", "1 2", "1:", "ä"} {
		if newer(wrong, "0~") || newer("1", wrong) {
			t.Errorf("%q is a version", wrong)
		}
	}
}

const changelog = `openssl (3.5.7-1) trixie-security; urgency=medium

  * Fix CVE-2026-9, CVE-2026-10 and CVE-2026-1000.
  * See CVE-2025-2222 (again: CVE-2026-1000), XCVE-2026-3333, CVE-2026-12.

 -- A <a@example.com>  Fri, 27 Nov 2026 10:00:00 +0000

openssl (3.5.6-1) trixie-security; urgency=medium

  * Fix CVE-2026-20000.

openssl (3.5.4-1) trixie; urgency=medium

  * Fix CVE-2025-4444.

openssl (1:0.9-1) unstable; urgency=low

  * Fix CVE-2001-1111.
`

func TestAdvisoriesAreThoseSinceTheInstalledVersion(t *testing.T) {
	numbered := func(count int) string {
		var text strings.Builder
		text.WriteString("openssl (3.5.7-1) trixie; urgency=medium\n\n")
		for i := range count {
			fmt.Fprintf(&text, "  * CVE-2026-%d\n", 10000+i)
		}
		return text.String()
	}
	tests := map[string]struct {
		changelog, from, to string
		want                []string
		count               int
	}{
		"several entries":             {changelog: changelog, from: "3.5.4-1", to: "3.5.7-1", want: []string{"CVE-2026-20000", "CVE-2026-1000", "CVE-2025-2222"}},
		"one entry":                   {changelog: changelog, from: "3.5.6-1", to: "3.5.7-1", want: []string{"CVE-2026-1000", "CVE-2025-2222"}},
		"rebuilt packages":            {changelog: changelog, from: "3.5.6-1+b2", to: "3.5.7-1+b1", want: []string{"CVE-2026-1000", "CVE-2025-2222"}},
		"versions unlike the source":  {changelog: changelog, from: "1.0", to: "1.1", want: []string{"CVE-2026-1000", "CVE-2025-2222"}},
		"no CVE":                      {changelog: "openssl (3.5.7-1) trixie; urgency=medium\n\n  * Nothing.\n", from: "3.5.4-1", to: "3.5.7-1"},
		"no changelog":                {changelog: "Version 1\n\nCVE-2026-1111\n", from: "3.5.4-1", to: "3.5.7-1"},
		"ten thousand":                {changelog: numbered(10000), from: "3.5.4-1", to: "3.5.7-1", count: 10000},
		"a line of a megabyte":        {changelog: "openssl (3.5.7-1) trixie; urgency=medium\n" + strings.Repeat("x", 1<<20) + "\n CVE-2026-1000", from: "3.5.4-1", to: "3.5.7-1", want: []string{"CVE-2026-1000"}},
		"more than is read of a file": {changelog: numbered(1) + strings.Repeat("x\n", maxChangelog) + "CVE-2026-9999", from: "3.5.4-1", to: "3.5.7-1", want: []string{"CVE-2026-10000"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			update := Update{Candidate: Candidate{Version: test.to}, From: test.from}
			entries := require.Value(readChangelog(strings.NewReader(test.changelog), withoutRebuild(test.from)))(t)
			found := advisoriesBetween(entries, &update)
			if test.count > 0 {
				if len(found) != test.count || found[0] != "CVE-2026-19999" {
					t.Errorf("%d advisories, the first %s", len(found), found[0])
				}
				return
			}
			if diff := cmp.Diff(found, test.want); diff != "" {
				t.Errorf("-found +want:\n%s", diff)
			}
		})
	}
}

// deb is a package of Debian with files, and with symbolic links for those that begin with ->.
func deb(t *testing.T, compression string, files ...[2]string) []byte {
	t.Helper()
	var data bytes.Buffer
	var writer io.WriteCloser
	switch compression {
	case ".xz":
		writer = require.Value(xz.NewWriter(&data))(t)
	case ".zst":
		writer = require.Value(zstd.NewWriter(&data))(t)
	default:
		writer = gzip.NewWriter(&data)
	}
	archive := tar.NewWriter(writer)
	for _, file := range files {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: "./" + file[0], Size: int64(len(file[1])), Mode: 0o644}
		if target, linked := strings.CutPrefix(file[1], "->"); linked {
			header.Typeflag, header.Linkname, header.Size = tar.TypeSymlink, target, 0
		}
		require.NoError(t, archive.WriteHeader(header))
		if header.Size > 0 {
			require.Value(io.WriteString(archive, file[1]))(t)
		}
	}
	require.NoError(t, archive.Close())
	require.NoError(t, writer.Close())
	return ar([2]string{"debian-binary", "2.0\n"}, [2]string{"control.tar.xz", "odd"}, [2]string{dataOfDeb + compression, data.String()})
}

func ar(members ...[2]string) []byte {
	var all bytes.Buffer
	all.WriteString(arMagic)
	for _, member := range members {
		fmt.Fprintf(&all, "%-16s%-12d%-6d%-6d%-8o%-10d%s%s", member[0], 0, 0, 0, 0o644, len(member[1]), arEnd, member[1])
		if len(member[1])%2 == 1 {
			all.WriteByte('\n')
		}
	}
	return all.Bytes()
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	require.Value(io.WriteString(writer, text))(t)
	require.NoError(t, writer.Close())
	return buffer.String()
}

func TestTheChangelogOfAPackage(t *testing.T) {
	const doc = documents + "openssl/"
	text, foreign := zipped(t, changelog), zipped(t, "# Changes of OpenSSL\n\n * CVE-2026-5555\n")
	tests := map[string]struct {
		content []byte
		fails   string
	}{
		"xz":                               {content: deb(t, ".xz", [2]string{"usr/bin/openssl", "x"}, [2]string{doc + changelogOfDebian, text})},
		"zst":                              {content: deb(t, ".zst", [2]string{doc + changelogOfDebian, text})},
		"gz":                               {content: deb(t, ".gz", [2]string{doc + changelogOfDebian, text})},
		"a native package":                 {content: deb(t, ".gz", [2]string{doc + changelogOfNative, text}, [2]string{"usr/z", ""})},
		"after the changes of its author":  {content: deb(t, ".gz", [2]string{doc + changelogOfNative, foreign}, [2]string{doc + changelogOfDebian, text})},
		"only the changes of its author":   {content: deb(t, ".gz", [2]string{doc + changelogOfNative, foreign}), fails: errNoChangelog.Error()},
		"none":                             {content: deb(t, ".gz", [2]string{documents + "other/" + changelogOfDebian, text}), fails: errNoChangelog.Error()},
		"a link of the directory":          {content: deb(t, ".gz", [2]string{documents + "openssl", "->libssl3"}), fails: "that of package libssl3"},
		"a link of the file":               {content: deb(t, ".gz", [2]string{doc + changelogOfDebian, "->../libssl3/" + changelogOfDebian}), fails: "that of package libssl3"},
		"an absolute link":                 {content: deb(t, ".gz", [2]string{documents + "openssl", "->/usr/share/doc/libssl3"}), fails: "that of package libssl3"},
		"a link out of the documents":      {content: deb(t, ".gz", [2]string{documents + "openssl", "->../../../../etc"}), fails: errNoChangelog.Error()},
		"no gzip":                          {content: deb(t, ".gz", [2]string{doc + changelogOfDebian, changelog}), fails: "gzip: invalid header"},
		"no package":                       {content: []byte("<html>"), fails: errNotAPackage.Error()},
		"no files":                         {content: ar([2]string{"debian-binary", "2.0\n"}), fails: errNotAPackage.Error()},
		"cut":                              {content: deb(t, ".xz", [2]string{doc + changelogOfDebian, text})[:200], fails: "unexpected EOF"},
		"an unknown size":                  {content: []byte(arMagic + strings.Repeat("x", arHeader)), fails: errNotAPackage.Error()},
		"files that are not a tar archive": {content: ar([2]string{dataOfDeb, strings.Repeat("x", 1024)}), fails: "invalid tar header"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			entries, err := changelogIn(bytes.NewReader(test.content), "openssl", "3.5.4-1")
			switch {
			case test.fails == "" && (err != nil || len(entries) != 2):
				t.Errorf("entries %v, error %v", entries, err)
			case test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)):
				t.Errorf("error %v, want %s", err, test.fails)
			}
		})
	}
}

// TestAMirrorCannotHoldTheBuilder plays mirrors that send nothing, too little, or without end.
func TestAMirrorCannotHoldTheBuilder(t *testing.T) {
	endless := func(writer http.ResponseWriter) {
		for {
			if _, err := writer.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}
	tests := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"nothing": {func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }, "the mirror sent nothing for 50ms"},
		"only a header": {func(writer http.ResponseWriter, request *http.Request) {
			writer.(http.Flusher).Flush()
			<-request.Context().Done()
		}, "the mirror sent nothing for 50ms"},
		"without end": {func(writer http.ResponseWriter, _ *http.Request) { endless(writer) }, "the mirror sends more than 8388608 bytes"},
		"two gigabytes": {func(writer http.ResponseWriter, _ *http.Request) {
			writer.Header().Set("Content-Length", "2000000000")
			endless(writer)
		}, "the mirror sends 2000000000 bytes, more than 8388608"},
		"redirects": {func(writer http.ResponseWriter, request *http.Request) {
			http.Redirect(writer, request, request.URL.Path, http.StatusFound)
		}, "redirects more than 10 times"},
		"another scheme": {func(writer http.ResponseWriter, request *http.Request) {
			http.Redirect(writer, request, "file:///etc/passwd", http.StatusFound)
		}, `unsupported protocol scheme "file"`},
		"half a file": {func(writer http.ResponseWriter, _ *http.Request) {
			writer.Header().Set("Content-Length", "100")
			_, _ = writer.Write([]byte("x"))
		}, "unexpected EOF"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.answer)
			defer server.Close()
			work, silence := t.TempDir(), time.Minute
			if strings.Contains(test.want, "50ms") {
				silence = 50 * time.Millisecond
			}
			client := Client{Transport: &http.Transport{DisableKeepAlives: true}, Silence: silence, Work: work}
			_, err := client.Release(t.Context(), &Suite{URI: server.URL, Name: "trixie"}, nil, time.Now())
			refused, ok := errors.AsType[*Error](err)
			if !ok || refused.Fault != Unavailable || !strings.Contains(refused.Message, test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
			if left := require.Value(os.ReadDir(work))(t); len(left) > 0 {
				t.Errorf("the directory has %v", left)
			}
		})
	}
}

func TestARedirectCannotLeaveHTTPS(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		http.Redirect(writer, request, plain.URL+request.URL.Path, http.StatusFound)
	}))
	defer secure.Close()
	client := Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Silence: time.Minute}
	address := require.Value(url.JoinPath(secure.URL, "dists/trixie/InRelease"))(t)
	if _, err := client.get(t.Context(), address, nil, 1, io.Discard); err == nil || !strings.Contains(err.Error(), "redirects from HTTPS to "+plain.URL) {
		t.Errorf("error %v", err)
	}
}

func TestTheOrderOfAdvisories(t *testing.T) {
	got := []string{"CVE-2025-99999", "CVE-2026-1000", "CVE-2026-20000", "CVE-2026-9999"}
	slices.SortFunc(got, compareAdvisories)
	if diff := cmp.Diff(got, []string{"CVE-2026-20000", "CVE-2026-9999", "CVE-2026-1000", "CVE-2025-99999"}); diff != "" {
		t.Error(diff)
	}
}

func TestAMirrorElsewhereDoesNotSendOthersToPrivateAddresses(t *testing.T) {
	for host, private := range map[string]bool{"127.0.0.1": true, "::1": true, "10.1.2.3": true, "169.254.169.254": true, "::ffff:192.168.0.1": true, "2002:c0a8:1::1": true, "64:ff9b::a00:1": true, "151.101.2.132": false, "2a04:4e42::644": false} {
		if got := isPrivate(t.Context(), host); got != private {
			t.Errorf("%s: private is %t", host, got)
		}
	}
	request := func(address string) *http.Request {
		return httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	}
	for _, c := range []struct {
		from, to string
		refused  bool
	}{
		{"http://151.101.2.132/debian", "http://169.254.169.254/latest", true}, {"http://10.0.0.1/debian", "http://10.0.0.2/debian", false},
		{"http://151.101.2.132/debian", "http://151.101.2.133/debian", false},
	} {
		if err := checkRedirect(request(c.to), []*http.Request{request(c.from)}); (err != nil) != c.refused {
			t.Errorf("from %s to %s: %v", c.from, c.to, err)
		}
	}
}
