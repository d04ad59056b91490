// SPDX-License-Identifier: Apache-2.0

package up

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestTheKubeconfigIsForItsOwnerOnlyAndLeavesNothingBesides(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	path := filepath.Join(directory, "kubeconfig")
	for range 2 {
		if err := writeKubeconfig(path, newKubeconfig("https://127.0.0.1:1", "secret", []byte("ca"))); err != nil {
			t.Fatal(err)
		}
		if err := checkKubeconfig(path); err != nil {
			t.Errorf("our own file is refused: %v", err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %o", info.Mode().Perm())
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.0.0.1:1" || config.BearerToken != "secret" || string(config.CAData) != "ca" {
		t.Errorf("got %v", config)
	}
}

func TestSomebodyElsesKubeconfigIsNotOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	theirs := clientcmdapi.NewConfig()
	theirs.Contexts["production"] = clientcmdapi.NewContext()
	if err := clientcmd.WriteToFile(*theirs, path); err != nil {
		t.Fatal(err)
	}
	if err := checkKubeconfig(path); err == nil {
		t.Error("no error")
	}
}
