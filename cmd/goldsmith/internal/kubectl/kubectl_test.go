// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	kubectl "k8s.io/kubectl/pkg/cmd"
)

func TestOnlyCommandsThatTalkToAServerNeedAKubeconfig(t *testing.T) {
	root := kubectl.NewKubectlCommand(kubectl.KubectlOptions{})
	for line, want := range map[string]bool{
		"get images":                      true,
		"-n team get images":              true,
		"apply -f -":                      true,
		"version":                         true,
		"config view":                     true,
		"exec pod -- --help":              true,
		"":                                false,
		"--help":                          false,
		"get --help":                      false,
		"version --client":                false,
		"completion bash":                 false,
		"kustomize examples":              false,
		"plugin list":                     false,
		"no-such-verb":                    false,
		"__complete get im":               false,
		"options":                         false,
		"-v 1 kustomize kustomize/config": false,
	} {
		if got := needsServer(root, strings.Fields(line)); got != want {
			t.Errorf("kubectl %s: got %v, want %v", line, got, want)
		}
	}
}

func TestFindsTheKubeconfigFlagAmongKubectlsArguments(t *testing.T) {
	for line, want := range map[string]string{
		"--kubeconfig f get pods":       "f",
		"get pods --kubeconfig=f":       "f",
		"get pods --kubeconfig":         "",
		"get pods":                      "",
		"exec pod -- tool --kubeconfig": "",
	} {
		if got := kubeconfigOf(strings.Fields(line)); got != want {
			t.Errorf("kubectl %s: got %q, want %q", line, got, want)
		}
	}
}

func TestOnlyErrorsOfLibrariesAreShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stderr")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	terminal := os.Stderr
	os.Stderr = file
	showErrorsOnly()
	klog.Background().Info("Warning: watch ended with error")
	klog.Background().Error(nil, "an error")
	klog.Flush()
	os.Stderr = terminal
	klog.LogToStderr(true)
	shown, err := os.ReadFile(path)
	if err = errors.Join(err, file.Close()); err != nil || strings.Contains(string(shown), "watch") || !strings.Contains(string(shown), "an error") {
		t.Errorf("got %q, %v", shown, err)
	}
}

func TestMessagesOfKubectlAreFollowedByTheNextStep(t *testing.T) {
	for message, want := range map[string]string{
		"The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?":       `hint: is "goldsmith up" running?`,
		"The connection to the server localhost:8080 was refused - did you specify the right host or port":     "hint: the kubeconfig has no server",
		"Unable to connect to the server: dial tcp: lookup nowhere: no such host":                              "hint: correct the server in the kubeconfig",
		"Unable to connect to the server: tls: x509: certificate signed by unknown authority":                  `hint: use the kubeconfig that "goldsmith up"`,
		"error: You must be logged in to the server (Unauthorized)":                                            "hint: the server does not accept the credentials",
		"Error in configuration: context was not found for specified context: a":                               "hint: `goldsmith kubectl config get-contexts`",
		`error: no matches for kind "Images" in version "images.goldsmith.dev/v1alpha1"`:                       "kind Image of apiVersion images.goldsmith.dev/v1alpha1",
		"error: error validating data: failed to check CRD: failed to list CRDs: forbidden\n":                  "hint: the server has no such kind or version",
		`Error from server (Forbidden): images.goldsmith.dev "web" is forbidden: User "ann" cannot delete`:     "hint: `goldsmith kubectl auth can-i --list`",
		`error: the server doesn't have a resource type "imags"`:                                               "hint: `goldsmith kubectl api-resources`",
		"error: failed to create quota: the server could not find the requested resource":                      "hint: `goldsmith kubectl api-resources`",
		`error: error validating "a.hcl": error validating data: invalid object to validate`:                   "hint: a manifest is YAML or JSON",
		`error: error validating "a.json": error validating data: [apiVersion not set, kind not set]`:          "hint: a manifest is YAML or JSON",
		"error: error parsing a.yaml: yaml: line 5: found character that cannot start any token":               "hint: YAML indents with spaces",
		`error: failed to download openapi: Get "https://127.0.0.1:1/": dial tcp: connect: connection refused`: `hint: is "goldsmith up" running?`,
		"Error from server (NotFound): images \"a\" not found":                                                 "",
	} {
		var out strings.Builder
		report(&out, message)
		line, next, _ := strings.Cut(out.String(), "\n")
		if line != strings.TrimSuffix(message, "\n") || !strings.Contains(next, want) || (next == "") != (want == "") || !strings.HasSuffix(out.String(), "\n") {
			t.Errorf("got %q, want %q after %q", next, want, message)
		}
	}
	refused := "Error from server (Forbidden): error when applying patch:\n{\"metadata\":{\"annotations\":{\"a\":\"{\\n}\"}}}\nto:\n" +
		"Resource: \"images.goldsmith.dev/v1alpha1, Resource=images\", GroupVersionKind: \"images.goldsmith.dev/v1alpha1, Kind=Image\"\n" +
		"Name: \"web\", Namespace: \"default\"\nfor: \"web.yaml\": error when patching \"web.yaml\": denied"
	var out strings.Builder
	if report(&out, refused); out.String() != "Error from server (Forbidden): error when patching \"web.yaml\": denied\n" {
		t.Errorf("a refused update: got %q", out.String())
	}
	out.Reset()
	if report(&out, ""); out.String() != "" {
		t.Errorf("got %q for no message", out.String())
	}
}

func TestKnowsTheVerbsOfKubectl(t *testing.T) {
	for verb, want := range map[string]bool{"get": true, "describe": true, "apply": true, "delete": true, "edit": true, "buld": false, "": false} {
		if got := Has(verb); got != want {
			t.Errorf("%q: got %v, want %v", verb, got, want)
		}
	}
}

func TestKubectlCompletesItsArguments(t *testing.T) {
	t.Chdir(t.TempDir()) // no kubeconfig
	t.Setenv("KUBECONFIG", "missing")
	for _, test := range []struct {
		args        []string
		begun, want string
		directive   cobra.ShellCompDirective
	}{
		{nil, "descr", "describe", cobra.ShellCompDirectiveNoFileComp},
		{[]string{"config"}, "use-con", "use-context", cobra.ShellCompDirectiveNoFileComp},
		{[]string{"get", "pods"}, "--all-names", "--all-namespaces", cobra.ShellCompDirectiveNoFileComp},
		{[]string{"get", "-o"}, "jso", "json", cobra.ShellCompDirectiveNoFileComp},
	} {
		got, directive := complete(t.Context(), test.args, test.begun)
		var names []string
		for _, line := range got {
			name, _, _ := strings.Cut(line, "\t")
			names = append(names, name)
		}
		if len(names) == 0 || names[0] != test.want || directive != test.directive {
			t.Errorf("%q %q: got %q and directive %d, want %q", test.args, test.begun, names, directive, test.want)
		}
	}
}
