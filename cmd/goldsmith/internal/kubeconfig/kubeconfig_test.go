// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheKubeconfigIsForItsOwnerOnlyAndLeavesNothingBesides(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	path := filepath.Join(directory, "kubeconfig")
	for range 2 {
		require.NoError(t, Write(path, New("https://127.0.0.1:1", "secret", []byte("ca"))))
		if err := Check(path); err != nil {
			t.Errorf("our own file is refused: %v", err)
		}
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %o", info.Mode().Perm())
	}
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	require.NoError(t, err)
	if config.Host != "https://127.0.0.1:1" || config.BearerToken != "secret" || string(config.CAData) != "ca" {
		t.Errorf("got %v", config)
	}
}

func TestSomebodyElsesFileIsNotOverwritten(t *testing.T) {
	cluster, user := clientcmdapi.NewCluster(), clientcmdapi.NewAuthInfo()
	for name, change := range map[string]func(*clientcmdapi.Config){
		"another context beside ours": func(c *clientcmdapi.Config) { c.Contexts["production"] = clientcmdapi.NewContext() },
		"another cluster beside ours": func(c *clientcmdapi.Config) { c.Clusters["production"] = cluster },
		"another user beside ours":    func(c *clientcmdapi.Config) { c.AuthInfos["production"] = user },
		"clusters only": func(c *clientcmdapi.Config) {
			*c = clientcmdapi.Config{Clusters: map[string]*clientcmdapi.Cluster{"production": cluster}}
		},
		"users only": func(c *clientcmdapi.Config) {
			*c = clientcmdapi.Config{AuthInfos: map[string]*clientcmdapi.AuthInfo{"production": user}}
		},
		"a user of our name and no more": func(c *clientcmdapi.Config) {
			*c = clientcmdapi.Config{AuthInfos: map[string]*clientcmdapi.AuthInfo{contextName: user}}
		},
	} {
		path := filepath.Join(t.TempDir(), "config")
		config := New("https://127.0.0.1:1", "secret", []byte("ca"))
		change(config)
		require.NoError(t, clientcmd.WriteToFile(*config, path))
		if err := Check(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got error %v, want one that names %s", name, err, path)
		}
	}
	for content, refused := range map[string]bool{"": false, "notes: mine\n": true, "no YAML: [": true} {
		path := filepath.Join(t.TempDir(), "config")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		if err := Check(path); (err != nil) != refused {
			t.Errorf("%q: got error %v", content, err)
		}
	}
}
