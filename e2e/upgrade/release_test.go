// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"os"
	"path/filepath"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

const overlay = "kustomize/overlays/kind"

func TestTheReleaseBeforeIsTheCommitBeforeHEAD(t *testing.T) {
	root := clone(t)
	commit(t, root, overlay+"/kustomization.yaml", "Makefile")
	commit(t, root, "later")
	before, err := releaseBefore(t.Context(), filepath.Join(root, overlay))
	require.NoError(t, err)
	if want := git(t, root, "rev-parse", "--short", "HEAD^"); before.commit != want || before.overlay != overlay || before.root != root {
		t.Errorf("got %+v, want commit %s of %s", before, want, root)
	}
}

func TestThereIsNoReleaseBeforeTheFirstThatCanBeInstalled(t *testing.T) {
	for name, earlier := range map[string][]string{
		"the first commit":         nil,
		"after other things":       {"earlier", "earlier"},
		"after an overlay without": {overlay + "/kustomization.yaml"},
		"after images without":     {"Makefile"},
	} {
		t.Run(name, func(t *testing.T) {
			root := clone(t)
			for _, path := range earlier {
				commit(t, root, path)
			}
			commit(t, root, overlay+"/kustomization.yaml", "Makefile")
			before, err := releaseBefore(t.Context(), filepath.Join(root, overlay))
			if err != nil || before.commit != "" {
				t.Errorf("got %+v, %v, want no commit", before, err)
			}
		})
	}
}

func TestAShallowCloneKnowsNoReleaseBefore(t *testing.T) {
	root := clone(t)
	commit(t, root, overlay+"/kustomization.yaml", "Makefile")
	commit(t, root, "later")
	shallow := filepath.Join(t.TempDir(), "shallow")
	git(t, root, "clone", "--quiet", "--depth=1", "file://"+root, shallow)
	before, err := releaseBefore(t.Context(), filepath.Join(shallow, overlay))
	if err != nil || before.commit != "" {
		t.Errorf("got %+v, %v, want no commit", before, err)
	}
}

// clone makes an empty repository.
func clone(t *testing.T) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	git(t, root, "init", "--quiet")
	return root
}

// commit appends to files and commits them.
func commit(t *testing.T, root string, paths ...string) {
	t.Helper()
	for _, path := range paths {
		file := filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		content, _ := os.ReadFile(file)
		require.NoError(t, os.WriteFile(file, append(content, "images:\n"...), 0o600))
	}
	git(t, root, "add", ".")
	git(t, root, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message", "a change")
}

func git(t *testing.T, directory string, arguments ...string) string {
	t.Helper()
	output, err := run(t.Context(), directory, "git", arguments...)
	require.NoError(t, err)
	return output
}
