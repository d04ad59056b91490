// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
)

// memory is a file in memory.
type memory struct{ *bytes.Reader }

// Close has nothing to close.
func (memory) Close() error { return nil }

func contentOf(raw []byte) Content {
	return Content{
		Digest: digest.FromBytes(raw).String(), SizeBytes: int64(len(raw)),
		Open: func() (File, error) { return memory{bytes.NewReader(raw)}, nil },
	}
}

func randomContent(size int) Content { return contentOf(randomBytes(size)) }

func randomBytes(size int) []byte {
	random := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(random)
	return random
}

// manifestFor returns the manifest of a content.
func manifestFor(content Content) (of ociv1.Descriptor, raw []byte) {
	layer := ociv1.Descriptor{MediaType: "application/vnd.example.disk", Digest: digest.Digest(content.Digest), Size: content.SizeBytes}
	raw, _ = json.Marshal(ociv1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageManifest, Config: layer, Layers: []ociv1.Descriptor{layer},
	})
	return ociv1.Descriptor{MediaType: ociv1.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw))}, raw
}

// pushIn pushes contents, each with a manifest, and the tag v1 of the last manifest, with requests of at most 64 KiB, and of at least 1 KiB.
func pushIn(t *testing.T, r *registrytest.Registry, o Options, contents ...Content) (*registrytest.Clock, error) {
	t.Helper()
	skipping := registrytest.NewClock()
	return skipping, pushAt(t.Context(), skipping, r.Host()+"/team/web", o, contents...)
}

func pushAt(ctx context.Context, skipping *registrytest.Clock, repository string, o Options, contents ...Content) error {
	o.Clock = skipping
	p, err := NewPusher(repository, o)
	if err != nil {
		return err
	}
	defer p.Close()
	p.guard.clock = skipping
	p.largest, p.smallest = 64<<10, 1<<10
	var of ociv1.Descriptor
	var raw []byte
	for _, content := range contents {
		if err := p.PushBlob(ctx, "push content", content); err != nil {
			return err
		}
		of, raw = manifestFor(content)
		if err := p.PushManifest(ctx, "push manifest", of, raw); err != nil {
			return err
		}
	}
	return p.PushTag(ctx, "v1", of, raw)
}

// pulled returns the content that the tag v1 names.
func pulled(t *testing.T, r *registrytest.Registry) string {
	t.Helper()
	var manifest ociv1.Manifest
	_, content := r.Get("/team/web/manifests/v1")
	require.NoError(t, json.Unmarshal(content, &manifest))
	_, content = r.Get("/team/web/blobs/" + manifest.Layers[0].Digest.String())
	return string(content)
}
