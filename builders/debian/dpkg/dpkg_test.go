// SPDX-License-Identifier: Apache-2.0

package dpkg

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// entry is an entry of a tar: a file with a content, or a link to a target.
type entry struct{ name, content, link string }

// status is a list of packages with this text.
func status(text string) entry { return entry{name: "./" + statusFile, content: text} }

func rootFS(t *testing.T, entries ...entry) io.ReadSeeker {
	t.Helper()
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	for _, entry := range entries {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: entry.name, Size: int64(len(entry.content))}
		if entry.link != "" {
			header.Typeflag, header.Linkname = tar.TypeSymlink, entry.link
		}
		require.NoError(t, archive.WriteHeader(header))
		_, err := io.WriteString(archive, entry.content)
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	return bytes.NewReader(buffer.Bytes())
}

// testdata reads a file that is an excerpt of one of Debian 12.
func testdata(t *testing.T, name string) string {
	t.Helper()
	return string(require.Value(os.ReadFile(filepath.Join("testdata", name)))(t))
}

// listed returns one line for each package: name, version, architecture, and its source.
func listed(packages []v1alpha1.Package) (lines []string) {
	for _, one := range packages {
		lines = append(lines, fmt.Sprint(one.Name, " ", one.Version, " ", one.Architecture, " ", one.Source.Name, " ", one.Source.Version))
	}
	return lines
}

func TestThePackagesOfDebianAreListed(t *testing.T) {
	const (
		format  = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
		toolset = format + "Files: *\nLicense: GPL-3+ with GCC exception\n\nFiles: a\nLicense: Artistic or GPL-1+\n"
	)
	image := rootFS(t,
		entry{name: "./usr/share/doc/bash/copyright", content: testdata(t, "copyright")},
		entry{name: "./usr/share/doc/gcc-12-base/copyright", content: toolset},
		entry{name: "./usr/share/doc/libgcc-s1", link: "gcc-12-base"},
		entry{name: "./usr/share/doc/tzdata/copyright", content: "This package has\n\nLicense: no known form\n"},
		entry{name: "./usr/share/doc/unknown/copyright", content: toolset},
		status(testdata(t, "status")))
	packages, err := Read(image)
	require.NoError(t, err)
	want := []string{
		"adduser 3.134 all adduser 3.134", "bash 5.2.15-2+b8 amd64 bash 5.2.15-2", "bsdutils 1:2.38.1-5+deb12u3 amd64 util-linux 2.38.1-5+deb12u3",
		"gcc-12-base 12.2.0-14+deb12u1 amd64 gcc-12 12.2.0-14+deb12u1", "libgcc-s1 12.2.0-14+deb12u1 amd64 gcc-12 12.2.0-14+deb12u1",
		"tzdata 2025b-0+deb12u2 all tzdata 2025b-0+deb12u2",
	}
	if diff := cmp.Diff(want, listed(packages)); diff != "" {
		t.Error(diff)
	}

	directory := t.TempDir()
	for _, name := range []string{"before", "after"} {
		require.NoError(t, os.Mkdir(filepath.Join(directory, name), 0o700))
	}
	const list = "mirror.example_debian_dists_bookworm_main_binary-amd64_Packages"
	// Another list has another file of the same version of adduser.
	other := strings.ReplaceAll(testdata(t, "Packages"), "c24fe4eb8e60d8632d72ed104cce7c92cff200847c897dc8ba764b6c47b519e0", strings.Repeat("0", 64))
	require.NoError(t, os.WriteFile(filepath.Join(directory, "before", list), []byte(testdata(t, "Packages")), 0o600))
	require.NoError(t, os.Link(filepath.Join(directory, "before", list), filepath.Join(directory, "after", list)))
	require.NoError(t, os.WriteFile(filepath.Join(directory, "after", "other_Packages"), []byte(other), 0o600))
	lists := require.Value(os.OpenRoot(directory))(t)
	defer func() { require.NoError(t, lists.Close()) }()
	require.NoError(t, AddDigests(packages, lists, "before", "after", "missing"))
	licences, digests := map[string]string{}, map[string]string{}
	for _, one := range packages {
		if one.Licence != "" {
			licences[one.Name] = one.Licence
		}
		if one.SHA256 != "" {
			digests[one.Name] = one.SHA256[:8]
		}
	}
	const ofToolset = "(Artistic or GPL-1+) and GPL-3+ with GCC exception"
	wantLicences := map[string]string{
		"bash":        "BSD-4-clause-UC and GFDL-NIV-1.3 and GPL-3+ and GPL-3+ with Bison exception and Latex2e and MIT-like",
		"gcc-12-base": ofToolset, "libgcc-s1": ofToolset,
	}
	if diff := cmp.Diff(wantLicences, licences); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"bsdutils": "6cae172b", "gcc-12-base": "1896a2aa", "libgcc-s1": digests["libgcc-s1"]}, digests); diff != "" || digests["libgcc-s1"] == "" {
		t.Error(diff)
	}
}

