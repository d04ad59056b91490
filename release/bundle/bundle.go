// SPDX-License-Identifier: Apache-2.0

// Package bundle writes the folder kustomize of a release, with the container images of the release in the overlay default. People
// unpack it and run kubectl apply -k, and Flux reads it as an OCI artifact.
package bundle

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/release/artifact"
	"goldsmith.dev/goldsmith/release/metadata"
	"goldsmith.dev/goldsmith/release/tarball"
)

// folder is the folder of a checkout, and of the archive: the paths in the docs are those of both.
const folder = "kustomize"

// overlay is the kustomization that names the container images.
const overlay = folder + "/overlays/default/kustomization.yaml"

// components is the folder of the components.
const components = folder + "/components/"

// loaded is the overlay for images that are never pulled.
const loaded = folder + "/overlays/kind/"

// FileName returns the name of the archive.
func FileName(release *metadata.Release) string {
	return "goldsmith-kustomize_" + release.Version + ".tar.gz"
}

// Write writes the archive.
func Write(out io.Writer, checkout string, release *metadata.Release) error {
	files := []tarball.File{{Name: folder + "/LICENSE", Mode: 0o644, Path: filepath.Join(checkout, "LICENSE")}}
	root := os.DirFS(checkout)
	err := fs.WalkDir(root, folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, ".go") || strings.HasPrefix(name, loaded) {
			return err
		}
		file := tarball.File{Name: name, Mode: 0o644}
		if file.Content, err = fs.ReadFile(root, name); err != nil {
			return err
		}
		switch {
		case file.Name == overlay:
			file.Content, err = withImages(file.Content, release)
		case strings.HasPrefix(file.Name, components):
			file.Content = withReferences(file.Content, release)
		}
		files = append(files, file)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the folder %s: %w", folder, err)
	}
	return tarball.WriteGzip(out, files, release.Time)
}

// images is the last field of the overlay.
var images = regexp.MustCompile(`(?m)^images:\n(?:[- ].*\n)+\z`)

// withImages returns the overlay with the container images of a release.
func withImages(content []byte, release *metadata.Release) ([]byte, error) {
	at := images.FindIndex(content)
	if at == nil {
		return nil, fmt.Errorf("%s does not end with images", overlay)
	}
	return append(content[:at[0]:at[0]], Images(release)...), nil
}

// withReferences returns a file of a component with the container images of a release. The images of an overlay do not apply to
// a component that another overlay adds.
func withReferences(content []byte, release *metadata.Release) []byte {
	for name, digest := range release.Images {
		for _, before := range []string{"=", "image: "} {
			content = bytes.ReplaceAll(content, []byte(before+name+":devel"), []byte(before+release.Registry+"/"+name+"@"+digest))
		}
	}
	return content
}

// Images returns the field images of a kustomization with the container images of a release.
func Images(release *metadata.Release) string {
	var text strings.Builder
	text.WriteString("images:\n")
	for _, name := range slices.Sorted(maps.Keys(release.Images)) {
		fmt.Fprintf(&text, "  - name: %s\n    newName: %s/%s\n    digest: %s\n", name, release.Registry, name, release.Images[name])
	}
	return text.String()
}

// Artifact returns an archive as Flux's OCIRepository reads it.
func Artifact(archive []byte, release *metadata.Release) *artifact.Artifact {
	return &artifact.Artifact{
		ConfigType: "application/vnd.cncf.flux.config.v1+json", Config: []byte("{}"),
		ContentType: "application/vnd.cncf.flux.content.v1.tar+gzip", Content: archive,
		Annotations: release.Annotations(),
	}
}
