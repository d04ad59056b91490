// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestUpdatesAreATable(t *testing.T) {
	named := func(name string, advisories ...string) v1alpha1.PackageUpdate {
		return v1alpha1.PackageUpdate{Name: name, Architecture: "amd64", From: "1:1~rc1-1+b2", To: "2", Security: len(advisories) > 0, Advisories: advisories}
	}
	many := []v1alpha1.PackageUpdate{named("linux", "A", "B", "C", "D", "E", "F", "G")}
	for i := range 11 {
		many = append(many, named(fmt.Sprint("lib", i)))
	}
	otherArchitecture := named("openssl", "CVE-2026-1")
	otherArchitecture.Architecture = "arm64"
	for name, test := range map[string]struct {
		updates []v1alpha1.PackageUpdate
		count   int32
		want    []string // the first and the last line, and the number of lines
	}{
		"none":              {},
		"two architectures": {[]v1alpha1.PackageUpdate{named("openssl", "CVE-2026-1"), otherArchitecture}, 2, []string{"NAME      FROM           TO   FIXES", "openssl   1:1~rc1-1+b2   2    CVE-2026-1", "2"}},
		"without advisories": {[]v1alpha1.PackageUpdate{{Name: "a", From: "1", To: "2"}, {Name: "b", From: "1", To: "2", Security: true}}, 2,
			[]string{"NAME   FROM   TO   FIXES", "b      1      2    security", "3"}},
		"a package that a build would add": {[]v1alpha1.PackageUpdate{{Name: "a", To: "2"}}, 1, []string{"NAME   FROM     TO   FIXES", "a      <none>   2", "2"}},
		"ten":                              {many[1:11], 10, []string{"NAME   FROM           TO   FIXES", "lib9   1:1~rc1-1+b2   2", "11"}},
		"twelve":                           {many, 12, []string{"NAME    FROM           TO   FIXES", "and 2 more", "12"}},
		"more than are listed":             {many[:1], 70, []string{"NAME    FROM           TO   FIXES", "and 69 more", "3"}},
	} {
		t.Run(name, func(t *testing.T) {
			lines := Updates(test.updates, test.count)
			var got []string
			if len(lines) > 0 {
				got = []string{lines[0], lines[len(lines)-1], fmt.Sprint(len(lines))}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if lines := Updates(many, 12); !slices.ContainsFunc(lines, func(line string) bool { return strings.HasSuffix(line, "A, B, C, D, E and 2 more") }) {
		t.Errorf("advisories are not cut in %q", lines)
	}
}
