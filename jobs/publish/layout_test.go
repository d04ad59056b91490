// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/result"
)

// layoutOf returns the files of a layout with images of a layer each.
func layoutOf(t *testing.T, layers ...string) map[string]string {
	t.Helper()
	files := map[string]string{ociv1.ImageLayoutFile: `{"imageLayoutVersion":"1.0.0"}`}
	put := func(mediaType, content string) ociv1.Descriptor {
		d := digest.FromString(content)
		files[blobName(d)] = content
		return ociv1.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(content))}
	}
	var index ociv1.Index
	for _, layer := range layers {
		manifest := require.Value(json.Marshal(ociv1.Manifest{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageManifest,
			Config: put(ociv1.MediaTypeImageConfig, `{"architecture":"amd64","os":"linux"}`),
			Layers: []ociv1.Descriptor{put(ociv1.MediaTypeImageLayer, layer), put(ociv1.MediaTypeImageLayer, "shared")},
		}))(t)
		index.Manifests = append(index.Manifests, put(ociv1.MediaTypeImageManifest, string(manifest)))
	}
	files[ociv1.ImageIndexFile] = string(require.Value(json.Marshal(index))(t))
	return files
}

func blobName(d digest.Digest) string { return "blobs/sha256/" + d.Encoded() }

func tarOf(t *testing.T, prefix string, files map[string]string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: prefix + "blobs/", Typeflag: tar.TypeDir, Mode: 0o755}))
	for name, content := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: prefix + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}))
		_, err := w.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return buffer.Bytes()
}

func TestALayoutWithOneImageIsPushedAsTheImage(t *testing.T) {
	long := strings.Repeat("layer", 30_000)
	one := layoutOf(t, long)
	without := func(name string) map[string]string {
		files := layoutOf(t, long)
		delete(files, name)
		return files
	}
	changed := layoutOf(t, long)
	changed[ociv1.ImageIndexFile] = strings.Replace(changed[ociv1.ImageIndexFile], ociv1.MediaTypeImageManifest, ociv1.MediaTypeImageIndex, 1)
	replaced := func(from, to string) map[string]string {
		files := layoutOf(t, long)
		for name := range files {
			files[name] = strings.ReplaceAll(files[name], from, to)
		}
		return files
	}
	many := layoutOf(t, long)
	for i := range ocilayout.MaxFiles {
		many[strconv.Itoa(i)] = ""
	}
	more := layoutOf(t, long)
	more["README"] = "readme"
	for _, test := range []struct {
		name    string
		content []byte
		image   bool
	}{
		{"one image", tarOf(t, "", one), true},
		{"one image, below .", tarOf(t, "./", one), true},
		{"one image, and another file", tarOf(t, "", more), true},
		{"two images", tarOf(t, "", layoutOf(t, "one", "two")), false},
		{"no image", tarOf(t, "", layoutOf(t)), false},
		{"an index", tarOf(t, "", changed), false},
		{"no version", tarOf(t, "", without(ociv1.ImageLayoutFile)), false},
		{"no layer", tarOf(t, "", without(blobName(digest.FromString(long)))), false},
		{"a layer of another size", tarOf(t, "", replaced(long, "layer")), false},
		{"another version", tarOf(t, "", replaced("1.0.0", "2.0.0")), false},
		{"another manifest", tarOf(t, "", replaced(ociv1.MediaTypeImageConfig, ociv1.MediaTypeEmptyJSON)), false},
		{"too many files", tarOf(t, "", many), false},
		{"another tar", tarOf(t, "", map[string]string{"a": "b"}), false},
		{"no tar", randomBytes(10_000), false},
		{"half a tar", tarOf(t, "", one)[:5000], false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := registrytest.New(t, registrytest.Options{})
			pushedArtifact := withDocuments(artifact("linux/amd64/oci", "v1", test.content))
			pushedArtifact.MediaType = result.MediaTypeLayout
			pushed, _, err := pushIn(t, r, Options{}, pushedArtifact)
			require.NoError(t, err)
			got := manifestOf(t, r, "v1")
			if image := got.Config.MediaType == ociv1.MediaTypeImageConfig; image != test.image {
				t.Fatalf("pushed as the manifest %+v, want an image: %t", got, test.image)
			}
			if referrers := referrersOf(t, r, pushed[0].Digest, false); len(referrers) != 2 {
				t.Errorf("the referrers are %v", referrers)
			}
			fetched, err := Fetch(t.Context(), pushed[0].Location, pushedArtifact.Digest, 0, Options{})
			if !test.image {
				require.NoError(t, err)
				require.NoError(t, fetched.Close())
				return
			}
			if pulled(t, r) != long {
				t.Error("the layer is another")
			}
			if err == nil || !strings.Contains(err.Error(), "docker pull "+pushed[0].Location) {
				t.Errorf("fetching the tar of an image: %v", err)
			}
		})
	}
}

func TestADamagedLayerIsNoFaultOfTheRegistry(t *testing.T) {
	files := layoutOf(t, "layer")
	files[blobName(digest.FromString("layer"))] = "LAYER"
	r := registrytest.New(t, registrytest.Options{})
	damaged := artifact("linux/amd64/oci", "v1", tarOf(t, "", files))
	damaged.MediaType = result.MediaTypeLayout
	_, _, err := pushIn(t, r, Options{}, damaged)
	if err == nil || !strings.Contains(err.Error(), "another digest") || slices.Contains(r.Tags("team/web"), "v1") {
		t.Errorf("got %v, want that the layer has another digest", err)
	}
}
