// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

// Annotations of the layer of a containerDisk, which tell where the disk is in it, so that the disk is fetched without the tar.
const (
	annotationDisk   = "dev.goldsmith.disk.digest"
	annotationOffset = "dev.goldsmith.disk.offset"
	annotationSize   = "dev.goldsmith.disk.size"
)

const (
	// diskOwner is the user and the group of QEMU in the pods of KubeVirt.
	diskOwner = 107
	// tarBlock is the size of which a tar has whole blocks. It ends with two blocks of zeros.
	tarBlock = 512
	// hashBytes is how much of a disk is in memory.
	hashBytes = 1 << 20
)

// containerDisk is an image for KubeVirt: one layer, a tar with a disk in /disk. The layer is not compressed, because disks in qcow2 are compressed
// already, and because any part of the disk can be read from it. All but the disk and its platform are the same in each image, so that a disk always
// has the same image.
type containerDisk struct {
	manifest
	layer, config transport.Content
}

// newContainerDisk reads a disk, and returns its image. The disk is not in memory.
func newContainerDisk(ctx context.Context, artifact *Artifact) (*containerDisk, error) {
	layer, offset, err := newDiskLayer(ctx, artifact.Content)
	if err != nil {
		return nil, fmt.Errorf("make a containerDisk of %s: %w", artifact.Target, err)
	}
	image := ociv1.Image{RootFS: ociv1.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.Digest(layer.Digest)}}}
	if platform := artifact.ociPlatform(); platform != nil {
		image.Platform = *platform
	}
	encoded, err := json.Marshal(image)
	if err != nil {
		return nil, fmt.Errorf("write the configuration of %s: %w", artifact.Target, err)
	}
	of := layerOf(layer, ociv1.MediaTypeImageLayer)
	of.Annotations = map[string]string{
		annotationDisk: artifact.Digest, annotationOffset: strconv.Itoa(offset), annotationSize: strconv.FormatInt(artifact.SizeBytes, 10),
	}
	disk := &containerDisk{layer: layer, config: inMemory(encoded)}
	disk.manifest, err = newManifest(ociv1.MediaTypeImageManifest, "", ociv1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageManifest,
		Config: layerOf(disk.config, ociv1.MediaTypeImageConfig), Layers: []ociv1.Descriptor{of}, Annotations: artifact.Annotations,
	})
	return disk, err
}

// newDiskLayer returns the tar with a disk, and the offset of the disk in it. It compares the disk with its digest.
func newDiskLayer(ctx context.Context, disk transport.Content) (layer transport.Content, offset int, err error) {
	head, tail, err := tarAround(disk.SizeBytes)
	if err != nil {
		return layer, 0, err
	}
	layer.SizeBytes = int64(len(head)) + disk.SizeBytes + int64(len(tail))
	layer.Open = func() (transport.File, error) {
		file, err := disk.Open()
		if err != nil {
			return nil, err
		}
		parts := joined{
			io.NewSectionReader(bytes.NewReader(head), 0, int64(len(head))),
			io.NewSectionReader(file, 0, disk.SizeBytes),
			io.NewSectionReader(bytes.NewReader(tail), 0, int64(len(tail))),
		}
		return wrapped{io.NewSectionReader(parts, 0, layer.SizeBytes), file}, nil
	}
	layer.Digest, err = digestOfLayer(ctx, disk, head, tail)
	return layer, len(head), err
}

// tarAround returns what comes before and after a disk in its tar.
func tarAround(sizeBytes int64) (head, tail []byte, err error) {
	var text bytes.Buffer
	writer := tar.NewWriter(&text) // not closed: it would wait for the disk
	err = errors.Join(
		writer.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "disk/", Mode: 0o555, Uid: diskOwner, Gid: diskOwner}),
		writer.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "disk/disk.qcow2", Mode: 0o440, Uid: diskOwner, Gid: diskOwner, Size: sizeBytes}),
	)
	return text.Bytes(), make([]byte, (tarBlock-sizeBytes%tarBlock)%tarBlock+2*tarBlock), err
}

// digestOfLayer returns the digest of a disk between two parts of a tar.
func digestOfLayer(ctx context.Context, disk transport.Content, head, tail []byte) (string, error) {
	file, err := disk.Open()
	if err != nil {
		return "", fmt.Errorf("open %s: %w", contents.Abbreviate(disk.Digest), err)
	}
	defer func() { _ = file.Close() }() // only read from
	size, whole, alone, buffer := int64(0), sha256.New(), sha256.New(), make([]byte, hashBytes)
	_, _ = whole.Write(head) // a hash never fails
	for from := io.NewSectionReader(file, 0, disk.SizeBytes); ; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := from.Read(buffer)
		size += int64(n)
		_, _ = whole.Write(buffer[:n])
		_, _ = alone.Write(buffer[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
	}
	if read := digest.NewDigest(digest.SHA256, alone).String(); read != disk.Digest || size != disk.SizeBytes {
		return "", fmt.Errorf("the disk has changed: it has %d bytes and the digest %s, and not %d and %s", size, contents.Abbreviate(read), disk.SizeBytes, contents.Abbreviate(disk.Digest))
	}
	_, _ = whole.Write(tail)
	return digest.NewDigest(digest.SHA256, whole).String(), nil
}

// joined reads parts one after the other.
type joined []*io.SectionReader

// ReadAt implements io.ReaderAt.
func (j joined) ReadAt(p []byte, at int64) (n int, err error) {
	for _, part := range j {
		if at >= part.Size() {
			at -= part.Size()
			continue
		}
		read := min(int64(len(p)-n), part.Size()-at)
		m, err := part.ReadAt(p[n:n+int(read)], at)
		n += m
		switch {
		case int64(m) < read && errors.Is(err, io.EOF):
			return n, io.ErrUnexpectedEOF // the file of the disk became shorter
		case int64(m) < read:
			return n, err
		case n == len(p):
			return n, nil
		}
		at = 0
	}
	return n, io.EOF
}

// wrapped is the file of a layer.
type wrapped struct {
	*io.SectionReader
	disk io.Closer
}

// Close closes the disk.
func (w wrapped) Close() error { return w.disk.Close() }

// pushContainerDisk pushes an artifact as a containerDisk.
func (p *pusher) pushContainerDisk(ctx context.Context, artifact *Artifact) (manifest, error) {
	disk, err := newContainerDisk(ctx, artifact)
	if err != nil {
		return manifest{}, err
	}
	for _, blob := range []transport.Content{disk.layer, disk.config} {
		if err := p.PushBlob(ctx, "push containerDisk of "+artifact.Target, blob); err != nil {
			return manifest{}, err
		}
	}
	return disk.manifest, p.PushManifest(ctx, "push manifest of "+artifact.Target, disk.Descriptor, disk.content)
}

// diskIn returns where a disk is in the layer of a containerDisk. ok is false if the manifest is that of something else.
func diskIn(read *ociv1.Manifest, contentDigest string) (part transport.Part, ok bool) {
	i := slices.IndexFunc(read.Layers, func(l ociv1.Descriptor) bool { return l.Annotations[annotationDisk] == contentDigest })
	if i < 0 {
		return part, false
	}
	layer := &read.Layers[i]
	offset, err := strconv.ParseInt(layer.Annotations[annotationOffset], 10, 64)
	size, sizeErr := strconv.ParseInt(layer.Annotations[annotationSize], 10, 64)
	if err != nil || sizeErr != nil || offset < 0 || size < 0 || size > layer.Size-offset {
		return part, false
	}
	return transport.Part{Blob: layer.Digest.String(), Offset: offset, Digest: contentDigest, SizeBytes: size}, true
}