// Without dpkg an image can have a file for each package.
func TestPackagesWithAFileOfTheirOwnAreListed(t *testing.T) {
	packages, err := Read(rootFS(t,
		entry{name: "./var/lib/dpkg/status.d/tzdata", content: "Package: tzdata\nVersion: 2025b-4\nArchitecture: all\n"},
		entry{name: "./var/lib/dpkg/status.d/libssl3", content: "Package: libssl3\nSource: openssl\nVersion: 3.5.6-1\nArchitecture: amd64\n"},
		entry{name: "./var/lib/dpkg/status.d/libssl3.md5sums", content: "Package: none\nVersion: 1\n"},
		status("Package: tzdata\nStatus: install ok installed\nVersion: 2025b-4\nArchitecture: all\n")))
	if diff := cmp.Diff([]string{"libssl3 3.5.6-1 amd64 openssl 3.5.6-1", "tzdata 2025b-4 all tzdata 2025b-4"}, listed(packages)); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestAListThatIsNotOfDpkgIsRefused(t *testing.T) {
	const installed = "Package: p\nStatus: install ok installed\nVersion: %d\nArchitecture: all\n\n"
	var many strings.Builder
	for i := range v1alpha1.MaxLockPackages + 1 {
		fmt.Fprintf(&many, installed, i)
	}
	for name, test := range map[string]struct {
		entries []entry
		want    string
	}{
		"no list":           {[]entry{{name: "./etc/passwd", content: "root"}}, "the image has no var/lib/dpkg/status"},
		"a link":            {[]entry{{name: "./" + statusFile, link: "/proc/self/environ"}}, "the image has no var/lib/dpkg/status"},
		"100 MB":            {[]entry{status(strings.Repeat("x", 100e6))}, "more than 67108864 bytes"},
		"100 MB in files":   {[]entry{{name: statusDirectory + "/a", content: strings.Repeat("x", 50e6)}, {name: statusDirectory + "/b", content: strings.Repeat("x", 50e6)}}, "more than 67108864 bytes"},
		"too many packages": {[]entry{status(many.String())}, "more than 20000 packages"},
	} {
		t.Run(name, func(t *testing.T) {
			packages, err := Read(rootFS(t, test.entries...))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %d packages, error %v, want %q", len(packages), err, test.want)
			}
		})
	}
}

