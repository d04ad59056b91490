// SPDX-License-Identifier: Apache-2.0

// Package oci makes images for containers as OCI image layouts, and reads what it has made. It knows no distribution. The same input makes the
// same bytes.
package oci

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// blob is a file of an OCI image layout.
type blob struct {
	ociv1.Descriptor
	content []byte // nil: it is in the file
	file    string
}

// Image is an image of a root file system for linux.
type Image struct {
	// RootFS is a tar of the root file system.
	RootFS string
	// Architecture is that of GOARCH, and Cmd the command that a container runs by default.
	Architecture string
	Cmd          []string
	// Time is the time of the image.
	Time time.Time
	// Work is a directory for a file that is needed only meanwhile.
	Work string
}

// Write makes the tar of an OCI image layout, whose only image has the root file system as its only layer.
func (i *Image) Write(path string) error {
	layer, content, err := i.layer()
	if err != nil {
		return fmt.Errorf("make the layer: %w", err)
	}
	config, err := jsonBlob(ociv1.MediaTypeImageConfig, ociv1.Image{
		Created: &i.Time, Platform: ociv1.Platform{OS: "linux", Architecture: i.Architecture},
		Config: ociv1.ImageConfig{Cmd: i.Cmd},
		RootFS: ociv1.RootFS{Type: "layers", DiffIDs: []digest.Digest{content}},
	})
	if err != nil {
		return err
	}
	manifest, err := jsonBlob(ociv1.MediaTypeImageManifest, ociv1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageManifest,
		Config: config.Descriptor, Layers: []ociv1.Descriptor{layer.Descriptor},
	})
	if err != nil {
		return err
	}
	index, err := jsonBlob(ociv1.MediaTypeImageIndex, ociv1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageIndex, Manifests: []ociv1.Descriptor{manifest.Descriptor},
	})
	if err != nil {
		return err
	}
	version, err := jsonBlob("", ociv1.ImageLayout{Version: ociv1.ImageLayoutVersion})
	if err != nil {
		return err
	}
	if err := writeLayout(path, version, index, config, manifest, layer); err != nil {
		return fmt.Errorf("write the image layout: %w", err)
	}
	return nil
}

// layer compresses the root file system, and returns the layer with the digest of its content.
func (i *Image) layer() (layer blob, content digest.Digest, err error) {
	layer.file = filepath.Join(i.Work, "layer")
	from, err := os.Open(i.RootFS)
	if err != nil {
		return layer, "", err
	}
	defer func() { _ = from.Close() }() // only read from
	to, err := os.Create(layer.file)
	if err != nil {
		return layer, "", err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	plain, compressed := sha256.New(), sha256.New()
	encoder, err := zstd.NewWriter(io.MultiWriter(to, compressed))
	if err != nil {
		return layer, "", err
	}
	_, err = io.Copy(io.MultiWriter(encoder, plain), from)
	if err := errors.Join(err, encoder.Close()); err != nil {
		return layer, "", err
	}
	info, err := to.Stat()
	if err != nil {
		return layer, "", err
	}
	layer.Descriptor = ociv1.Descriptor{MediaType: ociv1.MediaTypeImageLayerZstd, Digest: digest.NewDigest(digest.SHA256, compressed), Size: info.Size()}
	return layer, digest.NewDigest(digest.SHA256, plain), nil
}

// jsonBlob returns a document of the layout.
func jsonBlob(mediaType string, document any) (blob, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return blob{}, fmt.Errorf("write %s: %w", mediaType, err)
	}
	return blob{Descriptor: ociv1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(text), Size: int64(len(text))}, content: text}, nil
}

// writeLayout writes the tar of a layout, without times and owners.
func writeLayout(path string, version, index blob, blobs ...blob) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	archive := tar.NewWriter(file)
	if err := errors.Join(addBlob(archive, ociv1.ImageLayoutFile, version), addBlob(archive, ociv1.ImageIndexFile, index)); err != nil {
		return err
	}
	for _, blob := range blobs {
		if err := addBlob(archive, "blobs/sha256/"+blob.Digest.Encoded(), blob); err != nil {
			return err
		}
	}
	return archive.Close()
}

func addBlob(archive *tar.Writer, name string, blob blob) error {
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: blob.Size, Format: tar.FormatPAX}); err != nil {
		return err
	}
	if blob.content != nil {
		_, err := archive.Write(blob.content)
		return err
	}
	file, err := os.Open(blob.file)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read from
	_, err = io.Copy(archive, file)
	return err
}
