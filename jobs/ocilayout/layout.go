// SPDX-License-Identifier: Apache-2.0

// Package ocilayout reads an OCI image layout in a tar, as builders and tools make it: with one image, or with an index of images, of attestations
// and of other indexes, with the media types of OCI or of Docker, and perhaps compressed with gzip or zstd. It verifies the digests of manifests and
// indexes, and leaves those of the blobs to its callers. It never reads more than some documents into memory.
package ocilayout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	// MaxDocument is the maximum size of a JSON document, in bytes, and maxDocuments that of all documents of a layout.
	MaxDocument  = 4 << 20
	maxDocuments = 32 << 20
	// MaxFiles is the maximum number of files of a tar, which can be of any size.
	MaxFiles = 10_000

	maxName = 256
	// maxDepth is the maximum number of indexes that are in each other.
	maxDepth = 8
)

// Media types of Docker, which registries and clients of OCI images know too.
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerIndex    = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
)

// IsIndex reports whether a media type is that of an index of manifests.
func IsIndex(mediaType string) bool {
	return mediaType == ociv1.MediaTypeImageIndex || mediaType == dockerIndex
}

// IsConfig reports whether a media type is that of the configuration of an image, and not of another artifact.
func IsConfig(mediaType string) bool {
	return mediaType == ociv1.MediaTypeImageConfig || mediaType == dockerConfig
}

// InvalidError reports that a content is no layout with a usable image. Repeating does not help.
type InvalidError struct {
	Problem string
	// NoLayout means that the content is something other than a layout.
	NoLayout bool
}

func (e *InvalidError) Error() string { return e.Problem }

func invalid(format string, args ...any) error {
	return &InvalidError{Problem: fmt.Sprintf(format, args...)}
}

// Document is a manifest or an index.
type Document struct {
	// Descriptor has the media type, the digest and the size of Raw.
	Descriptor ociv1.Descriptor
	// Raw is the text.
	Raw []byte
}

// Image is an image of a layout. All of its blobs are in the tar.
type Image struct {
	Document
	Manifest ociv1.Manifest
	layout   *Layout
}

// Blob returns the content of a layer of the image, or of its configuration.
func (i *Image) Blob(of ociv1.Descriptor) *io.SectionReader { return i.layout.Blob(of) }

// Layout is an OCI image layout in a tar.
type Layout struct {
	tar   *tarFile
	index Document
	nodes map[digest.Digest]*node
	read  int64 // bytes of documents
}

// node is a manifest or an index of the layout, with the faults of what it names.
type node struct {
	Document
	place    ociv1.Descriptor // as the index names it
	manifest ociv1.Manifest
	children []*node
	err      error
}

// Open reads the manifests of a layout in a tar of a size. The layout reads the file. The error is an *InvalidError if the content is no layout.
func Open(ctx context.Context, file io.ReaderAt, size int64) (*Layout, error) {
	files, err := openTar(ctx, file, size)
	if err != nil {
		return nil, err
	}
	l := &Layout{tar: files, nodes: map[digest.Digest]*node{}}
	var version ociv1.ImageLayout
	if files.open(ociv1.ImageLayoutFile) == nil {
		return nil, &InvalidError{"the tar has no file oci-layout at its root", true}
	}
	if _, err := l.readJSON(ociv1.ImageLayoutFile, &version); err != nil {
		return nil, err
	}
	if version.Version != ociv1.ImageLayoutVersion {
		return nil, invalid("the layout has version %.20q instead of %s", version.Version, ociv1.ImageLayoutVersion)
	}
	var index ociv1.Index
	raw, err := l.readJSON(ociv1.ImageIndexFile, &index)
	if err != nil {
		return nil, err
	}
	l.index = Document{ociv1.Descriptor{MediaType: ociv1.MediaTypeImageIndex, Digest: digest.FromBytes(raw), Size: int64(len(raw))}, raw}
	return l, l.add(&node{Document: l.index}, index, 0)
}

