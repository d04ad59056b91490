// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestKubeconfigIsChosenByFlagThenEnvironmentThenDirectory(t *testing.T) {
	for _, test := range []struct {
		name        string
		flag        string
		environment string
		directory   bool
		want        []string
		err         error
	}{
		{name: "nothing", err: ErrNoKubeconfig},
		{name: "directory", directory: true, want: []string{DefaultKubeconfig}},
		{name: "environment before directory", environment: "a:b", directory: true, want: []string{"a", "b"}},
		{name: "flag before environment", flag: "f", environment: "a", directory: true, want: []string{"f"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if test.directory {
				write(t, DefaultKubeconfig, "apiVersion: v1\nkind: Config\n")
			}
			if test.environment != "" {
				write(t, "b", "apiVersion: v1\nkind: Config\n") // one file of the list is enough
			}
			if test.flag != "" {
				write(t, test.flag, "apiVersion: v1\nkind: Config\n")
			}
			flags := Flags{Kubeconfig: test.flag}
			rules, err := flags.loadingRules(false, test.environment)
			if !errors.Is(err, test.err) {
				t.Fatalf("got error %v", err)
			}
			if err != nil {
				return
			}
			got := rules.GetLoadingPrecedence()
			if rules.ExplicitPath != "" {
				got = []string{rules.ExplicitPath}
			}
			if len(got) != len(test.want) {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			for i := range got {
				if got[i] != test.want[i] {
					t.Errorf("got %q, want %q", got, test.want)
				}
			}
		})
	}
}

func TestTheHomeDirectorysKubeconfigIsNeverUsedSilently(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Chdir(t.TempDir())
	write(t, filepath.Join(home, ".kube", "config"), kubeconfig("https://home", "default"))

	t.Setenv("KUBECONFIG", "")
	if _, err := (&Flags{}).Connect(io.Discard); !errors.Is(err, ErrNoKubeconfig) {
		t.Errorf("without $KUBECONFIG: got error %v", err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	empty := filepath.Join(home, "empty")
	write(t, empty, "apiVersion: v1\nkind: Config\n")
	t.Setenv("KUBECONFIG", empty)
	if _, err := (&Flags{}).Connect(io.Discard); err == nil {
		t.Error("with a $KUBECONFIG that names no server: no error")
	}
	missing := filepath.Join(home, "missing")
	t.Setenv("KUBECONFIG", missing)
	if _, err := (&Flags{}).Connect(io.Discard); err == nil || !strings.Contains(err.Error(), "kubeconfig "+missing+" of $KUBECONFIG does not exist: ") {
		t.Errorf("with a $KUBECONFIG that is missing: got error %v", err)
	}
}

func TestAKubeconfigThatCannotBeUsedIsNamedWithTheNextStep(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("KUBECONFIG", "")
	write(t, "good", kubeconfig("https://here", "team"))
	write(t, "no-yaml", "a: [\n")
	write(t, "text", "hello\n")
	write(t, "empty", "")
	write(t, "pod", "apiVersion: v1\nkind: Pod\n")
	write(t, "binary", "\x7fELF\x00\x01")
	write(t, "no-current", strings.Replace(kubeconfig("https://here", "team"), `"current-context": "c"`, `"current-context": ""`, 1))
	write(t, "no-server", strings.Replace(kubeconfig("https://here", "team"), `"cluster": "s"`, `"cluster": "other"`, 1))
	for _, test := range []struct {
		file, context, want string
	}{
		{"missing", "", "kubeconfig missing does not exist: correct --kubeconfig, or start a server with `goldsmith up`"},
		{"no-yaml", "", "read kubeconfig no-yaml: yaml: line 1: "},
		{"no-yaml", "", ": correct the file, or set --kubeconfig"},
		{"text", "", "text is not a kubeconfig, which has kind: Config and apiVersion: v1: set --kubeconfig"},
		{"pod", "", "pod is not a kubeconfig"},
		{"binary", "", "binary is not a kubeconfig"},
		{".", "", "kubeconfig . is a directory: set --kubeconfig to a file"},
		{"empty", "", "kubeconfig empty has no context: set --kubeconfig"},
		{"no-current", "", "kubeconfig no-current has no current-context: set --context to one of: c"},
		{"good", "other", "kubeconfig good has no context other: set --context to one of: c"},
		{"no-server", "", `read kubeconfig no-server: `},
	} {
		_, err := (&Flags{Kubeconfig: test.file, Context: test.context}).Connect(io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", test.file, err, test.want)
		}
	}
	if _, err := (&Flags{Kubeconfig: "no-current", Context: "c"}).Connect(io.Discard); err != nil {
		t.Errorf("with a context that exists: got error %v", err)
	}
	t.Setenv("KUBECONFIG", "missing:text")
	if _, err := (&Flags{}).Connect(io.Discard); err == nil || !strings.Contains(err.Error(), "text is not a kubeconfig") {
		t.Errorf("from $KUBECONFIG: got error %v", err)
	}
}

func TestTheKubeconfigOfAnotherUserIsNamedWithTheOwner(t *testing.T) {
	err := unreadable("/nowhere/kubeconfig", &fs.PathError{Op: "open", Path: "/nowhere/kubeconfig", Err: fs.ErrPermission})
	want := "no permission to read kubeconfig /nowhere/kubeconfig, which belongs to user root: ask the user of the server for a kubeconfig of your own, which `goldsmith user add NAME` writes"
	if err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestConnectsToTheNamespaceOfTheFlagOrTheContext(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("KUBECONFIG", "")
	write(t, DefaultKubeconfig, kubeconfig("https://here", "team"))
	for flag, want := range map[string]string{"": "team", "other": "other"} {
		connection, err := (&Flags{Namespace: flag}).Connect(io.Discard)
		require.NoError(t, err)
		if connection.Namespace != want {
			t.Errorf("with -n %q: got namespace %q, want %q", flag, connection.Namespace, want)
		}
	}
}

func TestOnlyThePluginsNameFollowsKubectlsRules(t *testing.T) {
	for program, want := range map[string]bool{
		"/usr/local/bin/kubectl-goldsmith": true,
		"kubectl-goldsmith.exe":            true,
		"goldsmith":                        false,
		"kubectl-goldsmith/goldsmith":      false,
	} {
		if got := IsPlugin(program); got != want {
			t.Errorf("%s: got %v", program, got)
		}
	}
}

func kubeconfig(server, namespace string) string {
	return `{"apiVersion": "v1", "kind": "Config", "current-context": "c",
"clusters": [{"name": "s", "cluster": {"server": "` + server + `"}}],
"contexts": [{"name": "c", "context": {"cluster": "s", "namespace": "` + namespace + `"}}]}`
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}
