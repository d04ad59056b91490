// SPDX-License-Identifier: Apache-2.0

package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

const overlay = "kustomize/overlays/default/kustomization.yaml"

// checkout is a repository with the Makefile, the overlay and these files, and a directory of programs that make calls.
func checkout(t *testing.T, files, programs map[string]string) (root string, run func(name string, arguments ...string) (string, error)) {
	t.Helper()
	root, path := t.TempDir(), t.TempDir()
	write := func(name, content string, mode os.FileMode) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o750))
		require.NoError(t, os.WriteFile(name, []byte(content), mode))
	}
	for _, name := range []string{"Makefile", overlay} {
		content, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		write(filepath.Join(root, name), string(content), 0o600)
	}
	for name, content := range files {
		write(filepath.Join(root, name), content, 0o600)
	}
	for name, script := range programs {
		write(filepath.Join(path, name), "#!/bin/sh\n"+script, 0o700)
	}
	run = func(name string, arguments ...string) (string, error) {
		command := exec.CommandContext(t.Context(), name, arguments...)
		command.Dir = root
		command.Env = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"), "MAKEFLAGS=",
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=jane", "GIT_AUTHOR_EMAIL=jane@example.com", "GIT_COMMITTER_NAME=jane", "GIT_COMMITTER_EMAIL=jane@example.com")
		output, err := command.CombinedOutput()
		return string(output), err
	}
	for _, arguments := range [][]string{{"init", "--quiet"}, {"add", "."}, {"commit", "--quiet", "--message", "first"}} {
		if output, err := run("git", arguments...); err != nil {
			t.Fatalf("git %v: %v: %s", arguments, err, output)
		}
	}
	return root, run
}

func TestPushDoesNotChangeTheTagThatItPushes(t *testing.T) {
	root, run := checkout(t, map[string]string{"main.go": "package main\n"}, map[string]string{"docker": `echo "$@"`})
	push := func() string {
		t.Helper()
		output, err := run("make", "push", "REGISTRY=registry.example.com/team")
		if err != nil {
			t.Fatalf("make push: %v: %s", err, output)
		}
		return output
	}
	first := push()
	written, err := os.ReadFile(filepath.Join(root, overlay))
	require.NoError(t, err)
	if !strings.Contains(string(written), "newName: registry.example.com/team/mock-builder\n") {
		t.Errorf("the overlay does not name the pushed images:\n%s", written)
	}
	if again := push(); again != first {
		t.Errorf("the second push differs:\n%s\nfrom the first:\n%s", again, first)
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "main.go"), []byte("package main // changed\n"), 0o600))
	if changed := push(); changed == first {
		t.Errorf("the tag is the same after a change of the tree:\n%s", changed)
	}
}

func TestPushStopsAtAnImageThatIsNotPushed(t *testing.T) {
	_, run := checkout(t, nil, map[string]string{"docker": `case "$*" in "push "*goldsmith-apiserver*) exit 1;; esac`})
	if output, err := run("make", "push", "REGISTRY=registry.example.com/team"); err == nil {
		t.Errorf("make push succeeded: %s", output)
	}
}

func TestFuzzReportsEveryTargetThatFails(t *testing.T) {
	files := map[string]string{}
	for _, directory := range []string{"apis", "apiserver", "archive", "builders", "cmd", "controllers", "jobs", "records"} {
		files[directory+"/fuzz_test.go"] = "func Fuzz" + strings.ToUpper(directory[:1]) + directory[1:] + "(f *testing.F) {}\n"
	}
	_, run := checkout(t, files, map[string]string{"go": `case "$*" in *FuzzArchive*|*FuzzJobs*) exit 1;; esac`})
	output, err := run("make", "fuzz")
	if err == nil || !strings.Contains(output, "records:FuzzRecords\n") || !strings.Contains(output, "failed: archive:FuzzArchive\nfailed: jobs:FuzzJobs\n") {
		t.Errorf("%v: %s", err, output)
	}
	_, run = checkout(t, files, map[string]string{"go": "true"})
	output, err = run("make", "fuzz")
	if err != nil || strings.Count(output, ":Fuzz") != len(files) {
		t.Errorf("%v: %s", err, output)
	}
}
