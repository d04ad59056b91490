// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

const benchmarkBytes = 256 << 20

// BenchmarkPush pushes a file beside the plain client of the same library, to a registry that keeps nothing. The metric MiB/peak is
// how much the heap grew at most, with that of the registry.
func BenchmarkPush(b *testing.B) {
	r := newSink(b)
	benchmark(b, "ours", func(progress func(int64)) error {
		artifact := Artifact{Target: "linux/amd64/raw", Platform: "linux/amd64", MediaType: "application/vnd.example", Content: r.content}
		_, err := Push(b.Context(), r.repository, []Artifact{artifact}, transport.Options{Progress: progress})
		return err
	})
	benchmark(b, "plain", func(progress func(int64)) error {
		file := require.Value(r.content.Open())(b)
		defer func() { _ = file.Close() }() // only read from
		return r.plain(b).Blobs().Push(b.Context(), r.layer(), &reporting{Reader: file, progress: progress})
	})
}

// BenchmarkFetch fetches the file, beside the plain client of the same library.
func BenchmarkFetch(b *testing.B) {
	r := newSink(b)
	benchmark(b, "ours", func(progress func(int64)) error {
		fetched, err := Fetch(b.Context(), r.repository+"@"+r.manifest.Digest.String(), r.content.Digest, 0, transport.Options{})
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, &reporting{Reader: fetched, progress: progress})
		return errors.Join(err, fetched.Close())
	})
	benchmark(b, "plain", func(progress func(int64)) error {
		fetched, err := r.plain(b).Blobs().Fetch(b.Context(), r.layer())
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, &reporting{Reader: fetched, progress: progress})
		return errors.Join(err, fetched.Close())
	})
}

func benchmark(b *testing.B, name string, move func(progress func(int64)) error) {
	b.Run(name, func(b *testing.B) {
		b.SetBytes(benchmarkBytes)
		var peak uint64
		for b.Loop() {
			m := &meter{}
			m.sample(0)
			idle := m.peak
			require.NoError(b, move(m.sample))
			peak = max(peak, m.peak-idle)
		}
		b.ReportMetric(float64(peak)/(1<<20), "MiB/peak")
	})
}

// sink is a registry that has one artifact for those who fetch, and nothing for those who push. It takes everything.
type sink struct {
	repository string
	content    transport.Content
	manifest   manifest
}

func newSink(b *testing.B) *sink {
	b.Helper()
	path := filepath.Join(b.TempDir(), "disk")
	file := require.Value(os.Create(path))(b)
	hash := sha256.New()
	_, err := io.CopyN(io.MultiWriter(file, hash), rand.NewChaCha8([32]byte{}), benchmarkBytes)
	require.NoError(b, errors.Join(err, file.Close()))
	s := &sink{content: transport.Content{
		Digest: digest.NewDigest(digest.SHA256, hash).String(), SizeBytes: benchmarkBytes, Open: func() (transport.File, error) { return os.Open(path) },
	}}
	s.manifest = require.Value(newArtifactManifest("application/vnd.example", s.layer(), nil, nil))(b)
	server := httptest.NewServer(s)
	b.Cleanup(server.Close)
	s.repository = strings.TrimPrefix(server.URL, "http://") + "/web"
	return s
}

func (s *sink) layer() ociv1.Descriptor { return layerOf(s.content, "application/vnd.example") }

func (s *sink) plain(b *testing.B) *remote.Repository {
	client := require.Value(remote.NewRepository(s.repository))(b)
	client.PlainHTTP = true
	return client
}

// ServeHTTP answers a request.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // the client notices
	switch {
	case r.Method == http.MethodPost, r.Method == http.MethodPatch:
		w.Header().Set("Location", "/v2/web/blobs/uploads/1")
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPut:
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/"):
		w.Header().Set("Content-Type", s.manifest.MediaType)
		_, _ = w.Write(s.manifest.content)
	case r.Method == http.MethodGet:
		file, err := s.content.Open()
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer func() { _ = file.Close() }() // only read from
		w.Header().Set("Content-Length", strconv.FormatInt(benchmarkBytes, 10))
		_, _ = io.Copy(w, file)
	default:
		w.WriteHeader(http.StatusNotFound)
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
