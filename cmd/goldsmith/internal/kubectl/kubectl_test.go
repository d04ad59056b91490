// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"strings"
	"testing"

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
	for line, want := range map[string]bool{
		"--kubeconfig f get pods":       true,
		"get pods --kubeconfig=f":       true,
		"get pods":                      false,
		"exec pod -- tool --kubeconfig": false,
	} {
		if got := namesKubeconfig(strings.Fields(line)); got != want {
			t.Errorf("kubectl %s: got %v, want %v", line, got, want)
		}
	}
}
