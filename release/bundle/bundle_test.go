// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/oci"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"oras.land/oras-go/v2"
	ocilayout "oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry/remote"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"goldsmith.dev/goldsmith/release/image"
	"goldsmith.dev/goldsmith/release/metadata"
)

var release = &metadata.Release{
	Revision: metadata.Revision{Version: "v0.1.0", Commit: strings.Repeat("c", 40), Time: time.Unix(1_700_000_000, 0)}, Registry: "registry.example.com/goldsmith",
	Images: map[string]string{
		"goldsmith-apiserver": digest("a"), "goldsmith-controller": digest("b"), "mock-builder": digest("c"), "debian-builder": digest("d"),
		"goldsmith-tester": digest("e"), "goldsmith-console": digest("f"),
	},
	URL: "https://releases.example.com/goldsmith",
}

func digest(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// Flux pulls the artifact from a registry, and builds the overlay default and an overlay of the user.
func TestFluxReadsTheArtifact(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	var archive bytes.Buffer
	if err := Write(&archive, "../..", release); err != nil {
		t.Fatal(err)
	}
	made, err := Artifact(archive.Bytes(), release).Image()
	if err != nil {
		t.Fatal(err)
	}
	repository := strings.TrimPrefix(server.URL, "http://") + "/goldsmith/kustomize:v0.1.0"
	push(t, made, repository)
	manifest, err := made.Manifest()
	if err != nil || manifest.Config.MediaType != oci.CanonicalConfigMediaType || manifest.Layers[0].MediaType != oci.CanonicalContentMediaType {
		t.Errorf("the manifest is %+v, %v", manifest, err)
	}

	directory := t.TempDir()
	pulled, err := oci.NewClient(oci.DefaultOptions()).Pull(t.Context(), repository, directory)
	if err != nil {
		t.Fatal(err)
	}
	if pulled.Created != "2023-11-14T22:13:20Z" || pulled.Source != release.URL || pulled.Revision != "v0.1.0@sha1:"+release.Commit {
		t.Errorf("Flux reads %+v", pulled)
	}
	own := filepath.Join(directory, "own")
	if err := errors.Join(os.Mkdir(own, 0o700), os.WriteFile(filepath.Join(own, "kustomization.yaml"),
		[]byte("resources: [../kustomize/overlays/default]\ncomponents: [../kustomize/components/single-node, ../kustomize/components/debian-builder, ../kustomize/components/tester, ../kustomize/components/console]\n"+
			"configMapGenerator: [{name: goldsmith-console, namespace: goldsmith-system, literals: [host=console.example.com]}]\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, overlay := range []string{filepath.Join(directory, "kustomize/overlays/default"), filepath.Join(directory, "kustomize/overlays/production"), own} {
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), overlay)
		if err != nil {
			t.Fatal(err)
		}
		text, err := built.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"image: registry.example.com/goldsmith/goldsmith-apiserver@" + digest("a"), "image: registry.example.com/goldsmith/goldsmith-controller@" + digest("b"),
			"mock: registry.example.com/goldsmith/mock-builder@" + digest("c"),
		} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %s", overlay, want)
			}
		}
		for _, builder := range []string{"image: registry.example.com/goldsmith/goldsmith-console@" + digest("f"), "debian: registry.example.com/goldsmith/debian-builder@" + digest("d"), "tester: registry.example.com/goldsmith/goldsmith-tester@" + digest("e")} {
			if overlay == own != strings.Contains(string(text), builder) {
				t.Errorf("%s: %s is not as its components say", overlay, builder)
			}
		}
		if strings.Contains(string(text), ":devel") {
			t.Errorf("%s has an image that is of no release", overlay)
		}
	}
	if _, err := os.Stat(filepath.Join(directory, "kustomize", "build_test.go")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the archive has tests: %v", err)
	}
}

// push writes the layout of a release, and copies it as oras cp --from-oci-layout does.
func push(t *testing.T, artifact v1.Image, reference string) {
	t.Helper()
	var archive bytes.Buffer
	if err := image.WriteLayout(&archive, t.TempDir(), artifact, release.Registry+"/kustomize:v0.1.0", "v0.1.0", release.Time); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "oci.tar")
	if err := os.WriteFile(file, archive.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	layout, err := ocilayout.NewFromTar(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	repository, err := remote.NewRepository(reference)
	if err != nil {
		t.Fatal(err)
	}
	repository.PlainHTTP = true
	if _, err := oras.Copy(t.Context(), layout, "v0.1.0", repository, "v0.1.0", oras.DefaultCopyOptions); err != nil {
		t.Fatal(err)
	}
}

func TestTheSameCommitMakesTheSameBytes(t *testing.T) {
	var first, second bytes.Buffer
	if err := errors.Join(Write(&first, "../..", release), Write(&second, "../..", release)); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("%v: %d and %d bytes differ", err, first.Len(), second.Len())
	}
}

func TestAnOverlayWithoutImagesIsRefused(t *testing.T) {
	if _, err := withImages([]byte("images:\n- {name: a}\nresources: [b]\n"), release); err == nil {
		t.Error("images are written over a field")
	}
}
