// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const reasonBase = "BaseNotUsable"

// Files of the plan with the root file system of the base: one of the first two, and for a disk the third.
const (
	baseTar    = "base.tar"
	baseDisk   = "base.raw"
	baseOffset = "offset"
)

// addBase puts the root file system of the base into the plan, and returns its time.
func (b *build) addBase(ctx context.Context, plan string) (time.Time, error) {
	artifact, err := chooseBase(&b.input.Base)
	if err != nil {
		return time.Time{}, err
	}
	b.logf("starting from %s", b.input.Base.Name(artifact))
	path := filepath.Join(b.getenv(render.EnvBase), artifact.Path)
	if result.IsLayout(artifact.MediaType) {
		return unpackLayout(ctx, path, filepath.Dir(artifact.Target), filepath.Join(plan, baseTar))
	}
	disk := filepath.Join(plan, baseDisk)
	if artifact.MediaType == result.MediaType(v1alpha1.ArtifactFormatQCOW2) {
		err = b.command(ctx, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, disk)
	} else {
		err = os.Symlink(path, disk)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(plan, baseOffset), []byte(strconv.Itoa(rootStart)), modeFile)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the disk of the base: %w", err)
	}
	return timeOfDisk(disk)
}

// chooseBase returns the artifact of the base with the root file system. That of the format oci has it as it was; a disk has to be taken apart.
func chooseBase(base *render.InputBase) (*render.InputArtifact, error) {
	is := func(mediaType string) func(string) bool { return func(its string) bool { return its == mediaType } }
	for _, usable := range []func(mediaType string) bool{
		result.IsLayout, is(result.MediaType(v1alpha1.ArtifactFormatRaw)), is(result.MediaType(v1alpha1.ArtifactFormatQCOW2)),
	} {
		for i := range base.Artifacts {
			if artifact := &base.Artifacts[i]; usable(artifact.MediaType) && artifact.Path != "" {
				return artifact, nil
			}
		}
	}
	return nil, fail(reasonBase, "base %s: build %s has no file of the root file system: add target linux/amd64/raw to image %[1]s", base.Image, base.Build)
}

// The superblock of the root file system on a disk of this builder (ext4, "Super Block" of the kernel's documentation).
const (
	superblock     = rootStart + 1024
	superblockSize = 0x10c
	magicAt        = 0x38
	madeAt         = 0x108 // time of creation, in seconds
	magic          = 0xef53
)

// timeOfDisk returns the time of a disk that this builder has made.
func timeOfDisk(path string) (time.Time, error) {
	file, err := os.Open(path)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the disk of the base: %w", err)
	}
	defer func() { _ = file.Close() }() // only read from
	block := make([]byte, superblockSize)
	if _, err := file.ReadAt(block, superblock); err != nil && !errors.Is(err, io.EOF) {
		return time.Time{}, fmt.Errorf("read the disk of the base: %w", err)
	}
	if binary.LittleEndian.Uint16(block[magicAt:]) != magic {
		return time.Time{}, fail(reasonBase, "the disk of the base is not one of the builder debian: it has no root file system at byte %d", rootStart)
	}
	return time.Unix(int64(binary.LittleEndian.Uint32(block[madeAt:])), 0).UTC(), nil
}

// unpackLayout writes the only layer of the image for a platform in a layout as a tar, and returns the time of the image.
func unpackLayout(ctx context.Context, from, platform, to string) (time.Time, error) {
	file, err := os.Open(from)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the image of the base: %w", err)
	}
	defer func() { _ = file.Close() }() // only read from
	info, err := file.Stat()
	if err != nil {
		return time.Time{}, fmt.Errorf("read the image of the base: %w", err)
	}
	image, err := openImage(ctx, file, info.Size(), platform)
	const notOurs = "the image of the base is not one of the builder debian: it must be an image layout with one layer, and a time"
	if fault, ok := errors.AsType[*ocilayout.InvalidError](err); ok && fault.NoLayout {
		return time.Time{}, fail(reasonBase, notOurs)
	} else if ok {
		return time.Time{}, fail(reasonBase, "the image of the base is not usable: %v", fault)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the image of the base: %w", err)
	}
	var config ociv1.Image
	if len(image.Manifest.Layers) != 1 || json.NewDecoder(image.Blob(image.Manifest.Config)).Decode(&config) != nil || config.Created == nil {
		return time.Time{}, fail(reasonBase, notOurs)
	}
	layer := image.Manifest.Layers[0]
	if err := decompress(image.Blob(layer), layer.MediaType, to); err != nil {
		return time.Time{}, fmt.Errorf("unpack the image of the base: %w", err)
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
	_, err = io.Copy(file, content) //nolint:gosec // this builder has made the layer, and the disk of the build bounds it
	return err
}
