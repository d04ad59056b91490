// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/debian/mirror"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestEveryDebianCommandOfTheDocsWorks runs the blocks of the docs that build and fetch Debian images, with one server. It needs the programs that
// the README names.
func TestEveryDebianCommandOfTheDocsWorks(t *testing.T) {
	r := newReader(t)
	cache := require.Value(os.UserCacheDir())(t)
	// The tools of the builder are those of the user: making them takes half a minute.
	r.environment = append(r.environment, "XDG_CACHE_HOME="+cache, "http_proxy="+startMirror(t))
	keys := filepath.Join(r.directory, ".ssh")
	require.NoError(t, os.Mkdir(keys, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(keys, "id_ed25519.pub"), []byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA reader@example.com\n"), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), deadline.Docs.Deadline()+2*deadline.DebianBuild.Deadline())
	defer cancel()
	defer r.stopServer(t)
	r.startServer(ctx, t, "goldsmith up")
	for _, page := range pages(t) {
		for _, block := range blocksOf(t, page) {
			if block.language != debianLanguage {
				continue
			}
			ok := t.Run(fmt.Sprintf("%s:%d", filepath.Base(page), block.line), func(t *testing.T) {
				r.compare(t, block, r.run(ctx, t, block.script(), ""))
			})
			if !ok {
				return // later blocks build on this block
			}
		}
	}
}

// startMirror serves the packages that the specs of the builder debian keep, until the test ends. It returns the URL for http_proxy.
func startMirror(t *testing.T) string {
	t.Helper()
	url, stop, err := mirror.Start(filepath.Join(repository, "examples", "debian", "apt-cacher-ng"), "127.0.0.1", t.Output())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	return url
}
