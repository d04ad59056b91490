// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
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

func TestAServerThatIsDownIsNamedWithTheNextStep(t *testing.T) {
	t.Chdir(t.TempDir())
	const kubeconfig = `{"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "s"}}],
"clusters": [{"name": "s", "cluster": {"server": "http://127.0.0.1:1"}}]}` // nobody listens on port 1
	if err := os.WriteFile("kubeconfig", []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", "kubeconfig")
	for _, line := range []string{
		"build image/web", "rerun imagebuild/web-1", "diff imagebuild/web-1 imagebuild/web-2", "history image/web", "stats image/web",
		"notes image/web", "notes image/web text", "changes image/web", "cancel imagebuild/web-1", "logs image/web", "logs imagebuild/web-1 --uid a",
		"watch", "watch image/web", "queue", "plan image/web", "plan -f -", "promote imagebuild/web-1 stable",
	} {
		root, complaints := newRootCommand(), &bytes.Buffer{}
		root.SetIn(strings.NewReader(web + "---\n" + web))
		root.SetErr(complaints)
		root.SetArgs(strings.Fields(line))
		code := execute(t.Context(), root)
		if want := `Error: cannot reach the server at http://127.0.0.1:1; is "goldsmith up" running?` + "\n"; code != exit.Failure || complaints.String() != want {
			t.Errorf("%s: got exit code %d and %q, want %q", line, code, complaints, want)
		}
	}
}

// full is an output that nothing can be written to, such as /dev/full.
type full struct{}

func (full) Write([]byte) (int, error) {
	return 0, errors.New("no space left on device")
}

func TestOutputThatCannotBeWrittenFailsEveryCommand(t *testing.T) {
	for _, line := range []string{"table", "version", "--version", "--help", "queue --help", "completion bash"} {
		root, complaints := newRootCommand(), &bytes.Buffer{}
		root.AddCommand(&cobra.Command{Use: "table", RunE: func(command *cobra.Command, _ []string) error {
			return output.Table([]string{"Name"}, [][]any{{"web-1"}}, command.OutOrStdout())
		}})
		root.SetOut(full{})
		root.SetErr(complaints)
		root.SetArgs(strings.Fields(line))
		code := execute(t.Context(), root)
		if code != exit.Failure || !strings.HasSuffix(complaints.String(), "no space left on device\n") {
			t.Errorf("%s: got exit code %d and %q", line, code, complaints)
		}
	}
}

func TestWhatOthersWroteDoesNotReachTheTerminal(t *testing.T) {
	for name, test := range map[string]struct {
		annotations map[string]string
		want        string
	}{
		"any verb":                  {nil, "a^[]0;x^Gb"},
		"one that cares for itself": {map[string]string{output.Unescaped: ""}, "a\x1b]0;x\ab"},
	} {
		root, out, complaints := newRootCommand(), &bytes.Buffer{}, &bytes.Buffer{}
		root.AddCommand(&cobra.Command{Use: "say", Annotations: test.annotations, RunE: func(command *cobra.Command, _ []string) error {
			_, _ = command.OutOrStdout().Write([]byte("a\x1b]0;x\ab"))
			return errors.New("a\x1b[2Jb")
		}})
		root.SetOut(out)
		root.SetErr(complaints)
		root.SetArgs([]string{"say"})
		if code := execute(t.Context(), root); code == exit.Success || out.String() != test.want || complaints.String() != "Error: a^[[2Jb\n" {
			t.Errorf("%s: exit code %d, %q, %q", name, code, out, complaints)
		}
	}
}
