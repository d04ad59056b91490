// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// status is the list of dpkg of an image with a package of this name.
func status(name string) map[string]string {
	return map[string]string{
		"./usr/share/doc/" + name + "/copyright": "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: Apache-2.0\n",
		"./var/lib/dpkg/status":                  "Package: " + name + "\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl (3.5.6-1)\nVersion: 3.5.6-1+b1\n",
	}
}

// lists is a mmdebstrap in whose lists apt has two packages, one of them of a repository that a script has added.
const lists = `for hook; do case $hook in --customize-hook=*) plan=${hook#*=}; plan=${plan%/*}; esac; done
mkdir "$plan/lists" "$plan/lists.after"
printf 'Package: other\nVersion: 1\nArchitecture: amd64\nSHA256: 00\n' >"$plan/lists/main_Packages"
printf 'Package: openssl\nVersion: 3.5.6-1+b1\nArchitecture: amd64\nSHA256: %064d\n' 7 >"$plan/lists.after/vendor_Packages"
for last; do before=$target target=$list list=$last; done; cp rootfs.tar "$target"`

func TestArtifactsShareALockWithEveryPackage(t *testing.T) {
	const release = "Date: Sat, 21 Nov 2026 09:15:44 UTC\nComponents: main contrib\n"
	url := mirrorWith(t, func(writer http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(writer, release) })
	build := func(parameters map[string]string) string {
		f := newFixture(t, parameters)
		f.write("tools/"+toolSources, []byte("deb "+url+" trixie main\ndeb "+url+"/security trixie-security main\n"))
		f.write("rootfs.tar", rootFS(t, status("openssl")))
		f.tool("mmdebstrap", lists)
		f.input.Targets = append(f.input.Targets, render.InputTarget{Name: "linux/amd64/oci", Platform: platform, Format: v1alpha1.ArtifactFormatOCI})
		code, said := f.run()
		if code != 0 || len(said.Artifacts) != 2 {
			t.Fatalf("exit code %d, result %+v", code, said)
		}
		for _, artifact := range said.Artifacts {
			if artifact.Lock == nil || artifact.Lock.File != "lock.json" {
				t.Errorf("the lock of %s is %+v", artifact.Target, artifact.Lock)
			}
		}
		if !strings.Contains(f.log.String(), "lock.json lists 1 packages\n") {
			t.Error("the log does not tell of the lock")
		}
		return f.read("output/lock.json")
	}
	text := build(map[string]string{"components": "main contrib"})
	got, err := lock.Read([]byte(text))
	require.NoError(t, err)
	want := &v1alpha1.Lock{
		Version: 1, Tools: toolsDigest, Distribution: &v1alpha1.Distribution{ID: "debian", Version: "13"},
		Packages: []v1alpha1.Package{{
			Name: "openssl", Version: "3.5.6-1+b1", Architecture: "amd64", Source: &v1alpha1.SourcePackage{Name: "openssl", Version: "3.5.6-1"},
			SHA256: strings.Repeat("0", 63) + "7", Licence: "Apache-2.0",
		}},
	}
	for _, suite := range [][2]string{{url, "trixie"}, {url, "trixie-updates"}, {url + "/security", "trixie-security"}} {
		for _, component := range []string{"main", "contrib"} {
			want.Sources = append(want.Sources, v1alpha1.PackageSource{
				URI: suite[0], Suite: suite[1], Component: component, Release: &v1alpha1.ReleaseFile{SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(release)))},
			})
		}
	}
	for i := range got.Sources {
		if date := got.Sources[i].Release.Date; date == nil || !date.Time.Equal(time.Date(2026, 11, 21, 9, 15, 44, 0, time.UTC)) {
			t.Errorf("the date is %v", date)
		} else {
			got.Sources[i].Release.Date = nil
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if again := build(map[string]string{"components": "main contrib"}); again != text {
		t.Errorf("the same inputs made the locks %s and %s", text, again)
	}
}

// An image on another one has the packages of its base, and names the sources of those that it adds.
func TestALockNamesOnlySourcesThatPackagesCanComeFrom(t *testing.T) {
	oci := []render.InputTarget{{Name: "linux/amd64/oci", Platform: platform, Format: v1alpha1.ArtifactFormatOCI}}
	base := newFixture(t, map[string]string{})
	base.write("rootfs.tar", rootFS(t, status("openssl")))
	base.input.Targets = oci
	base.run()
	url := mirrorWith(t, func(writer http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(writer, "Date: Sat, 21 Nov 2026 09:15:44 UTC\nComponents: main")
	})
	for packages, sources := range map[string]int{"": 0, "curl": 2} {
		f := newFixture(t, map[string]string{"mirror": url, "securityMirror": "none", "packages": packages})
		f.write("rootfs.tar", rootFS(t, status("openssl")))
		f.write("base", []byte(base.read("output/image.tar")))
		f.input.Targets = oci
		f.input.Base = render.InputBase{Image: "server", Build: "server-7", Artifacts: []render.InputArtifact{
			{Target: "linux/amd64/oci", MediaType: result.MediaTypeLayout, Path: "base"},
		}}
		f.run()
		got := require.Value(lock.Read([]byte(f.read("output/lock.json"))))(t)
		if len(got.Sources) != sources || len(got.Packages) != 1 {
			t.Errorf("with the packages %q the lock has the sources %v and the packages %v", packages, got.Sources, got.Packages)
		}
	}
}

func TestALockListsAllPackagesOrIsLeftOut(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no list of dpkg":              {nil, "the artifacts have no lock: list packages: the image has no var/lib/dpkg/status\n"},
		"ESC in a name":                {status("open\x1bssl"), `the artifacts have no lock: packages[0].name is "open\x1bssl", must be one line of printable characters` + "\n"},
		"an override of the direction": {status("open\u202essl"), `the artifacts have no lock: packages[0].name is "open\u202essl", must be one line of printable characters` + "\n"},
		"no name":                      {status(""), "the artifacts have no lock: packages[0].name is missing\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, map[string]string{})
			f.write("rootfs.tar", rootFS(t, test.files))
			code, said := f.run()
			if code != 0 || said.Artifacts[0].Lock != nil || !strings.Contains(f.log.String(), test.want) {
				t.Errorf("exit code %d, result %+v, want %s", code, said, test.want)
			}
			if _, err := os.Stat(filepath.Join(f.directory, "output", lockFile)); err == nil {
				t.Error("there is a lock")
			}
		})
	}
}

func TestASourceInALockHasNoSecrets(t *testing.T) {
	for address, want := range map[string]string{
		"http://mirror.example.com/debian":                          "http://mirror.example.com/debian",
		"https://me:secret@mirror.example.com:8443/a%20b?token=c#d": "https://mirror.example.com:8443/a%20b",
		"http://127.0.0.1:3142/deb.debian.org/debian":               "http://127.0.0.1:3142/deb.debian.org/debian",
		snapshots + "/debian/20260901T000000Z":                      snapshots + "/debian/20260901T000000Z",
		"http://secret@[2001:db8::1]/debian":                        "http://[2001:db8::1]/debian",
	} {
		origins := (&configuration{components: []string{"main"}}).origins(source{url: address, suite: release}, releaseFile{})
		if got := origins[0].URI; got != want {
			t.Errorf("%s is %s in a lock, want %s", address, got, want)
		}
	}
}
