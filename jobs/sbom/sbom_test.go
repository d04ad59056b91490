// SPDX-License-Identifier: Apache-2.0

package sbom_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/sbom"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	formats = map[string]func(io.Writer, *v1alpha1.Lock, sbom.Subject) error{"cyclonedx": sbom.CycloneDX, "spdx": sbom.SPDX}
	disk    = sbom.Subject{Target: "linux/amd64/raw", Digest: "sha256:" + strings.Repeat("0a", 32)}
)

// TestABill compares the bills of a lock with golden files. The module e2e/clients has tests that others can read the bills of all locks.
func TestABill(t *testing.T) {
	its := require.Value(lock.Read(require.Value(os.ReadFile("testdata/lock.json"))(t)))(t)
	for name := range formats {
		golden := "testdata/" + name + ".json"
		got := bill(t, name, its, disk)
		if *update {
			require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
		}
		if diff := cmp.Diff(string(require.Value(os.ReadFile(golden))(t)), got); diff != "" {
			t.Errorf("the bill is not %s; run the test with -update if it should be (-want +got):\n%s", golden, diff)
		}
	}
}

// TestTheIdentityOfABill changes what a bill is about. Readers take two bills of one identity for copies.
func TestTheIdentityOfABill(t *testing.T) {
	its := &v1alpha1.Lock{Packages: []v1alpha1.Package{{Name: "a", Version: "1", Architecture: "amd64"}}}
	other := its.DeepCopy()
	other.Packages[0].Version = "2"
	image := sbom.Subject{Target: "linux/amd64/oci", Digest: disk.Digest}
	for name, field := range map[string]string{"cyclonedx": `"serialNumber":"urn:uuid:`, "spdx": `"documentNamespace":"https://goldsmith.dev/spdx/`} {
		identity := func(its *v1alpha1.Lock, of sbom.Subject) string {
			_, after, _ := strings.Cut(bill(t, name, its, of), field)
			return after[:36]
		}
		first := identity(its, disk)
		if again := identity(its.DeepCopy(), disk); first != again || first[14] != '5' {
			t.Errorf("%s: the identities of two copies are %s and %s", name, first, again)
		}
		if identity(other, disk) == first || identity(its, image) == first {
			t.Errorf("%s: another lock, or another artifact, has the same identity", name)
		}
	}
}

func TestTheTimeOfABill(t *testing.T) {
	dated := func(dates ...time.Time) *v1alpha1.Lock {
		its := &v1alpha1.Lock{Sources: []v1alpha1.PackageSource{{}, {Release: &v1alpha1.ReleaseFile{}}}}
		for _, date := range dates {
			its.Sources = append(its.Sources, v1alpha1.PackageSource{Release: &v1alpha1.ReleaseFile{Date: &metav1.Time{Time: date}}})
		}
		return its
	}
	newest := time.Date(2026, 11, 20, 8, 0, 0, 0, time.FixedZone("", 3600))
	late := time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200)) // 10000 in UTC
	for _, tt := range []struct {
		its             *v1alpha1.Lock
		cycloneDX, spdx string
	}{
		{dated(), "", "1970-01-01T00:00:00Z"},
		{dated(time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), late), "", "1970-01-01T00:00:00Z"},
		{dated(newest.Add(-time.Hour), newest, late, newest.Add(-time.Minute)), "2026-11-20T07:00:00Z", "2026-11-20T07:00:00Z"},
	} {
		if got := bill(t, "cyclonedx", tt.its, disk); strings.Contains(got, "timestamp") != (tt.cycloneDX != "") || !strings.Contains(got, tt.cycloneDX) {
			t.Errorf("want the timestamp %q in %s", tt.cycloneDX, got)
		}
		if got := bill(t, "spdx", tt.its, disk); !strings.Contains(got, `"created":"`+tt.spdx+`"`) {
			t.Errorf("want created %q in %s", tt.spdx, got)
		}
	}
}

