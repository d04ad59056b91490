// SPDX-License-Identifier: Apache-2.0

package buildversion

import (
	"runtime/debug"
	"testing"
)

func TestTheLinkerSetsTheVersionOrElseGo(t *testing.T) {
	recorded := func(version string) *debug.BuildInfo { return &debug.BuildInfo{Main: debug.Module{Version: version}} }
	for name, test := range map[string]struct {
		linked string
		build  *debug.BuildInfo
		want   string
	}{
		"make build":                  {"v1.2.3-4-gabc", recorded("v1.2.4-0.2026"), "v1.2.3-4-gabc"},
		"go install":                  {"", recorded("v1.2.3"), "v1.2.3"},
		"go build in a checkout":      {"", recorded("v0.0.0-20261126+dirty"), "v0.0.0-20261126+dirty"},
		"go build without a checkout": {"", recorded("(devel)"), "devel"},
		"no version":                  {"", recorded(""), "devel"},
		"go build without a module":   {"", nil, "devel"},
	} {
		if got := versionOf(test.linked, test.build); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestVersionsBelongToReleases(t *testing.T) {
	for version, want := range map[string]string{
		"v0.1.0": "v0.1", "0.1.7": "v0.1", "v1.12.3": "v1.12", "v0.2.0-rc.1": "v0.2", "v0.1.0-12-gabc1234-dirty": "v0.1",
		"v0.1.1-0.20261128110000-abcdef": "v0.1", "v0.1.0+dirty": "v0.1", "v0.0.3": "v0.0",
		"": "", "devel": "", "4cb4f038": "", "12345678": "", "v0.0.0-20261126110000-abcdef": "", "v1": "", "v1alpha1": "", "v0.1": "", "v-1.0.0": "",
		"v99999999999999999999.0.0": "",
	} {
		if got, known := ReleaseOf(version); known != (want != "") || known && got.String() != want {
			t.Errorf("%q: got %s, %t, want %q", version, got, known, want)
		}
	}
	if old := (Release{1, 0}); old.Compare(Release{0, 9}) <= 0 || old.Compare(Release{1, 1}) >= 0 || old.Previous() != old || old.Next().Previous() != old {
		t.Error("releases are out of order")
	}
}
