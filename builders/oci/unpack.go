// SPDX-License-Identifier: Apache-2.0

package oci

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/jobs/ocilayout"
)

// ErrForeign reports that a file is not an image layout as Write makes it.
var ErrForeign = errors.New("it must be an image layout with one layer, and a time")

// Unpack writes the only layer of the image for a platform in a layout as a tar, and returns the time of the image. The error is
// ErrForeign, an *ocilayout.InvalidError that tells why the layout is not usable, or that of a file.
func Unpack(ctx context.Context, from, platform, to string) (time.Time, error) {
	file, err := os.Open(from)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the image: %w", err)
	}
	defer func() { _ = file.Close() }() // only read from
	info, err := file.Stat()
	if err != nil {
		return time.Time{}, fmt.Errorf("read the image: %w", err)
	}
	image, err := openImage(ctx, file, info.Size(), platform)
	if fault, ok := errors.AsType[*ocilayout.InvalidError](err); ok && fault.NoLayout {
		return time.Time{}, ErrForeign
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the image: %w", err)
	}
	var config ociv1.Image
	if len(image.Manifest.Layers) != 1 || json.NewDecoder(image.Blob(image.Manifest.Config)).Decode(&config) != nil || config.Created == nil {
		return time.Time{}, ErrForeign
	}
	layer := image.Manifest.Layers[0]
	if err := decompress(image.Blob(layer), layer.MediaType, to); err != nil {
		return time.Time{}, fmt.Errorf("unpack the image: %w", err)
	}
	return config.Created.UTC(), nil
}

func openImage(ctx context.Context, file io.ReaderAt, size int64, platform string) (*ocilayout.Image, error) {
	layout, err := ocilayout.Open(ctx, file, size)
	if err != nil {
		return nil, err
	}
	return layout.Image(platform)
}

func decompress(content io.Reader, mediaType, to string) (err error) {
	switch {
	case strings.HasSuffix(mediaType, "+zstd"):
		decoder, err := zstd.NewReader(content)
		if err != nil {
			return err
		}
		defer decoder.Close()
		content = decoder
	case strings.HasSuffix(mediaType, "gzip"):
		if content, err = gzip.NewReader(content); err != nil {
			return err
		}
	}
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = io.Copy(file, content) //nolint:gosec // a builder has made the layer, and the disk of the build bounds it
	return err
}