func TestPackageURLs(t *testing.T) {
	source := func(name, version string) *v1alpha1.SourcePackage {
		return &v1alpha1.SourcePackage{Name: name, Version: version}
	}
	for _, tt := range []struct {
		distribution string
		its          v1alpha1.Package
		want         string
	}{
		{"debian 13", v1alpha1.Package{Name: "Attr", Version: "1:2.4.47-2+b1~x"}, "pkg:deb/debian/attr@1:2.4.47-2%2Bb1~x?arch=a&distro=debian-13"},
		{"debian", v1alpha1.Package{Name: "libc6", Version: "2-1", Source: source("glibc", "2-1")}, "pkg:deb/debian/libc6@2-1?arch=a&distro=debian&upstream=glibc"},
		{"ubuntu 26.04", v1alpha1.Package{Name: "a", Version: "1+b1", Source: source("b", "2:1+x")}, "pkg:deb/ubuntu/a@1%2Bb1?arch=a&distro=ubuntu-26.04&upstream=b%402:1%2Bx"},
		{"ubuntu", v1alpha1.Package{Name: "a", Version: "1", Source: source("a", "1")}, "pkg:deb/ubuntu/a@1?arch=a&distro=ubuntu"},
		{"ubuntu", v1alpha1.Package{Name: "a", Version: "1", Source: source("a", "")}, "pkg:deb/ubuntu/a@1?arch=a&distro=ubuntu"},
		{"rhel 10.0", v1alpha1.Package{Name: "A", Version: "1:3.0-1.el10", Source: source("b", "1:3.0-1.el10")},
			"pkg:rpm/redhat/A@3.0-1.el10?arch=a&distro=rhel-10.0&epoch=1&upstream=b-3.0-1.el10.src.rpm"},
		{"fedora 43", v1alpha1.Package{Name: "a", Version: "3-1", Source: source("b", "")}, "pkg:rpm/fedora/a@3-1?arch=a&distro=fedora-43"},
		{"fedora 43", v1alpha1.Package{Name: "a", Version: "x:3-1"}, "pkg:rpm/fedora/a@x:3-1?arch=a&distro=fedora-43"},
		{"fedora 43", v1alpha1.Package{Name: "a", Version: "3:"}, "pkg:rpm/fedora/a@3:?arch=a&distro=fedora-43"},
		{"opensuse-leap 15.6", v1alpha1.Package{Name: "a", Version: "1-1"}, "pkg:rpm/opensuse/a@1-1?arch=a&distro=opensuse-leap-15.6"},
		{"alpine 3.22", v1alpha1.Package{Name: "libcrypto3", Version: "3.5-r0", Source: source("openssl", "3.5-r0")},
			"pkg:apk/alpine/libcrypto3@3.5-r0?arch=a&distro=alpine-3.22&upstream=openssl"},
		{"arch", v1alpha1.Package{Name: "a", Version: "1:1-1"}, "pkg:alpm/arch/a@1:1-1?arch=a&distro=arch"},
		{"gentoo", v1alpha1.Package{Name: "dev/Go", Version: "1"}, "pkg:generic/dev%2FGo@1?arch=a&distro=gentoo"},
		{"", v1alpha1.Package{Name: "ü", Version: "1"}, "pkg:generic/%C3%BC@1?arch=a"},
		{"debian 13", v1alpha1.Package{Name: "a", Version: "1", PURL: "pkg:npm/b@2"}, "pkg:npm/b@2"},
	} {
		its := &v1alpha1.Lock{Packages: []v1alpha1.Package{tt.its}}
		its.Packages[0].Architecture = "a"
		if id, version, _ := strings.Cut(tt.distribution, " "); id != "" {
			its.Distribution = &v1alpha1.Distribution{ID: id, Version: version}
		}
		for name, field := range map[string]string{"cyclonedx": "purl", "spdx": "referenceLocator"} {
			if got := bill(t, name, its, disk); !strings.Contains(got, `"`+field+`":"`+tt.want+`"`) {
				t.Errorf("%s: want %s in %s", name, tt.want, got)
			}
		}
	}
}

