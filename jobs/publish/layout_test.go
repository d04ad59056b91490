// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/result"
)

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

// images is a layout under construction.
type images struct {
	t     *testing.T
	files map[string]string
}

func newImages(t *testing.T) images {
	return images{t, map[string]string{ociv1.ImageLayoutFile: `{"imageLayoutVersion":"1.0.0"}`}}
}

func (i images) put(mediaType, content string) ociv1.Descriptor {
	d := digest.FromString(content)
	i.files[blobName(d)] = content
	return ociv1.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(content))}
}

func (i images) document(mediaType string, value any) ociv1.Descriptor {
	return i.put(mediaType, string(require.Value(json.Marshal(value))(i.t)))
}

// image adds an image with a layer and the platform of its configuration.
func (i images) image(layer, architecture string) ociv1.Descriptor {
	return i.imageOf(ociv1.MediaTypeImageManifest, ociv1.MediaTypeImageConfig, ociv1.MediaTypeImageLayer, layer, architecture)
}

func (i images) imageOf(manifest, config, layer, content, architecture string) ociv1.Descriptor {
	return i.document(manifest, ociv1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: manifest,
		Config: i.put(config, `{"architecture":"`+architecture+`","os":"linux"}`), Layers: []ociv1.Descriptor{i.put(layer, content)},
	})
}

func on(of ociv1.Descriptor, platform string) ociv1.Descriptor {
	of.Platform = parsePlatform(platform)
	return of
}

// attestation adds a manifest about an image, as buildx does.
func (i images) attestation(about ociv1.Descriptor) ociv1.Descriptor {
	d := i.document(ociv1.MediaTypeImageManifest, ociv1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageManifest,
		Config: i.put(ociv1.MediaTypeImageConfig, `{"architecture":"unknown","os":"unknown"}`),
		Layers: []ociv1.Descriptor{i.put("application/vnd.in-toto+json", `{"about":"`+about.Digest.String()+`"}`)},
	})
	d.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": about.Digest.String()}
	return on(d, "unknown/unknown")
}

func (i images) index(mediaType string, of ...ociv1.Descriptor) ociv1.Descriptor {
	return i.document(mediaType, ociv1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: mediaType, Manifests: of})
}

// tar returns the layout with an index of its own.
func (i images) tar(of ...ociv1.Descriptor) []byte {
	i.files[ociv1.ImageIndexFile] = string(require.Value(json.Marshal(ociv1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: of}))(i.t))
	return tarOf(i.t, "", i.files)
}

func gzipped(t *testing.T, content []byte) []byte {
	t.Helper()
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	_, err := w.Write(content)
	require.NoError(t, errors.Join(err, w.Close()))
	return compressed.Bytes()
}

func zstandard(t *testing.T, content []byte) []byte {
	t.Helper()
	return require.Value(zstd.NewWriter(nil))(t).EncodeAll(content, nil)
}

const (
	dockerManifest    = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList        = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerImageConfig = "application/vnd.docker.container.image.v1+json"
	dockerLayer       = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	layer             = "the layer of linux/amd64"
)

