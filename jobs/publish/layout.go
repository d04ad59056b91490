// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"

	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/result"
)

// layoutContent is what is published of an OCI image layout in a tar.
type layoutContent struct {
	root      manifest
	manifests []manifest // the root is one of them
	blobs     []transport.Content
	close     func() error
}

// openLayout opens the layout of an artifact, and returns nil if the artifact is published as a file. It fails with an *ocilayout.InvalidError if
// the media type of the artifact tells of a layout, and there is none that can be published.
func (p *pusher) openLayout(ctx context.Context, artifact *Artifact) (*layoutContent, error) {
	told := result.IsLayout(artifact.MediaType)
	if !told && artifact.MediaType != result.MediaType(v1alpha1.ArtifactFormatOCI) {
		return nil, nil
	}
	file, err := artifact.Open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", contents.Abbreviate(artifact.Digest), err)
	}
	content, err := readLayout(ctx, file, artifact)
	if err == nil {
		content.close = file.Close
		return content, nil
	}
	err = errors.Join(err, file.Close())
	if fault, ok := errors.AsType[*ocilayout.InvalidError](err); ok && !told && fault.NoLayout {
		p.log("%s is published as a file, because it is not the tar of an OCI image layout: %v", artifact.Target, fault)
		return nil, nil
	}
	return nil, fmt.Errorf("read the OCI image layout of %s: %w", artifact.Target, err)
}

func readLayout(ctx context.Context, file transport.File, artifact *Artifact) (*layoutContent, error) {
	layout, err := ocilayout.Open(ctx, file, artifact.SizeBytes)
	if err != nil {
		return nil, err
	}
	found, err := layout.Content(artifact.Platform)
	if err != nil {
		return nil, err
	}
	content := &layoutContent{root: manifest{found.Root.Descriptor, found.Root.Raw}}
	for _, document := range found.Documents {
		content.manifests = append(content.manifests, manifest{document.Descriptor, document.Raw})
	}
	for _, blob := range found.Blobs {
		content.blobs = append(content.blobs, transport.Content{
			Digest: blob.Digest.String(), SizeBytes: blob.Size,
			Open: func() (transport.File, error) { return section{layout.Blob(blob)}, nil },
		})
	}
	return content, nil
}

// pushLayout pushes what is published of a layout.
func (p *pusher) pushLayout(ctx context.Context, target string, content *layoutContent) (manifest, error) {
	for _, blob := range content.blobs {
		if err := p.PushBlob(ctx, "push image of "+target, blob); err != nil {
			return manifest{}, err
		}
	}
	for _, m := range content.manifests {
		if err := p.PushManifest(ctx, "push manifest of "+target, m.Descriptor, m.content); err != nil {
			return manifest{}, err
		}
	}
	return content.root, nil
}

// entriesOf returns the entries of an index for the artifact of a manifest: those of its own index, because clients do not look for images in an
// index of an index.
func entriesOf(m manifest, artifact *Artifact) ([]ociv1.Descriptor, error) {
	entries := []ociv1.Descriptor{m.Descriptor}
	if ocilayout.IsIndex(m.MediaType) {
		var index ociv1.Index
		if err := json.Unmarshal(m.content, &index); err != nil {
			return nil, fmt.Errorf("read the index of %s: %w", artifact.Target, err)
		}
		entries = index.Manifests
	}
	for i := range entries {
		entry := &entries[i]
		if entry.Platform == nil {
			entry.Platform = artifact.ociPlatform()
		}
		entry.Annotations = maps.Clone(entry.Annotations)
		if entry.Annotations == nil {
			entry.Annotations = map[string]string{}
		}
		entry.Annotations[AnnotationTarget] = artifact.Target
	}
	return entries, nil
}

// section is a file in a tar.
type section struct{ *io.SectionReader }

// Close leaves the tar open.
func (section) Close() error { return nil }
