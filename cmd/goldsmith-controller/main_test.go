// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestMain lets the test binary stand in for the goldsmith executable, from which a server starts its children.
func TestMain(m *testing.M) {
	if code, ok := up.RunChild(os.Args); ok {
		os.Exit(code)
	}
	if _, err := newProcessLogger(io.Discard, 0); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// kubeconfig returns a kubeconfig whose server does not run.
func kubeconfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	content := `
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: a, context: {cluster: a}}]
current-context: a
`
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}
