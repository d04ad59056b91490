// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"

	"goldsmith.dev/goldsmith/e2e/require"
)

// BenchmarkPush pushes a file beside the plain client of the same library, to a registry that keeps nothing. The metric MiB/peak is
// how much the heap grew at most, with that of the registry.
func BenchmarkPush(b *testing.B) {
	const size = 256 << 20
	path := filepath.Join(b.TempDir(), "disk")
	file := require.Value(os.Create(path))(b)
	hash := sha256.New()
	_, err := io.CopyN(io.MultiWriter(file, hash), rand.NewChaCha8([32]byte{}), size)
	require.NoError(b, err)
	require.NoError(b, file.Close())
	content := Content{Digest: digest.NewDigest(digest.SHA256, hash).String(), SizeBytes: size, Open: func() (File, error) { return os.Open(path) }}
	server := httptest.NewServer(http.HandlerFunc(sink))
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://") + "/web"

	for name, push := range map[string]func(ctx context.Context, progress func(int64)) error{
		"ours": func(ctx context.Context, progress func(int64)) error {
			artifact := Artifact{Target: "linux/amd64/raw", Platform: "linux/amd64", MediaType: "application/vnd.example", Content: content}
			_, err := Push(ctx, repository, []Artifact{artifact}, Options{Progress: progress})
			return err
		},
		"plain": func(ctx context.Context, progress func(int64)) error {
			client := require.Value(remote.NewRepository(repository))(b)
			client.PlainHTTP = true
			file := require.Value(os.Open(path))(b)
			defer func() { _ = file.Close() }() // only read from
			expected := ociv1.Descriptor{MediaType: "application/vnd.example", Digest: digest.Digest(content.Digest), Size: size}
			return client.Blobs().Push(ctx, expected, &reporting{Reader: file, progress: progress})
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			var peak uint64
			for b.Loop() {
				m := &meter{}
				m.sample(0)
				idle := m.peak
				require.NoError(b, push(b.Context(), m.sample))
				peak = max(peak, m.peak-idle)
			}
			b.ReportMetric(float64(peak)/(1<<20), "MiB/peak")
		})
	}
}

// meter measures the heap each 8 MiB.
type meter struct {
	next int64
	peak uint64
}

func (m *meter) sample(bytes int64) {
	if bytes < m.next {
		return
	}
	m.next = bytes + 8<<20
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	m.peak = max(m.peak, stats.HeapInuse+stats.StackInuse)
}

type reporting struct {
	io.Reader
	read     int64
	progress func(int64)
}

func (r *reporting) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.read += int64(n)
	r.progress(r.read)
	return n, err
}

// sink is a registry that has nothing, and takes everything.
func sink(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // the client notices
	switch r.Method {
	case http.MethodPost, http.MethodPatch:
		w.Header().Set("Location", "/v2/web/blobs/uploads/1")
		w.WriteHeader(http.StatusAccepted)
	case http.MethodPut:
		w.WriteHeader(http.StatusCreated)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}
