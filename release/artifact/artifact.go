// SPDX-License-Identifier: Apache-2.0

// Package artifact makes OCI artifacts that are no container images: one file, with a type by which its readers know it
// (https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage).
package artifact

import (
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Artifact is one file, and what its readers want to know before they read it.
type Artifact struct {
	// ConfigType and ContentType are media types.
	ConfigType, ContentType types.MediaType
	// Config is JSON.
	Config []byte
	// Content is the file.
	Content []byte
	// Annotations are those of the manifest.
	Annotations map[string]string
}

// Image returns the artifact in the form in which it is written to layouts and registries.
func (a *Artifact) Image() (v1.Image, error) {
	config, content := static.NewLayer(a.Config, a.ConfigType), static.NewLayer(a.Content, a.ContentType)
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Annotations: a.Annotations}
	made := made{artifact: a, layers: map[v1.Hash]v1.Layer{}}
	for _, each := range []v1.Layer{config, content} {
		descriptor, err := partial.Descriptor(each)
		if err != nil {
			return nil, err
		}
		made.layers[descriptor.Digest] = each
		if each == config {
			manifest.Config = *descriptor
		} else {
			manifest.Layers = append(manifest.Layers, *descriptor)
		}
	}
	var err error
	if made.manifest, err = json.Marshal(manifest); err != nil {
		return nil, err
	}
	return partial.CompressedToImage(&made)
}

// made implements partial.CompressedImageCore.
type made struct {
	artifact *Artifact
	manifest []byte
	layers   map[v1.Hash]v1.Layer
}

// RawConfigFile returns what readers want to know before they read the file.
func (m *made) RawConfigFile() ([]byte, error) { return bytes.Clone(m.artifact.Config), nil }

// RawManifest returns the manifest.
func (m *made) RawManifest() ([]byte, error) { return bytes.Clone(m.manifest), nil }

// MediaType returns the type of the manifest.
func (*made) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// LayerByDigest returns the config or the file.
func (m *made) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	layer, ok := m.layers[digest]
	if !ok {
		return nil, fmt.Errorf("the artifact has no %s", digest)
	}
	return layer, nil
}
