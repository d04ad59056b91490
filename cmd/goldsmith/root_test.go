// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
)

func TestEveryShellHasACompletion(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "__start_goldsmith",
		"zsh":  "#compdef goldsmith",
		"fish": "complete -c goldsmith",
	} {
		root, out := newRootCommand(), &bytes.Buffer{}
		root.SetOut(out)
		root.SetArgs([]string{"completion", shell})
		if code := execute(t.Context(), root); code != exit.Success || !strings.Contains(out.String(), want) {
			t.Errorf("%s: got exit code %d and no %q in\n%.200s", shell, code, want, out)
		}
	}
}

func TestVerbsOfImagesAndBuildsCompleteNames(t *testing.T) {
	for _, verb := range newRootCommand().Commands() {
		takesNames := strings.Contains(verb.Use, "IMAGE") || strings.Contains(verb.Use, "BUILD") || strings.Contains(verb.Use, "NAME")
		if takesNames != (verb.ValidArgsFunction != nil) {
			t.Errorf("%s: takes names: %t, completes names: %t", verb.Name(), takesNames, !takesNames)
		}
	}
}

func TestVerbsThatWaitTellTheirExitCodes(t *testing.T) {
	var waiting []string
	for _, verb := range newRootCommand().Commands() {
		if verb.Flags().Lookup("wait") == nil {
			continue
		}
		waiting = append(waiting, verb.Name())
		if !strings.Contains(verb.Long, exit.Help) {
			t.Errorf("%s --help has no exit codes", verb.Name())
		}
	}
	if slices.Sort(waiting); !slices.Equal(waiting, []string{"build", "rerun"}) {
		t.Errorf("%v wait", waiting)
	}
}

func TestAnErrorIsOnStderrAndOneIsTheCode(t *testing.T) {
	t.Chdir(t.TempDir()) // no kubeconfig
	t.Setenv("KUBECONFIG", "")
	root, out, complaints := newRootCommand(), &bytes.Buffer{}, &bytes.Buffer{}
	root.SetOut(out)
	root.SetErr(complaints)
	root.SetArgs([]string{"queue"})
	code := execute(t.Context(), root)
	if code != exit.Failure || out.Len() > 0 || !strings.HasPrefix(complaints.String(), "Error: there is no ./.goldsmith/kubeconfig") {
		t.Errorf("got exit code %d, %q and %q", code, out, complaints)
	}
}
