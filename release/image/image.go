// SPDX-License-Identifier: Apache-2.0

// Package image writes container images as OCI image layouts (https://github.com/opencontainers/image-spec), without a registry or a daemon.
package image

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"goldsmith.dev/goldsmith/release/program"
	"goldsmith.dev/goldsmith/release/source"
	archive "goldsmith.dev/goldsmith/release/tarball"
)

// user is the user and the group of the programs.
const user = "65532:65532"

// Image is a container image that runs one program.
type Image struct {
	// Name is that of the program and of the repository.
	Name string
	// Environment are variables, as NAME=VALUE.
	Environment []string
	// Platforms are the contents for each platform.
	Platforms []Contents
}

// Contents are what an image has for a platform.
type Contents struct {
	Platform program.Platform
	// Program is the path of the program, which is at /NAME in the image.
	Program string
	// Root is a directory with further files, which a layer of its own has. Optional.
	Root string
}

// Build returns the index of an image, with its name and version in the labels. The time of everything is that of the commit, except for the
// files of Root, which have time 0.
func Build(from *source.Source, image *Image) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, contents := range image.Platforms {
		built, err := build(from, image, &contents)
		if err != nil {
			return nil, fmt.Errorf("image %s for %s: %w", image.Name, contents.Platform, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: built, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: contents.Platform.OS, Architecture: contents.Platform.Architecture},
		}})
	}
	return index, nil
}

func build(from *source.Source, image *Image, contents *Contents) (v1.Image, error) {
	var layers []v1.Layer
	if contents.Root != "" {
		layer, err := newLayer(func(out io.Writer) error { return archive.WriteDirectory(out, contents.Root, time.Unix(0, 0)) })
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	layer, err := newLayer(func(out io.Writer) error {
		return archive.Write(out, []archive.File{{Name: image.Name, Mode: 0o755, Path: contents.Program}}, from.Time)
	})
	if err != nil {
		return nil, err
	}
	built, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), append(layers, layer)...)
	if err != nil {
		return nil, err
	}
	file, err := built.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = contents.Platform.OS, contents.Platform.Architecture, v1.Time{Time: from.Time}
	file.Config = v1.Config{
		User: user, Entrypoint: []string{"/" + image.Name}, Env: image.Environment,
		Labels: map[string]string{
			"org.opencontainers.image.title": "Goldsmith", "org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.version": from.Version, "org.opencontainers.image.revision": from.Commit,
		},
	}
	for i := range file.History {
		file.History[i].Created = v1.Time{Time: from.Time}
	}
	return mutate.ConfigFile(built, file)
}

// newLayer returns a compressed layer with the tar file that write writes.
func newLayer(write func(io.Writer) error) (v1.Layer, error) {
	var content bytes.Buffer
	if err := write(&content); err != nil {
		return nil, err
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil }
	return tarball.LayerFromOpener(opener, tarball.WithMediaType(types.OCILayer))
}

// WriteLayout writes an OCI image layout, as a tar file, whose only entry is a v1.ImageIndex or a v1.Image. reference names it for containerd, and tag
// for other programs. scratch is a directory for temporary files.
func WriteLayout(out io.Writer, scratch string, entry mutate.Appendable, reference, tag string, at time.Time) error {
	directory, err := os.MkdirTemp(scratch, "layout-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(directory) }() // it is below scratch, which the caller removes
	written, err := layout.Write(directory, empty.Index)
	if err == nil {
		names := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": reference})
		switch entry := entry.(type) {
		case v1.ImageIndex:
			err = written.AppendIndex(entry, names)
		case v1.Image:
			err = written.AppendImage(entry, names)
		}
	}
	if err != nil {
		return fmt.Errorf("write the image layout: %w", err)
	}
	var files []archive.File
	err = filepath.WalkDir(directory, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(directory, name)
		files = append(files, archive.File{Name: path.Clean(filepath.ToSlash(relative)), Mode: 0o644, Path: name})
		return err
	})
	if err != nil {
		return fmt.Errorf("read the image layout: %w", err)
	}
	return archive.Write(out, files, at)
}