// TestLicences has the licences that are SPDX licence expressions, and some that look similar.
func TestLicences(t *testing.T) {
	for licence, want := range map[string]string{
		"mit":                    "MIT",
		"GPL-2.0+":               "GPL-2.0+",
		"apache-2.0+":            "Apache-2.0+",
		"(MIT OR ISC)AND (Zlib)": "(MIT OR ISC) AND (Zlib)",
		"GPL-2.0-only WITH classpath-exception-2.0 OR MIT": "GPL-2.0-only WITH Classpath-exception-2.0 OR MIT",
		"LicenseRef-x":               "LicenseRef-x",
		"Expat":                      "",
		"GPL-2+":                     "",
		"MIT and ISC":                "",
		"MIT ISC":                    "",
		"MIT AND":                    "",
		"AND MIT":                    "",
		"()":                         "",
		"(MIT":                       "",
		"MIT)":                       "",
		"MIT(":                       "",
		"+":                          "",
		"LicenseRef-":                "",
		"LicenseRef-a_b":             "",
		"DocumentRef-a:LicenseRef-b": "",
		"MIT WITH ISC":               "",
		"MIT WITH":                   "",
		"(MIT) WITH LLVM-exception":  "",
		"MIT WITH LLVM-exception WITH LLVM-exception": "",
		"LLVM-exception": "",
	} {
		its := &v1alpha1.Lock{Packages: []v1alpha1.Package{{Name: "a", Version: "1", Architecture: "a", Licence: licence}}}
		in := fmt.Sprintf(`"licenses":[{"expression":%q}]`, want)
		if want == "" {
			in = fmt.Sprintf(`"licenses":[{"license":{"name":%q}}]`, licence)
		}
		if got := bill(t, "cyclonedx", its, disk); !strings.Contains(got, in) {
			t.Errorf("%s: want %s in %s", licence, in, got)
		}
		got := bill(t, "spdx", its, disk)
		if want != "" && !strings.Contains(got, fmt.Sprintf(`"licenseDeclared":%q`, want)) {
			t.Errorf("%s: want the expression %s in %s", licence, want, got)
		}
		if want == "" && !strings.Contains(got, fmt.Sprintf(`"name":%q,"extractedText":%[1]q`, licence)) {
			t.Errorf("%s: want it as it is in %s", licence, got)
		}
	}
}

func TestWriters(t *testing.T) {
	full := errors.New("full")
	for name, format := range formats {
		if err := format(failing{full}, &v1alpha1.Lock{}, disk); !errors.Is(err, full) {
			t.Errorf("%s: got the error %v of a writer that fails", name, err)
		}
	}
}

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }

func bill(t testing.TB, name string, its *v1alpha1.Lock, of sbom.Subject) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, formats[name](&out, its, of))
	return out.String()
}

// BenchmarkBill makes the bills of a lock of Debian's size, and of the largest.
func BenchmarkBill(b *testing.B) {
	for _, n := range []int{300, v1alpha1.MaxLockPackages} {
		its := &v1alpha1.Lock{Version: 1, Distribution: &v1alpha1.Distribution{ID: "debian", Version: "13"}}
		for i := range n {
			its.Packages = append(its.Packages, v1alpha1.Package{
				Name: fmt.Sprintf("libpackage%d", i), Version: "1:2.5.2-3+b1", Architecture: "amd64", SHA256: strings.Repeat("0a", 32),
				Source: &v1alpha1.SourcePackage{Name: fmt.Sprintf("package%d", i), Version: "1:2.5.2-3"}, Licence: "GPL-2+",
			})
		}
		for name := range formats {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				size := 0
				for b.Loop() {
					size = len(bill(b, name, its, disk))
				}
				b.ReportMetric(float64(size), "bytes")
			})
		}
	}
}