// Blob returns the content of a blob that the layout has.
func (l *Layout) Blob(of ociv1.Descriptor) *io.SectionReader { return l.tar.open(blobName(of.Digest)) }

func blobName(d digest.Digest) string {
	return path.Join(ociv1.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// add adds a node, with what its index names.
func (l *Layout) add(n *node, index ociv1.Index, depth int) error {
	l.nodes[n.Descriptor.Digest] = n
	for _, named := range index.Manifests {
		child, err := l.readNode(named, depth+1)
		if err != nil {
			return err
		}
		if n.err == nil {
			n.err = child.err
		}
		if !slices.Contains(n.children, child) {
			n.children = append(n.children, child)
		}
	}
	return nil
}

// readNode reads a manifest or an index that a descriptor names. The node has its faults; the error is one of reading.
func (l *Layout) readNode(named ociv1.Descriptor, depth int) (*node, error) {
	if n := l.nodes[named.Digest]; n != nil {
		return n, nil
	}
	n := &node{place: named, Document: Document{Descriptor: ociv1.Descriptor{MediaType: named.MediaType, Digest: named.Digest, Size: named.Size}}}
	if n.err = l.checkBlob(named, "manifest"); n.err == nil && depth > maxDepth {
		n.err = invalid("more than %d indexes are in each other", maxDepth)
	}
	index := IsIndex(named.MediaType)
	if n.err == nil && !index && named.MediaType != ociv1.MediaTypeImageManifest && named.MediaType != dockerManifest {
		n.err = invalid("%s has media type %.100q, which is neither that of an image nor that of an index", named.Digest, named.MediaType)
	}
	l.nodes[named.Digest] = n
	if n.err != nil {
		return n, nil //nolint:nilerr // a fault of the layout, which may not matter
	}
	var children ociv1.Index
	into := any(&n.manifest)
	if index {
		into = &children
	}
	raw, err := l.readJSON(blobName(named.Digest), into)
	if _, fault := errors.AsType[*InvalidError](err); fault {
		n.err = err
		return n, nil
	}
	if err != nil {
		return nil, err
	}
	if n.Raw = raw; digest.FromBytes(raw) != named.Digest {
		n.err = invalid("%s has another digest", named.Digest)
		return n, nil
	}
	for _, blob := range n.blobs() {
		if n.err = l.checkBlob(blob, "blob"); n.err != nil {
			return n, nil //nolint:nilerr // as above
		}
	}
	return n, l.add(n, children, depth)
}

// blobs returns the layers and the configuration of a manifest. A blob can be there twice.
func (n *node) blobs() []ociv1.Descriptor {
	if IsIndex(n.Descriptor.MediaType) {
		return nil
	}
	return append(slices.Clone(n.manifest.Layers), n.manifest.Config)
}

func (l *Layout) checkBlob(blob ociv1.Descriptor, what string) error {
	if err := blob.Digest.Validate(); err != nil {
		return invalid("the digest %.100q of a %s is not valid", blob.Digest, what)
	}
	switch place, ok := l.tar.entries[blobName(blob.Digest)]; {
	case !ok:
		return invalid("the tar has no %s %s", what, blob.Digest)
	case place.size != blob.Size:
		return invalid("the %s %s has %d bytes instead of %d", what, blob.Digest, place.size, blob.Size)
	}
	return nil
}

// readJSON reads a document of the tar.
func (l *Layout) readJSON(name string, into any) ([]byte, error) {
	file := l.tar.open(name)
	if file == nil {
		return nil, invalid("the tar has no file %s", name)
	}
	if l.read += file.Size(); file.Size() > MaxDocument || l.read > maxDocuments {
		return nil, invalid("%s has %d bytes, and the manifests of the layout have more than %d bytes, or %d in all", name, file.Size(), MaxDocument, maxDocuments)
	}
	raw, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return nil, invalid("%s is not valid: %v", name, err)
	}
	return raw, nil
}