// TestALayoutIsPushedAsItsImages has the layouts that tools write. The text is the layer that a client for linux/amd64 pulls.
func TestALayoutIsPushedAsItsImages(t *testing.T) {
	layouts := map[string]struct {
		content func(i images) []byte
		entries int // of the index that is pushed; 0 for an image
	}{
		"one image":                {func(i images) []byte { return i.tar(i.image(layer, "amd64")) }, 0},
		"one image, below .":       {func(i images) []byte { i.tar(i.image(layer, "amd64")); return tarOf(i.t, "./", i.files) }, 0},
		"another file":             {func(i images) []byte { i.files["README"] = "readme"; return i.tar(i.image(layer, "amd64")) }, 0},
		"gzip":                     {func(i images) []byte { return gzipped(i.t, i.tar(i.image(layer, "amd64"))) }, 0},
		"zstd":                     {func(i images) []byte { return zstandard(i.t, i.tar(i.image(layer, "amd64"))) }, 0},
		"one image with two names": {func(i images) []byte { image := i.image(layer, "amd64"); return i.tar(image, image) }, 0},
		"the media types of Docker": {func(i images) []byte {
			return i.tar(i.imageOf(dockerManifest, dockerImageConfig, dockerLayer, layer, "amd64"))
		}, 0},
		"an index in the index": {func(i images) []byte {
			return i.tar(i.index(ociv1.MediaTypeImageIndex, on(i.image(layer, "amd64"), "linux/amd64")))
		}, 1},
		"two indexes in each other": {func(i images) []byte {
			return i.tar(i.index(ociv1.MediaTypeImageIndex, i.index(ociv1.MediaTypeImageIndex, on(i.image(layer, "amd64"), "linux/amd64"))))
		}, 1},
		"an index, and its images beside it, as oras writes": {func(i images) []byte {
			image := on(i.image(layer, "amd64"), "linux/amd64")
			return i.tar(image, i.index(ociv1.MediaTypeImageIndex, image))
		}, 1},
		"an attestation": {func(i images) []byte {
			image := on(i.image(layer, "amd64"), "linux/amd64")
			return i.tar(image, i.attestation(image))
		}, 2},
		"an index with attestations, as buildx writes": {func(i images) []byte {
			one, two := on(i.image(layer, "amd64"), "linux/amd64"), on(i.image("another", "arm64"), "linux/arm64")
			return i.tar(i.index(ociv1.MediaTypeImageIndex, one, two, i.attestation(one), i.attestation(two)))
		}, 4},
		"a list of Docker, with gzip": {func(i images) []byte {
			one, two := i.imageOf(dockerManifest, dockerImageConfig, dockerLayer, layer, "amd64"), i.imageOf(dockerManifest, dockerImageConfig, dockerLayer, "another", "arm64")
			return gzipped(i.t, i.tar(i.index(dockerList, on(one, "linux/amd64"), on(two, "linux/arm64"))))
		}, 2},
		"an index without the images of other platforms, as docker save writes": {func(i images) []byte {
			other := on(i.image("another", "arm64"), "linux/arm64")
			delete(i.files, blobName(other.Digest))
			return i.tar(i.index(ociv1.MediaTypeImageIndex, on(i.image(layer, "amd64"), "linux/amd64"), other))
		}, 0},
		"images whose platforms only they tell": {func(i images) []byte { return i.tar(i.image(layer, "amd64"), i.image("another", "arm64")) }, 0},
	}
	for name, test := range layouts {
		for _, mediaType := range []string{result.MediaTypeLayout, result.MediaTypeLayout + "+gzip", result.MediaType(v1alpha1.ArtifactFormatOCI)} {
			t.Run(name+" "+mediaType, func(t *testing.T) {
				content := test.content(newImages(t))
				r := registrytest.New(t, registrytest.Options{})
				pushed, err := pushLayout(t, r, mediaType, content)
				require.NoError(t, err)
				entries := -1
				if got := layerFor(t, r, pushed.Digest, "linux/amd64", &entries); got != layer || entries != test.entries {
					t.Errorf("pushed an index of %d entries, from which linux/amd64 pulls %q, want %d", entries, got, test.entries)
				}
				if referrers := referrersOf(t, r, pushed.Digest, false); len(referrers) != 2 || !pushed.Image {
					t.Errorf("the referrers are %v, and it was pushed as an image: %t", referrers, pushed.Image)
				}
				_, err = Fetch(t.Context(), pushed.Location, digest.FromBytes(content).String(), 0, transport.Options{})
				if err == nil || !strings.Contains(err.Error(), "docker pull "+pushed.Location) {
					t.Errorf("fetching the tar of an image: %v", err)
				}
			})
		}
	}
}

func pushLayout(t *testing.T, r *registrytest.Registry, mediaType string, content []byte) (Pushed, error) {
	t.Helper()
	a := withDocuments(artifact("linux/amd64/oci", "v1", content))
	a.MediaType = mediaType
	pushed, err := pushIn(t, r, transport.Options{}, a)
	if err != nil {
		return Pushed{}, err
	}
	return pushed[0], nil
}

// layerFor returns the layer that clients of a platform pull, and the number of entries of the first index, or 0.
func layerFor(t *testing.T, r *registrytest.Registry, reference, platform string, entries *int) string {
	t.Helper()
	var index ociv1.Index
	_, content := r.Get("/team/web/manifests/" + reference)
	require.NoError(t, json.Unmarshal(content, &index))
	if *entries < 0 {
		*entries = len(index.Manifests)
	}
	for _, entry := range index.Manifests {
		if entry.Platform == nil || entry.Platform.OS+"/"+entry.Platform.Architecture == platform {
			return layerFor(t, r, entry.Digest.String(), platform, entries)
		}
	}
	m := manifestOf(t, r, reference)
	if len(m.Layers) == 0 {
		return ""
	}
	_, content = r.Get("/team/web/blobs/" + m.Layers[0].Digest.String())
	return string(content)
}

func TestALayoutThatCannotBePushedIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		content func(i images) []byte
		says    string
		other   bool // something other than a layout: without the media type of a layout it is a file
	}{
		"two images of a platform":  {func(i images) []byte { return i.tar(i.image(layer, "amd64"), i.image("another", "amd64")) }, "2 images for linux/amd64", false},
		"images of other platforms": {func(i images) []byte { return i.tar(i.image(layer, "arm64"), i.image("another", "s390x")) }, "0 images for linux/amd64 (platforms of all images: linux/", false},
		"no image":                  {func(i images) []byte { return i.tar() }, "no image", false},
		"only attestations": {func(i images) []byte {
			return i.tar(i.attestation(i.image(layer, "amd64")), i.attestation(i.image("b", "amd64")))
		}, "no ", false},
		"no index": {func(i images) []byte { return tarOf(i.t, "", i.files) }, "no file index.json", false},
		"a layer that is missing": {func(i images) []byte {
			image := i.image(layer, "amd64")
			delete(i.files, blobName(digest.FromString(layer)))
			return i.tar(image)
		}, "the tar has no blob " + digest.FromString(layer).String(), false},
		"a layer of another size": {func(i images) []byte {
			image := i.image(layer, "amd64")
			i.files[blobName(digest.FromString(layer))] = "short"
			return i.tar(image)
		}, "has 5 bytes instead of", false},
		"another manifest": {func(i images) []byte {
			image := i.image(layer, "amd64")
			i.files[blobName(image.Digest)] = strings.Replace(i.files[blobName(image.Digest)], `"schemaVersion":2`, `"schemaVersion":3`, 1)
			return i.tar(image)
		}, "has another digest", false},
		"schema 1 of Docker": {func(i images) []byte {
			return i.tar(i.put("application/vnd.docker.distribution.manifest.v1+json", "{}"))
		}, "neither that of an image", false},
		"no media type": {func(i images) []byte { d := i.image(layer, "amd64"); d.MediaType = ""; return i.tar(d) }, `media type ""`, false},
		"another version": {func(i images) []byte {
			i.files[ociv1.ImageLayoutFile] = `{"imageLayoutVersion":"2.0.0"}`
			return i.tar(i.image(layer, "amd64"))
		}, "version", false},
		"too many files": {func(i images) []byte {
			for n := range ocilayout.MaxFiles {
				i.files[strconv.Itoa(n)] = ""
			}
			return i.tar(i.image(layer, "amd64"))
		}, "more than 10000 files", false},
		"no layout":              {func(i images) []byte { return tarOf(i.t, "", map[string]string{"manifest.json": "[]"}) }, "no file oci-layout at its root", true},
		"a layout in a folder":   {func(i images) []byte { i.tar(i.image(layer, "amd64")); return tarOf(i.t, "image/", i.files) }, "no file oci-layout at its root", true},
		"xz":                     {func(images) []byte { return []byte("\xfd7zXZ\x00 and more") }, "xz", true},
		"no tar":                 {func(images) []byte { return randomBytes(10_000) }, "no tar", true},
		"a tar that is cut off":  {func(i images) []byte { return i.tar(i.image(strings.Repeat(layer, 1000), "amd64"))[:5000] }, "no tar, or a damaged one", true},
		"gzip that is cut off":   {func(i images) []byte { c := gzipped(i.t, i.tar(i.image(layer, "amd64"))); return c[:len(c)/2] }, "no tar, or a damaged one", true},
		"gzip of something else": {func(i images) []byte { return gzipped(i.t, []byte("a disk")) }, "no tar", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := registrytest.New(t, registrytest.Options{})
			content := test.content(newImages(t))
			_, err := pushLayout(t, r, result.MediaTypeLayout, content)
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "linux/amd64/oci") || len(r.Requests()) != 0 {
				t.Errorf("got %v, want %q and no request", err, test.says)
			}
			if check := CheckOf(err); check.Invalid == "" {
				t.Errorf("the failure is %+v, want an invalid result", check)
			}
			_, err = pushLayout(t, r, result.MediaType(v1alpha1.ArtifactFormatOCI), content)
			if refused := err != nil; refused == test.other {
				t.Errorf("without the media type of a layout: %v", err)
			}
		})
	}
}

func TestTheTagOfSeveralLayoutsHasTheirImages(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	var artifacts []Artifact
	for _, architecture := range []string{"amd64", "arm64"} {
		i := newImages(t)
		image := on(i.image("the layer of linux/"+architecture, architecture), "linux/"+architecture)
		a := artifact("linux/"+architecture+"/oci", "v1", i.tar(i.index(ociv1.MediaTypeImageIndex, image, i.attestation(image))))
		a.MediaType = result.MediaTypeLayout
		artifacts = append(artifacts, a)
	}
	_, err := pushIn(t, r, transport.Options{}, artifacts...)
	require.NoError(t, err)
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		entries := -1
		if got := layerFor(t, r, "v1", platform, &entries); got != "the layer of "+platform || entries != 4 {
			t.Errorf("%s pulls %q from an index of %d entries", platform, got, entries)
		}
	}
}

func TestADamagedLayerIsNoFaultOfTheRegistry(t *testing.T) {
	i := newImages(t)
	image := i.image("layer", "amd64")
	i.files[blobName(digest.FromString("layer"))] = "LAYER"
	r := registrytest.New(t, registrytest.Options{})
	_, err := pushLayout(t, r, result.MediaTypeLayout, i.tar(image))
	if err == nil || !strings.Contains(err.Error(), "another digest") || slices.Contains(r.Tags("team/web"), "v1") {
		t.Errorf("got %v, want that the layer has another digest", err)
	}
}
