// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

// manifest is a manifest or an index, with its descriptor.
type manifest struct {
	ociv1.Descriptor
	content []byte
}

// referrer returns a manifest that has a subject.
func (m manifest) referrer() transport.Referrer {
	return transport.Referrer{Descriptor: m.Descriptor, Raw: m.content}
}

// plain returns the descriptor that refers to a manifest as a subject.
func (m manifest) plain() ociv1.Descriptor {
	return ociv1.Descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: m.Size}
}

func newManifest(mediaType, artifactType string, value any) (manifest, error) {
	content, err := json.Marshal(value) // keys of maps are sorted
	if err != nil {
		return manifest{}, fmt.Errorf("write a manifest of type %s: %w", mediaType, err)
	}
	return manifest{ociv1.Descriptor{
		MediaType: mediaType, ArtifactType: artifactType, Digest: digest.FromBytes(content), Size: int64(len(content)),
	}, content}, nil
}

// newArtifactManifest returns the manifest of one content, as of an artifact or a document.
func newArtifactManifest(kind string, layer ociv1.Descriptor, annotations map[string]string, subject *ociv1.Descriptor) (manifest, error) {
	return newManifest(ociv1.MediaTypeImageManifest, kind, ociv1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageManifest, ArtifactType: kind,
		Config: emptyConfig(), Layers: []ociv1.Descriptor{layer}, Subject: subject, Annotations: annotations,
	})
}

func emptyConfig() ociv1.Descriptor {
	config := ociv1.DescriptorEmptyJSON
	config.Data = nil // a registry may reject what it does not know
	return config
}

func layerOf(content transport.Content, mediaType string) ociv1.Descriptor {
	return ociv1.Descriptor{MediaType: mediaType, Digest: digest.Digest(content.Digest), Size: content.SizeBytes}
}

// ociPlatform returns the platform of an entry of an index. The nodes that pull a containerDisk run Linux, whatever the disk has.
func (a *Artifact) ociPlatform() *ociv1.Platform {
	platform := parsePlatform(a.Platform)
	if platform != nil && a.ContainerDisk {
		platform.OS = "linux"
	}
	return platform
}

// parsePlatform returns the platform of an entry of an index; nil for an unknown platform.
func parsePlatform(platform string) *ociv1.Platform {
	parts := strings.SplitN(platform, "/", 3)
	if len(parts) < 2 {
		return nil
	}
	parsed := &ociv1.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		parsed.Variant = parts[2]
	}
	return parsed
}

// pushArtifact pushes the blobs and the manifest of an artifact.
func (p *pusher) pushArtifact(ctx context.Context, artifact *Artifact) (manifest, error) {
	if artifact.ContainerDisk {
		return p.pushContainerDisk(ctx, artifact)
	}
	switch content, err := p.openLayout(ctx, artifact); {
	case err != nil:
		return manifest{}, err
	case content != nil:
		defer func() { _ = content.close() }() // only read from
		return p.pushLayout(ctx, artifact.Target, content)
	}
	pushed, err := manifestOfFile(artifact)
	if err != nil {
		return manifest{}, err
	}
	if err := p.PushBlob(ctx, "push content of "+artifact.Target, artifact.Content); err != nil {
		return manifest{}, err
	}
	if err := p.pushEmptyConfig(ctx); err != nil {
		return manifest{}, err
	}
	return pushed, p.PushManifest(ctx, "push manifest of "+artifact.Target, pushed.Descriptor, pushed.content)
}

// manifestOf returns the manifest of an artifact, without a registry.
func (p *pusher) manifestOf(ctx context.Context, artifact *Artifact) (manifest, error) {
	content, err := p.openLayout(ctx, artifact)
	if err != nil {
		return manifest{}, err
	}
	if content == nil {
		return manifestOfFile(artifact)
	}
	return content.root, content.close()
}

// manifestOfFile returns the manifest of an artifact that is published as a file.
func manifestOfFile(artifact *Artifact) (manifest, error) {
	layer := layerOf(artifact.Content, artifact.MediaType)
	layer.Annotations = map[string]string{ociv1.AnnotationTitle: fileTitle(artifact.Target)}
	return newArtifactManifest(artifact.MediaType, layer, artifact.Annotations, nil)
}

// fileTitle returns the name of the file in which clients store the artifact of a target: its platform and format, such as
// linux-amd64.raw. It is not the name of the builder's file, which the status of a build does not have, so that the manifest has one digest,
// whoever pushes the artifact.
func fileTitle(target string) string {
	return strings.TrimPrefix((&v1alpha1.Artifact{Target: target}).FileName(""), "-")
}

func (p *pusher) pushEmptyConfig(ctx context.Context) error {
	empty := ociv1.DescriptorEmptyJSON
	return p.PushBlob(ctx, "push empty configuration", inMemory(empty.Data))
}

// inMemory returns a content that is in memory.
func inMemory(raw []byte) transport.Content {
	return transport.Content{
		Digest: contents.Digest(raw), SizeBytes: int64(len(raw)),
		Open: func() (transport.File, error) { return memory{bytes.NewReader(raw)}, nil },
	}
}

// memory is a file in memory.
type memory struct{ *bytes.Reader }

// Close has nothing to close.
func (memory) Close() error { return nil }

// pushReferrer pushes a document as a referrer of a manifest.
func (p *pusher) pushReferrer(ctx context.Context, document *Document, subject manifest) (manifest, error) {
	about := subject.plain()
	referrer, err := newArtifactManifest(document.MediaType, layerOf(document.Content, document.MediaType), document.Annotations, &about)
	if err != nil {
		return manifest{}, err
	}
	operation := "push document " + document.MediaType
	if err := p.PushBlob(ctx, operation, document.Content); err != nil {
		return manifest{}, err
	}
	if err := p.pushEmptyConfig(ctx); err != nil {
		return manifest{}, err
	}
	return referrer, p.PushReferrer(ctx, operation, referrer.Descriptor, referrer.content)
}
