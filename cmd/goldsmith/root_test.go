// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
)

// oneLine matches the Short of a command: a verb and its objects, without a period.
var oneLine = regexp.MustCompile(`^[A-Z][a-z]+ [^.;]+$`)

func TestEveryVerbHasAGroupALineAndTwoExamples(t *testing.T) {
	root := newRootCommand()
	addCompletionCommand(root)
	for _, verb := range root.Commands() {
		if verb.Hidden {
			continue
		}
		if verb.GroupID == "" {
			t.Errorf("%s has no group", verb.Name())
		}
		if !oneLine.MatchString(verb.Short) || len(verb.Short) > 72 {
			t.Errorf("%s: %q is no line of at most 72 characters that begins with a verb", verb.Name(), verb.Short)
		}
		for paragraph := range strings.SplitSeq(strings.TrimSuffix(verb.Long, exit.Help), "\n\n") {
			if strings.Contains(paragraph, "\n") {
				t.Errorf("%s: a paragraph of the help has line breaks, which --help adds: %q", verb.Name(), paragraph)
			}
		}
		examples := 0
		for example := range strings.Lines(verb.Example) {
			if !strings.HasPrefix(example, "  ") || !strings.Contains(example, "goldsmith "+verb.Name()) {
				t.Errorf("%s: got the example %q", verb.Name(), example)
			}
			command, args, err := root.Find(strings.Fields(strings.TrimPrefix(example, "  goldsmith ")))
			if err == nil && command.Name() == verb.Name() {
				err = command.ParseFlags(args)
			}
			if err != nil && verb.Name() != "completion" { // its examples are lines of a shell
				t.Errorf("%s: the example %q: %v", verb.Name(), example, err)
			}
			examples++
		}
		if examples < 2 {
			t.Errorf("%s has %d examples", verb.Name(), examples)
		}
	}
}

func TestCommandsForLinuxSayOnOtherSystemsWhatToDo(t *testing.T) {
	for name := range linuxCommands {
		command, _, err := newRootCommand().Find([]string{name})
		if err != nil || command.Name() != name || command.Short == newLinuxOnlyCommand(name, "").Short {
			t.Errorf("goldsmith %s does not run here: %v", name, err)
		}
	}
	for _, line := range []string{"", "--help", "-n team -x --data-dir d a"} {
		root, complaints := newRootCommand(), &bytes.Buffer{}
		server, _, _ := root.Find([]string{"up"})
		root.RemoveCommand(server)
		root.AddCommand(newLinuxOnlyCommand("up", useOtherServer))
		root.SetErr(complaints)
		root.SetArgs(append([]string{"up"}, strings.Fields(line)...))
		const want = "Error: goldsmith up runs on Linux only: use a server on a Linux machine or in a cluster: set KUBECONFIG or --kubeconfig\n"
		if code := execute(t.Context(), root); code != exit.Failure || complaints.String() != want {
			t.Errorf("goldsmith up %s: got exit code %d and %q", line, code, complaints)
		}
	}
}

func TestHelpFits100Columns(t *testing.T) {
	lines, all := [][]string{{}}, newRootCommand()
	addCompletionCommand(all)
	for _, verb := range all.Commands() {
		lines = append(lines, []string{verb.Name()})
		for _, child := range verb.Commands() {
			lines = append(lines, []string{verb.Name(), child.Name()})
		}
	}
	for _, line := range lines {
		root, out := newRootCommand(), &bytes.Buffer{}
		root.SetOut(out)
		root.SetArgs(append([]string{"help"}, line...))
		if code := execute(t.Context(), root); code != exit.Success || !strings.Contains(out.String(), "--no-color") {
			t.Errorf("goldsmith help %s: got exit code %d and %s", line, code, out)
		}
		for text := range strings.Lines(out.String()) {
			if width := utf8.RuneCountInString(strings.TrimSuffix(text, "\n")); width > helpWidth {
				t.Errorf("goldsmith help %s: %d columns: %s", line, width, text)
			}
		}
	}
}

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
		takesNames := strings.Contains(verb.Use, "IMAGE") || strings.Contains(verb.Use, "BUILD") || strings.Contains(verb.Use, "NAME") ||
			strings.Contains(verb.Use, "REASON") || strings.Contains(verb.Use, "KIND") || verb.Name() == "kubectl"
		if takesNames != (verb.ValidArgsFunction != nil) {
			t.Errorf("%s: takes names: %t, completes names: %t", verb.Name(), takesNames, !takesNames)
		}
	}
}

