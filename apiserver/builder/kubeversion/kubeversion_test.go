// SPDX-License-Identifier: Apache-2.0

package kubeversion

import (
	"runtime/debug"
	"testing"

	"k8s.io/component-base/version"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheVersionOfKubernetesIsThatOfItsModule(t *testing.T) {
	other := &debug.Module{Path: "k8s.io/kube-openapi", Version: "v0.0.0-2026"}
	unknown := "v" + version.DefaultKubeBinaryVersion + ".0"
	for name, test := range map[string]struct {
		build *debug.BuildInfo
		want  string
	}{
		"recorded":             {&debug.BuildInfo{Deps: []*debug.Module{other, {Path: library, Version: "v0.37.2"}}}, "v1.37.2"},
		"a pre-release":        {&debug.BuildInfo{Deps: []*debug.Module{{Path: library, Version: "v0.38.0-rc.1"}}}, "v1.38.0-rc.1"},
		"replaced":             {&debug.BuildInfo{Deps: []*debug.Module{{Path: library, Version: "v0.37.2", Replace: &debug.Module{Path: "example.com/fork", Version: "v0.36.1"}}}}, "v1.36.1"},
		"replaced by a folder": {&debug.BuildInfo{Deps: []*debug.Module{{Path: library, Version: "v0.37.2", Replace: &debug.Module{Path: "../fork"}}}}, unknown},
		"not recorded":         {&debug.BuildInfo{Deps: []*debug.Module{other}}, unknown},
		"no build information": {nil, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := of(test.build); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// The library may rename the variables that this package sets: then Set must fail, or this test.
func TestTheLibraryReportsTheVersion(t *testing.T) {
	require.NoError(t, report("v1.36.4"))
	if got := version.Get(); got.GitVersion != "v1.36.4" || got.Major != "1" || got.Minor != "36" {
		t.Errorf("got %+v", got)
	}
	if err := report("devel"); err == nil {
		t.Error("a version that is none was accepted")
	}
}
