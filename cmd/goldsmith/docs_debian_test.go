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
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestEveryDebianCommandOfTheDocsWorks runs the blocks of the docs that build and fetch Debian images, with one server. It needs the programs that
// the README names, and a mirror of Debian, perhaps through http_proxy.
func TestEveryDebianCommandOfTheDocsWorks(t *testing.T) {
	r := newReader(t)
	// The tools of the builder are those of the user: making them takes half a minute.
	r.environment = append(r.environment, "XDG_CACHE_HOME="+require.Value(os.UserCacheDir())(t), "http_proxy="+os.Getenv("http_proxy"))
	ctx, cancel := context.WithTimeout(t.Context(), deadline.Docs.Deadline())
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
