// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// BenchmarkTake stores and identifies files that are in the page cache and on the disk. x/plain is its duration relative to plain
// hashing of the same file.
func BenchmarkTake(b *testing.B) {
	const size = 512 << 20
	dir := b.TempDir()
	store := require.Value(Open(filepath.Join(dir, "store"), Options{}))(b)
	root := require.Value(os.OpenRoot(dir))(b)
	defer func() { _ = root.Close() }() // nothing was written
	path := filepath.Join(dir, "disk")
	var plain, taken time.Duration
	b.SetBytes(size)
	for round := uint64(0); b.Loop(); round++ {
		b.StopTimer()
		writeRandom(b, path, size, round)
		started := time.Now()
		hashPlainly(b, path)
		plain += time.Since(started)
		started = time.Now()
		b.StartTimer()
		file := store.Take(b.Context(), root, "disk")[0]
		require.NoError(b, file.Err)
		b.StopTimer()
		taken += time.Since(started)
		require.NoError(b, os.Remove(store.blob(file.Content.Digest)))
		b.StartTimer()
	}
	b.ReportMetric(float64(taken)/float64(plain), "x/plain")
}

func writeRandom(b *testing.B, path string, size int64, seed uint64) {
	b.Helper()
	file := require.Value(os.Create(path))(b)
	_, err := io.CopyN(file, rand.NewChaCha8([32]byte{byte(seed)}), size)
	require.NoError(b, errors.Join(err, file.Sync(), file.Close()))
}

func hashPlainly(b *testing.B, path string) {
	b.Helper()
	file := require.Value(os.Open(path))(b)
	_, err := io.Copy(sha256.New(), file)
	require.NoError(b, errors.Join(err, file.Close()))
}
