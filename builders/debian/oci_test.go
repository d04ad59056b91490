// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

func TestTheImageOfTheRootFileSystemIsALayoutWithoutADisk(t *testing.T) {
	f := newFixture(t, map[string]string{})
	f.input.Targets = []render.InputTarget{{Name: "linux/amd64/oci", Platform: platform, Format: v1alpha1.ArtifactFormatOCI}}
	code, said := f.run()
	if code != 0 || len(said.Artifacts) != 1 || said.Artifacts[0].MediaType != result.MediaTypeLayout {
		t.Fatalf("exit code %d, result %+v", code, said)
	}
	if strings.Contains(f.read("calls"), "sfdisk") {
		t.Error("a disk was made")
	}
	files := map[string][]byte{}
	archive := tar.NewReader(require.Value(os.Open(filepath.Join(f.directory, "output", said.Artifacts[0].File)))(t))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		files[header.Name] = require.Value(io.ReadAll(archive))(t)
	}
	blob := func(d digest.Digest, into any) []byte {
		content := files["blobs/sha256/"+d.Encoded()]
		if digest.FromBytes(content) != d {
			t.Fatalf("blob %s has %d bytes with another digest", d, len(content))
		}
		if into != nil {
			require.NoError(t, json.Unmarshal(content, into))
		}
		return content
	}
	var index ociv1.Index
	require.NoError(t, json.Unmarshal(files[ociv1.ImageIndexFile], &index))
	var manifest ociv1.Manifest
	blob(index.Manifests[0].Digest, &manifest)
	var config ociv1.Image
	blob(manifest.Config.Digest, &config)
	decoder := require.Value(zstd.NewReader(bytes.NewReader(blob(manifest.Layers[0].Digest, nil))))(t)
	defer decoder.Close()
	content := require.Value(io.ReadAll(decoder))(t)
	if string(content) != f.read("rootfs.tar") {
		t.Error("the layer is not the root file system")
	}
	if diff := cmp.Diff([]digest.Digest{digest.FromBytes(content)}, config.RootFS.DiffIDs); diff != "" {
		t.Error(diff)
	}
	if got := string(files[ociv1.ImageLayoutFile]); got != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("version %s", got)
	}
}
