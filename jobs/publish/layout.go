// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"goldsmith.dev/goldsmith/jobs/ocilayout"
)

// layoutImage is the only image of an OCI image layout in a tar.
type layoutImage struct {
	manifest manifest
	blobs    []Content // the layers and the configuration
	close    func() error
}

// openLayout opens the image of a layout. It returns nil if the content is no layout, or has not exactly one image with all of its
// blobs.
func openLayout(content Content) (*layoutImage, error) {
	file, err := content.Open()
	if err != nil {
		return nil, &contentError{fmt.Errorf("open %s: %w", short(content.Digest), err)}
	}
	found, err := ocilayout.Open(file, content.SizeBytes)
	if found == nil || err != nil {
		return nil, errors.Join(err, file.Close())
	}
	image := &layoutImage{manifest: manifest{found.Descriptor, found.Raw}, close: file.Close}
	seen := map[digest.Digest]bool{}
	for _, blob := range found.Blobs() {
		if seen[blob.Digest] {
			continue
		}
		seen[blob.Digest] = true
		image.blobs = append(image.blobs, Content{
			Digest: blob.Digest.String(), SizeBytes: blob.Size,
			Open: func() (File, error) { return section{found.Blob(blob)}, nil },
		})
	}
	return image, nil
}

// section is a file in a tar.
type section struct{ *io.SectionReader }

// Close leaves the tar open.
func (section) Close() error { return nil }
