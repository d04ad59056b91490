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