func TestFlagsWithListableValuesCompleteThem(t *testing.T) {
	for _, verb := range newRootCommand().Commands() {
		for _, name := range []string{"namespace", "context", "output", "from"} {
			if _, completes := verb.GetFlagCompletionFunc(name); verb.Flags().Lookup(name) != nil && !completes {
				t.Errorf("%s --%s is not completed", verb.Name(), name)
			}
		}
		if flag := verb.Flags().Lookup("data-dir"); flag != nil && flag.Annotations[cobra.BashCompSubdirsInDir] == nil {
			t.Errorf("%s --data-dir does not complete directories", verb.Name())
		}
	}
}

func TestVerbsThatWaitTellTheirExitCodes(t *testing.T) {
	var waiting []string
	for _, verb := range newRootCommand().Commands() {
		if verb.Flags().Lookup("follow") == nil {
			continue
		}
		waiting = append(waiting, verb.Name())
		if !strings.Contains(verb.Long, exit.Help) {
			t.Errorf("%s --help has no exit codes", verb.Name())
		}
	}
	if slices.Sort(waiting); !slices.Equal(waiting, []string{"build", "logs", "rerun"}) {
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
	if code != exit.Failure || out.Len() > 0 || !strings.HasPrefix(complaints.String(), "Error: kubeconfig ./.goldsmith/kubeconfig does not exist") {
		t.Errorf("got exit code %d, %q and %q", code, out, complaints)
	}
}

func TestFlagsOfTheServerAreTakenBeforeTheVerbToo(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("KUBECONFIG", "")
	for line, want := range map[string]string{
		"--kubeconfig missing history web":               "kubeconfig missing does not exist: correct --kubeconfig",
		"--kubeconfig=missing -n team --context c queue": "kubeconfig missing does not exist: correct --kubeconfig",
		"-n team queue --kubeconfig missing":             "kubeconfig missing does not exist: correct --kubeconfig",
		"-n team up":                                     "unknown shorthand flag: 'n' in -n",
		"--namespace team demo":                          "unknown flag: --namespace",
		"--context c backup a":                           "unknown flag: --context",
		"--context c restore a":                          "unknown flag: --context",
		"--namespace team init web":                      "unknown flag: --namespace",
	} {
		root, complaints := newRootCommand(), &bytes.Buffer{}
		root.SetErr(complaints)
		root.SetArgs(strings.Fields(line))
		if code := execute(t.Context(), root); code != exit.Failure || !strings.HasPrefix(complaints.String(), "Error: "+want) {
			t.Errorf("goldsmith %s: got exit code %d and %q, want %q", line, code, complaints, want)
		}
	}
}

func TestKubectlGetsEveryArgumentIncludingThoseBeforeTheVerb(t *testing.T) {
	root := newRootCommand()
	found, args, err := root.Find(strings.Fields("--kubeconfig file -n team kubectl get images -A -o wide"))
	if err != nil || found.Name() != "kubectl" || !found.DisableFlagParsing {
		t.Fatalf("got %s, error %v", found.Name(), err)
	}
	if want := strings.Fields("--kubeconfig file -n team get images -A -o wide"); !slices.Equal(args, want) {
		t.Errorf("got %q, want %q", args, want)
	}
}

func TestAServerThatIsDownIsNamedWithTheNextStep(t *testing.T) {
	t.Chdir(t.TempDir())
	const kubeconfig = `{"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "s"}}],
"clusters": [{"name": "s", "cluster": {"server": "http://127.0.0.1:1"}}]}` // nobody listens on port 1
	require.NoError(t, os.WriteFile("kubeconfig", []byte(kubeconfig), 0o600))
	t.Setenv("KUBECONFIG", "kubeconfig")
	for _, line := range []string{
		"build image/web", "rerun imagebuild/web-1", "diff imagebuild/web-1 imagebuild/web-2", "history image/web", "stats image/web", "stats", "stats -A",
		"notes image/web", "notes image/web text", "changes image/web", "cancel imagebuild/web-1", "logs image/web", "logs imagebuild/web-1 --uid a",
		"queue", "plan image/web", "plan -f -", "promote imagebuild/web-1 stable",
		"suspend image/web", "resume image/web", "status", "status -n team", "status --watch", "show web", "show imagebuild/web-1", "builders", "packages web", "packages imagebuild/web-1 --uid a", "packages ./kubeconfig",
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

// Arguments and flags are checked before a server is looked for. A right line fails here because there is no kubeconfig.
func TestBadInputIsRefusedBeforeAServerIsLookedFor(t *testing.T) {
	t.Chdir(t.TempDir()) // no kubeconfig
	t.Setenv("KUBECONFIG", "")
	for verb, lines := range map[string]map[string]string{
		"artifacts": {
			"push web":          "takes two arguments, IMAGE[@CHANNEL] or BUILD and REPOSITORY[:TAG], but got 1",
			"push web team/web": "must begin with the host of the registry, such as registry.example.com/team/web",
			"push web registry.example.com/team/web:new": client.ErrNoKubeconfig.Error(),
		},
		"boot": {
			"":                              "takes one argument, IMAGE[@CHANNEL] or BUILD, but got 0",
			"web --memory 1":                `--memory "1": must be a quantity of at least 64Mi, such as 1Gi`,
			"web --cpus 0":                  "--cpus 0: must be at least 1",
			"web --ssh 65536":               "--ssh 65536: must be a port, 1 to 65535",
			"web --accel xen":               `--accel "xen": must be auto, kvm or tcg`,
			"web --firmware open":           `--firmware "open": must be bios, uefi or secureboot`,
			"web --timeout 1m":              "--timeout needs --until",
			"web --until login --timeout 0": "--timeout 0s: must be longer than 0",
			"web --until ssh.service":       `--until "ssh.service": must be login, or a systemd target such as multi-user.target`,
		},
		"stats": {
			"a b":     "takes at most one argument, the name of an IMAGE, but got 2",
			"--uid a": "--uid needs the name of the IMAGE",
			"web -A":  "--all-namespaces shows all images: omit the IMAGE, or set --namespace",
			"-A":      client.ErrNoKubeconfig.Error(),
		},
		"build": {
			"":                       "takes one argument, the name of an IMAGE, but got 0",
			"a b":                    "takes one argument, the name of an IMAGE, but got 2",
			"debian --parameter x":   `--parameter "x": must be NAME=VALUE`,
			"debian -f -o json":      "use --wait instead of -f",
			"debian -o table":        "must be json, yaml, name, wide, ",
			"debian --no-such":       "unknown flag",
			"debian --parameter x=1": client.ErrNoKubeconfig.Error(),
		},
		"builders": {
			"a b":     "takes at most one argument, the NAME of a builder, but got 2",
			"mock":    client.ErrNoKubeconfig.Error(),
			"-o json": "unknown shorthand flag: 'o'",
			"-n team": client.ErrNoKubeconfig.Error(),
		},
		"console": {
			"web":          `unknown command "web"`,
			"--port 65536": `invalid argument "65536" for "--port" flag: must be a whole number from 0 to 65535: see`,
			"--port 8080":  client.ErrNoKubeconfig.Error(),
			"":             client.ErrNoKubeconfig.Error(),
		},
		"history": {
			"":                           "name an IMAGE, or set --deleted",
			"a b":                        "takes one argument, the name of an IMAGE, or none with --deleted, but got 2",
			"--deleted --uid a":          "--deleted lists images",
			"--deleted --since 24h":      "--deleted lists images",
			"--deleted --outcome a":      `invalid argument "a" for "--outcome" flag: must be Succeeded, Failed, `,
			"--deleted --outcome failed": "--deleted lists images",
			"web --trigger rerun":        client.ErrNoKubeconfig.Error(),
			"web --trigger cron":         "must be Created, SpecChange, BaseChange, Schedule, Manual, Rerun, TestsChange, PackageChange or SourceChange",
			"--deleted --limit -1":       "--limit -1: must be 0",
			"--deleted --limit two":      `invalid argument "two" for "--limit" flag: must be a whole number: see`,
			"--deleted":                  client.ErrNoKubeconfig.Error(),
			"--deleted web":              client.ErrNoKubeconfig.Error(),
			"web":                        client.ErrNoKubeconfig.Error(),
		},
		"packages": {
			"":                             "takes one argument, IMAGE[@CHANNEL], BUILD or FILE, but got 0",
			"web-1 web-2":                  "takes one argument, IMAGE[@CHANNEL], BUILD or FILE, but got 2",
			"missing.raw":                  "open missing.raw: no such file or directory",
			". --uid a":                    "--target and --uid select artifacts of a build, but . is a file: omit them",
			"image/web --uid a":            "--uid selects a build, but image/web is an image: name a build, or omit --uid",
			"web -o table":                 "must be json, yaml, name, wide, ",
			"web --target linux/amd64/raw": client.ErrNoKubeconfig.Error(),
		},
		"plan": {
			"":                  "set either IMAGE or -f FILE",
			"debian -f -":       "set either IMAGE or -f FILE",
			"a b":               "takes one argument, the name of an IMAGE, or none with -f FILE, but got 2",
			"-f missing.yaml":   "read images: the path \"missing.yaml\" does not exist",
			"-f . -k .":         "[filename kustomize] were all set",
			"debian -o table":   "must be json, yaml, name, wide, ",
			"debian -o json -f": "flag needs an argument",
			"debian":            client.ErrNoKubeconfig.Error(),
		},
		"promote": {
			"":                     "takes two arguments, the name of a BUILD and that of a CHANNEL, but got",
			"debian-7":             "takes two arguments, the name of a BUILD and that of a CHANNEL, but got",
			"debian-7 stable beta": "takes two arguments, the name of a BUILD and that of a CHANNEL, but got",
			"debian-7 ''":          "takes two arguments, the name of a BUILD and that of a CHANNEL, but got",
		},
		"queue": {
			"-l a=b --field-selector metadata.name=a": client.ErrNoKubeconfig.Error(),
			"debian":   `unknown command "debian"`,
			"-o table": "must be json, yaml, name, wide, ",
			"":         client.ErrNoKubeconfig.Error(),
		},
		"show": {
			"":             "takes one argument, the NAME of a build or an image, but got 0",
			"web-1 web-2":  "takes one argument, the NAME of a build or an image, but got 2",
			"pod/web-1":    "must be NAME",
			"web -o table": "must be json, yaml, name",
			"image/web":    client.ErrNoKubeconfig.Error(),
		},
		"status": {
			"debian":          `unknown command "debian"`,
			"-o table":        "must be json, yaml, name, wide, ",
			"-n team -o wide": client.ErrNoKubeconfig.Error(),
		},
		"suspend": {
			"":                 "takes one argument, the name of an IMAGE, but got 0",
			"web debian":       "takes one argument, the name of an IMAGE, but got 2",
			"imagebuild/web-1": "imagebuild/web-1 is a build, but ",
			"web -o table":     "must be json, yaml, name",
			"image/web":        client.ErrNoKubeconfig.Error(),
		},
		"resume": {
			"":                 "takes one argument, the name of an IMAGE, but got 0",
			"web debian":       "takes one argument, the name of an IMAGE, but got 2",
			"imagebuild/web-1": "imagebuild/web-1 is a build, but ",
			"web -o table":     "must be json, yaml, name",
			"image/web":        client.ErrNoKubeconfig.Error(),
		},
	} {
		for line, want := range lines {
			args := append([]string{verb}, strings.Fields(line)...)
			for i, arg := range args {
				args[i] = strings.Trim(arg, "'")
			}
			root, complaints := newRootCommand(), &bytes.Buffer{}
			root.SetErr(complaints)
			root.SetArgs(args)
			if code := execute(t.Context(), root); code != exit.Failure || !strings.Contains(complaints.String(), want) {
				t.Errorf("goldsmith %s %s: got exit code %d and %q, want %q", verb, line, code, complaints, want)
			}
		}
	}
}

func TestWhatIsMistypedIsExplained(t *testing.T) {
	for line, want := range map[string]string{
		"buld":               "unknown verb \"buld\": did you mean `goldsmith build`? If not, see `goldsmith --help`\n",
		"histroy web":        "unknown verb \"histroy\": did you mean `goldsmith history`? If not, see `goldsmith --help`\n",
		"frobnicate":         "unknown verb \"frobnicate\": see `goldsmith --help`\n",
		"list":               "unknown verb \"list\": use `goldsmith kubectl get images` or `goldsmith history IMAGE`\n",
		"retry web-1":        "unknown verb \"retry\": use `goldsmith rerun BUILD` or `goldsmith build IMAGE`\n",
		"stop web-1":         "unknown verb \"stop\": use `goldsmith cancel BUILD` or `goldsmith suspend IMAGE`\n",
		"run web":            "unknown verb \"run\": use `goldsmith build IMAGE`\n",
		"events":             "unknown verb \"events\": kubectl has it: use `goldsmith kubectl events ...`\n",
		"get images -n team": "unknown verb \"get\": kubectl has it: use `goldsmith kubectl get ...`\n",
		"apply -f web.yaml":  "unknown verb \"apply\": kubectl has it: use `goldsmith kubectl apply ...`\n",
		"queue web":          "unknown command \"web\" for \"goldsmith queue\": see `goldsmith queue --help`\n",
		"user remvoe ann":    "unknown command \"remvoe\" for \"goldsmith user\": see `goldsmith user --help`\n",
		"completion tcsh":    "unknown command \"tcsh\" for \"goldsmith completion\": see `goldsmith completion --help`\n",
		"build --folow web":  "unknown flag: --folow: see `goldsmith build --help`\n",
		"build web -x":       "unknown shorthand flag: 'x' in -x: see `goldsmith build --help`\n",
		"plan web -o":        "flag needs an argument: 'o' in -o: see `goldsmith plan --help`\n",
		"--bogus":            "unknown flag: --bogus: see `goldsmith --help`\n",
	} {
		root, complaints := newRootCommand(), &bytes.Buffer{}
		root.SetErr(complaints)
		root.SetArgs(strings.Fields(line))
		if code := execute(t.Context(), root); code != exit.Failure || complaints.String() != "Error: "+want {
			t.Errorf("%s: got exit code %d and %q, want %q", line, code, complaints, want)
		}
	}
}

func TestSynonymsOfVerbsAreCommandLines(t *testing.T) {
	root := newRootCommand()
	for synonym, lines := range synonyms {
		if _, _, err := root.Find([]string{synonym}); err == nil {
			t.Errorf("%s is a verb", synonym)
		}
		for _, line := range lines {
			command, args, err := root.Find(strings.Fields(line))
			if err == nil && command.Args != nil {
				err = errors.Join(command.ParseFlags(args), command.Args(command, command.Flags().Args()))
			}
			if err != nil {
				t.Errorf("%s: goldsmith %s: %v", synonym, line, err)
			}
		}
	}
}

// full is an output that fails each write, such as /dev/full.
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
