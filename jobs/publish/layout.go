// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	// These limit what is read into memory of a tar, which can be of any size.
	layoutEntries = 10_000
	layoutName    = 256
	layoutJSON    = 4 << 20
)

// layoutImage is the only image of an OCI image layout in a tar.
type layoutImage struct {
	manifest manifest
	blobs    []Content // the layers and the configuration
	close    func() error
}

// layoutEntry is where a file of a tar is.
type layoutEntry struct{ offset, size int64 }

// layout is a tar with the places of its files.
type layout struct {
	file    File
	entries map[string]layoutEntry
}

// openLayout opens the image of a layout. It returns nil if the content is no layout, or has not exactly one image with all of its
// blobs.
func openLayout(content Content) (*layoutImage, error) {
	file, err := content.Open()
	if err != nil {
		return nil, &contentError{fmt.Errorf("open %s: %w", short(content.Digest), err)}
	}
	l := layout{file, map[string]layoutEntry{}}
	image, err := l.image(content.SizeBytes)
	if image == nil || err != nil {
		return nil, errors.Join(err, file.Close())
	}
	image.close = file.Close
	return image, nil
}

func (l *layout) image(size int64) (*layoutImage, error) {
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
	entry := index.Manifests[0]
	if entry.MediaType != ociv1.MediaTypeImageManifest || !valid(entry.Digest) {
		return nil, nil
	}
	var parsed ociv1.Manifest
	raw, ok, err := l.readJSON(blobName(entry.Digest), &parsed)
	if !ok || err != nil || digest.FromBytes(raw) != entry.Digest {
		return nil, err
	}
	image := &layoutImage{manifest: manifest{ociv1.Descriptor{MediaType: entry.MediaType, Digest: entry.Digest, Size: int64(len(raw))}, raw}}
	seen := map[digest.Digest]bool{}
	for _, blob := range append(parsed.Layers, parsed.Config) {
		if !valid(blob.Digest) {
			return nil, nil
		}
		place, ok := l.entries[blobName(blob.Digest)]
		if !ok || place.size != blob.Size {
			return nil, nil
		}
		if seen[blob.Digest] {
			continue
		}
		seen[blob.Digest] = true
		image.blobs = append(image.blobs, Content{
			Digest: blob.Digest.String(), SizeBytes: blob.Size,
			Open: func() (File, error) { return section{io.NewSectionReader(l.file, place.offset, place.size)}, nil },
		})
	}
	return image, nil
}

func valid(d digest.Digest) bool { return d.Validate() == nil }

func blobName(d digest.Digest) string {
	return path.Join(ociv1.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// section is a file in a tar.
type section struct{ *io.SectionReader }

// Close leaves the tar open.
func (section) Close() error { return nil }

// scan finds the files of the tar that a layout can have. It returns false for a content that is no tar, or has too many entries.
func (l *layout) scan(size int64) (bool, error) {
	source := io.NewSectionReader(l.file, 0, size)
	reader := tar.NewReader(source)
	for range layoutEntries {
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
		if header.Typeflag != tar.TypeReg || !known || len(name) > layoutName {
			continue
		}
		offset, err := source.Seek(0, io.SeekCurrent) // the reader has read the header, and nothing of the file
		if err != nil {
			return false, err
		}
		l.entries[name] = layoutEntry{offset, header.Size}
	}
	return false, nil
}

// readJSON reads a file of the tar. It returns false if the file does not exist, or is no JSON of this type.
func (l *layout) readJSON(name string, into any) ([]byte, bool, error) {
	place, ok := l.entries[name]
	if !ok || place.size > layoutJSON {
		return nil, false, nil
	}
	raw := make([]byte, place.size)
	if _, err := l.file.ReadAt(raw, place.offset); err != nil {
		return nil, false, fmt.Errorf("read %s: %w", name, err)
	}
	return raw, json.Unmarshal(raw, into) == nil, nil
}
