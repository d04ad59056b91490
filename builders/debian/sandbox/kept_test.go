// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/builders/debian/kept"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/local"
)

func TestNothingIsKeptWithoutADirectoryANamespaceAndALimit(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	entry := strings.Repeat("0", 64) + "." + strings.Repeat("0", 64)
	require.NoError(t, os.WriteFile(filepath.Join(directory, entry), []byte("content"), 0o600))
	all := map[string]string{envKept: directory, envKeptMax: "1000", local.EnvNamespace: "team", envTemporary: strings.Repeat("x", 200)}
	all[envTemporary] = filepath.Join(t.TempDir(), all[envTemporary]) // longer than the path of a socket
	require.NoError(t, os.Mkdir(all[envTemporary], 0o700))
	with := func(changed, value string) func(string) string {
		return func(name string) string {
			if name == changed {
				return value
			}
			return all[name]
		}
	}
	socket, err := serveKept(with("", ""), io.Discard)
	if err != nil || socket != "/tmp/"+keptSocket {
		t.Fatalf("socket %q, error %v", socket, err)
	}
	for name, wantError := range map[string]bool{envKept: false, local.EnvNamespace: false, envKeptMax: true} {
		if socket, err := serveKept(with(name, ""), io.Discard); socket != "" || (err != nil) != wantError {
			t.Errorf("without %s: socket %q, error %v", name, socket, err)
		}
	}
	if socket, err := serveKept(with(envKeptMax, "0"), io.Discard); socket != "" || err != nil {
		t.Errorf("with the limit 0: socket %q, error %v", socket, err)
	}
	if _, err := os.Stat(filepath.Join(directory, entry)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("with the limit 0 something stays: %v", err)
	}
}

func TestTheLauncherServesTheBuilderInItsNamespace(t *testing.T) {
	t.Parallel()
	directory, content := t.TempDir(), filepath.Join(t.TempDir(), "content")
	require.NoError(t, os.WriteFile(content, []byte("packages"), 0o600))
	key := strings.Repeat("0", 64)
	// client is that of a build.
	client := func(namespace string) *kept.Client {
		temporary := t.TempDir()
		getenv := func(name string) string {
			return map[string]string{envKept: directory, envKeptMax: "1000", local.EnvNamespace: namespace, envTemporary: temporary}[name]
		}
		socket, err := serveKept(getenv, io.Discard)
		require.NoError(t, err)
		client := kept.NewClient(filepath.Join(temporary, filepath.Base(socket)))
		t.Cleanup(func() { require.NoError(t, client.Close()) })
		return client
	}
	first := client("team")
	if _, err := first.Get(t.Context(), key, content+".got"); !errors.Is(err, kept.ErrNothing) {
		t.Errorf("error %v", err)
	}
	_, _, err := first.Put(t.Context(), key, content)
	require.NoError(t, err)
	for namespace, want := range map[string]error{"team": nil, "other": kept.ErrNothing} {
		if _, err := client(namespace).Get(t.Context(), key, content+"."+namespace); !errors.Is(err, want) {
			t.Errorf("namespace %s: %v, want %v", namespace, err, want)
		}
	}
}