func TestNoLicenceIsReadFromWhatIsNoCopyrightFile(t *testing.T) {
	const format = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
	const at, other = "./usr/share/doc/p/copyright", "./usr/share/doc/q/copyright"
	good := entry{name: other, content: format + "License: Expat\n"}
	for name, test := range map[string]struct {
		entries []entry
		want    string
	}{
		"a link to another package":     {[]entry{{name: at, link: "../q/copyright"}, good}, "Expat"},
		"an absolute link":              {[]entry{{name: at, link: "/usr/share/doc/q/copyright"}, good}, "Expat"},
		"the format of a draft":         {[]entry{{name: at, content: "Format: http://dep.debian.net/deps/dep5\n\nLicense: Expat\n"}}, "Expat"},
		"a link that leads out":         {[]entry{{name: at, link: "../../../../../../usr/share/doc/q/copyright"}, good}, "Expat"}, // in the tar
		"a link to a file of no doc":    {[]entry{{name: at, link: "/etc/copyright"}, {name: "./etc/copyright", content: good.content}}, ""},
		"a cycle of links":              {[]entry{{name: at, link: "../q/copyright"}, {name: other, link: "../p/copyright"}}, ""},
		"ESC":                           {[]entry{{name: at, content: format + "License: a\x1b[2J\n"}}, ""},
		"an override of the direction":  {[]entry{{name: at, content: format + "License: a\u202eb\n"}}, ""},
		"another encoding than UTF-8":   {[]entry{{name: at, content: format + "License: a\xfc\n"}}, ""},
		"a licence that is long":        {[]entry{{name: at, content: format + "License: " + strings.Repeat("x", 100_000) + "\n"}}, ""},
		"a file that is large":          {[]entry{{name: at, content: format + strings.Repeat("x", maxCopyright)}}, ""},
		"a field in a long line":        {[]entry{{name: at, content: format + "License: Expat\nFiles: " + strings.Repeat("x", maxLine-len("Files: ")) + "License: GPL-1"}}, "Expat"},
		"an empty name, and a text":     {[]entry{{name: at, content: format + "License:\n Do what you want.\n"}}, ""},
		"licences that are many":        {[]entry{{name: at, content: format + manyLicences()}}, ""},
		"a directory of another is one": {[]entry{{name: "./usr/share/doc/p", link: "q"}, good}, "Expat"},
	} {
		t.Run(name, func(t *testing.T) {
			list := status("Package: p\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\nPackage: q\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n")
			packages, err := Read(rootFS(t, append(test.entries, list)...))
			require.NoError(t, err)
			if packages[0].Licence != test.want {
				t.Errorf("the licence is %q, want %q", packages[0].Licence, test.want)
			}
		})
	}
}

func manyLicences() string {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "License: licence-%d\n\n", i)
	}
	return text.String()
}

func TestNoListOutsideOfTheDirectoryIsRead(t *testing.T) {
	outside, directory := t.TempDir(), t.TempDir()
	list := []byte(testdata(t, "Packages"))
	for _, file := range []string{filepath.Join(outside, "a_Packages"), filepath.Join(directory, "b_Sources")} {
		require.NoError(t, os.WriteFile(file, list, 0o600))
	}
	require.NoError(t, os.Symlink(outside, filepath.Join(directory, "lists")))
	require.NoError(t, os.Symlink(filepath.Join(outside, "a_Packages"), filepath.Join(directory, "a_Packages")))
	root := require.Value(os.OpenRoot(directory))(t)
	defer func() { require.NoError(t, root.Close()) }()
	packages := []v1alpha1.Package{{Name: "adduser", Version: "3.134", Architecture: "all"}}
	if err := AddDigests(packages, root, "lists"); err == nil || packages[0].SHA256 != "" {
		t.Errorf("error %v, package %+v", err, packages[0])
	}
	if err := AddDigests(packages, root, "."); err != nil || packages[0].SHA256 != "" {
		t.Errorf("error %v, package %+v", err, packages[0])
	}
	require.NoError(t, os.WriteFile(filepath.Join(directory, "c_Packages"), bytes.ReplaceAll(list, []byte("SHA256: c"), []byte("SHA256: C")), 0o600))
	if err := AddDigests(packages, root, "."); err != nil || packages[0].SHA256 != "" {
		t.Errorf("error %v, package %+v with a digest of another form", err, packages[0])
	}
}
