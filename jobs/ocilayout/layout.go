// SPDX-License-Identifier: Apache-2.0

// Package ocilayout reads the image of an OCI image layout in a tar, as builders make it. It verifies the digest of the manifest, and leaves those of
// the blobs to its callers. It never reads more than a document into memory.
package ocilayout

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	// MaxDocument is the maximum size of a JSON document, in bytes.
	MaxDocument = 4 << 20
	// MaxFiles is the maximum number of files of a tar, which can be of any size.
	MaxFiles = 10_000

	maxName = 256
)

// Image is the only image of a layout.
type Image struct {
	// Descriptor is that of the manifest.
	Descriptor ociv1.Descriptor
	// Raw is the text of the manifest.
	Raw []byte
	// Manifest is Raw as an object. All of its blobs are in the tar.
	Manifest ociv1.Manifest

	layout layout
}

// Blob returns the content of a layer of the image, or of its configuration.
func (i *Image) Blob(of ociv1.Descriptor) *io.SectionReader {
	place := i.layout.entries[blobName(of.Digest)]
	return io.NewSectionReader(i.layout.file, place.offset, place.size)
}

// entry is where a file of a tar is.
type entry struct{ offset, size int64 }

// layout is a tar with the places of its files.
type layout struct {
	file    io.ReaderAt
	entries map[string]entry
}

// Open finds the image of a layout in a tar of a size. It returns nil if the content is no layout, or has not exactly one image with all of its
// blobs. The image reads the file.
func Open(file io.ReaderAt, size int64) (*Image, error) {
	l := layout{file, map[string]entry{}}
	if ok, err := l.scan(size); !ok || err != nil {
		return nil, err
	}
	var version ociv1.ImageLayout
	if _, ok, err := l.readJSON(ociv1.ImageLayoutFile, &version); !ok || err != nil || version.Version != ociv1.ImageLayoutVersion {
		return nil, err
	}
	var index ociv1.Index
	if _, ok, err := l.readJSON(ociv1.ImageIndexFile, &index); !ok || err != nil || len(index.Manifests) != 1 {
		return nil, err
	}
	only := index.Manifests[0]
	if only.MediaType != ociv1.MediaTypeImageManifest || !valid(only.Digest) {
		return nil, nil
	}
	image := &Image{layout: l}
	raw, ok, err := l.readJSON(blobName(only.Digest), &image.Manifest)
	if !ok || err != nil || digest.FromBytes(raw) != only.Digest {
		return nil, err
	}
	image.Descriptor, image.Raw = ociv1.Descriptor{MediaType: only.MediaType, Digest: only.Digest, Size: int64(len(raw))}, raw
	for _, blob := range image.Blobs() {
		if !valid(blob.Digest) {
			return nil, nil
		}
		if place, ok := l.entries[blobName(blob.Digest)]; !ok || place.size != blob.Size {
			return nil, nil
		}
	}
	return image, nil
}

// Blobs returns the layers and the configuration of the image. A blob can be there twice.
func (i *Image) Blobs() []ociv1.Descriptor {
	return append(slices.Clone(i.Manifest.Layers), i.Manifest.Config)
}

func valid(d digest.Digest) bool { return d.Validate() == nil }

func blobName(d digest.Digest) string {
	return path.Join(ociv1.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// scan finds the files of the tar that a layout can have. It returns false for a content that is no tar, or has too many entries.
func (l *layout) scan(size int64) (bool, error) {
	source := io.NewSectionReader(l.file, 0, size)
	reader := tar.NewReader(source)
	for range MaxFiles {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tar.ErrInsecurePath) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		name := path.Clean(header.Name)
		known := name == ociv1.ImageLayoutFile || name == ociv1.ImageIndexFile || strings.HasPrefix(name, ociv1.ImageBlobsDir+"/")
		if header.Typeflag != tar.TypeReg || !known || len(name) > maxName {
			continue
		}
		offset, err := source.Seek(0, io.SeekCurrent) // the reader has read the header, and nothing of the file
		if err != nil {
			return false, err
		}
		l.entries[name] = entry{offset, header.Size}
	}
	return false, nil
}

// readJSON reads a file of the tar. It returns false if the file does not exist, or is no JSON of this type.
func (l *layout) readJSON(name string, into any) ([]byte, bool, error) {
	place, ok := l.entries[name]
	if !ok || place.size > MaxDocument {
		return nil, false, nil
	}
	raw := make([]byte, place.size)
	if _, err := l.file.ReadAt(raw, place.offset); err != nil {
		return nil, false, fmt.Errorf("read %s: %w", name, err)
	}
	return raw, json.Unmarshal(raw, into) == nil, nil
}
