// SPDX-License-Identifier: Apache-2.0

package argocd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/clients/argocd"
	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	// module is the folder of Goldsmith's module.
	module = "../../.."
	folder = module + "/kustomize/gitops/argocd"
)

// states are folders with an object in each state, whose comments tell what it is to Argo CD. The last one has states that the
// controller never writes.
var states = []string{module + "/jobs/trigger/testdata/states", module + "/jobs/state/testdata/states", "testdata/states"}

// TestHealth compares the health of an object in each state with its comment "# argocd: Progressing".
func TestHealth(t *testing.T) {
	settings := settings(t)
	seen := map[string]bool{}
	for _, folder := range states {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no states: %v", folder, err)
		}
		for _, file := range files {
			t.Run(file, func(t *testing.T) {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				object, err := argocd.Parse(text)
				require.NoError(t, err)
				health, err := settings.Health(t.Context(), object)
				require.NoError(t, err)
				if want := comment(string(text), "argocd"); health.Status != want {
					t.Errorf("got %+v, want %s", health, want)
				}
				if health.Message == "" {
					t.Errorf("%s without a message", health.Status)
				}
				seen[object.GetKind()+" "+health.Status] = true
			})
		}
	}
	for _, want := range []string{
		"Image Progressing", "Image Healthy", "Image Degraded", "Image Suspended", "ImageBuild Progressing", "ImageBuild Healthy", "ImageBuild Degraded",
	} {
		if !seen[want] {
			t.Errorf("no state is an %s", want)
		}
	}
}

func settings(t *testing.T) argocd.Settings {
	t.Helper()
	settings, err := argocd.Read(folder)
	require.NoError(t, err)
	return settings
}

// comment returns the value of a comment of a file such as "# argocd: Healthy".
func comment(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "# "+name+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
