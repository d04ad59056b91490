// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

func containerDiskOf(target, tag string, content []byte) Artifact {
	a := artifact(target, tag, content)
	a.MediaType, a.ContainerDisk = "application/x-qemu-disk", true
	return a
}

func TestAContainerDiskHasTheDiskInItsLayer(t *testing.T) {
	for _, size := range []int{1, 512, 300<<10 + 1} {
		t.Run(fmt.Sprintf("%d bytes", size), func(t *testing.T) {
			disk := randomBytes(size)
			r := registrytest.New(t, registrytest.Options{Referrers: true})
			pushed, err := pushIn(t, r, transport.Options{}, withDocuments(containerDiskOf("linux/arm64/v8/qcow2", "v1", disk)))
			require.NoError(t, err)
			manifest := manifestOf(t, r, "v1")
			if pushed[0].Image || len(pushed[0].Documents) != 2 || manifest.ArtifactType != "" || manifest.Config.MediaType != ociv1.MediaTypeImageConfig ||
				manifest.Annotations["a"] != "1" || len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != ociv1.MediaTypeImageLayer {
				t.Fatalf("pushed %+v, the manifest is %+v", pushed, manifest)
			}
			_, encoded := r.Get("/team/web/blobs/" + manifest.Config.Digest.String())
			want := fmt.Sprintf(`{"architecture":"arm64","os":"linux","variant":"v8","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}`, manifest.Layers[0].Digest)
			if string(encoded) != want {
				t.Errorf("the configuration is %s, want %s", encoded, want)
			}
			_, layer := r.Get("/team/web/blobs/" + manifest.Layers[0].Digest.String())
			var listed []string
			for files := tar.NewReader(bytes.NewReader(layer)); ; {
				header, err := files.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err)
				content := require.Value(io.ReadAll(files))(t)
				if header.Typeflag == tar.TypeReg && !bytes.Equal(content, disk) {
					t.Errorf("the layer has other %d bytes than the disk", len(content))
				}
				listed = append(listed, fmt.Sprintf("%v %d:%d %d %s", header.FileInfo().Mode(), header.Uid, header.Gid, header.ModTime.Unix(), header.Name))
			}
			if got := strings.Join(listed, "\n"); got != "dr-xr-xr-x 107:107 0 disk/\n-r--r----- 107:107 0 disk/disk.qcow2" || len(layer)%tarBlock != 0 {
				t.Errorf("the layer has %d bytes:\n%s", len(layer), got)
			}
			for _, offset := range []int64{0, int64(size) / 2, int64(size)} {
				got, err := fetchAll(t.Context(), pushed[0].Location, digest.FromBytes(disk).String(), offset, transport.Options{})
				if err != nil || got != string(disk[offset:]) {
					t.Errorf("fetched %d bytes from %d: %v", len(got), offset, err)
				}
			}
			var file bytes.Buffer
			require.NoError(t, FetchFile(t.Context(), pushed[0].Location, digest.FromBytes(disk).String(), int64(size), &file, transport.Options{}))
			if !bytes.Equal(file.Bytes(), disk) {
				t.Errorf("fetched other %d bytes", file.Len())
			}
		})
	}
}

// TestAContainerDiskStaysTheSame fails if builds of the same disk would get other digests than before.
func TestAContainerDiskStaysTheSame(t *testing.T) {
	a := containerDiskOf("linux/amd64/qcow2", "", []byte("a disk"))
	for range 2 {
		disk, err := newContainerDisk(t.Context(), &a)
		require.NoError(t, err)
		layer, manifest := disk.layer.Digest, disk.Digest.String()
		if layer != "sha256:e5fdbba4dc3a180d09fa63fd2e8e972a207c6e1673fa7ce726e9ed0dae9def49" ||
			manifest != "sha256:8a239b6fa1a819ea230abdc72f87d164eaab148c20c7cf397ac260f37f3f27e7" {
			t.Errorf("the layer is %s, and the manifest %s", layer, manifest)
		}
	}
}

func TestALargeContainerDiskIsATar(t *testing.T) {
	const size = 9 << 30 // more than the first formats of tar had room for
	head, _, err := tarAround(size)
	require.NoError(t, err)
	rest := bytes.NewReader(head)
	files := tar.NewReader(rest)
	_ = require.Value(files.Next())(t)
	if disk := require.Value(files.Next())(t); disk.Size != size || disk.Name != "disk/disk.qcow2" || rest.Len() > 0 {
		t.Errorf("the disk is %+v, and %d bytes come before it", disk, rest.Len())
	}
}

func TestNodesOfLinuxPullContainerDisks(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	_, err := pushIn(t, r, transport.Options{}, containerDiskOf("windows/amd64/qcow2", "v1", []byte("one")), containerDiskOf("linux/arm64/qcow2", "v1", []byte("two")))
	require.NoError(t, err)
	_, content := r.Get("/team/web/manifests/v1")
	var index ociv1.Index
	require.NoError(t, json.Unmarshal(content, &index))
	var got []string
	for _, entry := range index.Manifests {
		got = append(got, entry.Platform.OS+"/"+entry.Platform.Architecture+" of "+entry.Annotations[AnnotationTarget]+" "+entry.ArtifactType)
	}
	if want := "linux/arm64 of linux/arm64/qcow2 ,linux/amd64 of windows/amd64/qcow2 "; strings.Join(got, ",") != want {
		t.Errorf("the index has %q", got)
	}
}

func TestADiskThatChangesIsNotPublished(t *testing.T) {
	changed := func(change func(*Artifact)) Artifact {
		a := containerDiskOf("linux/amd64/qcow2", "v1", []byte("a disk"))
		change(&a)
		return a
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx      context.Context
		artifact Artifact
		says     string
	}{
		"other":   {t.Context(), changed(func(a *Artifact) { a.Open = contentOf([]byte("b disk")).Open }), "the disk has changed"},
		"shorter": {t.Context(), changed(func(a *Artifact) { a.SizeBytes++ }), "the disk has changed"},
		"missing": {t.Context(), changed(func(a *Artifact) { a.Open = func() (transport.File, error) { return nil, io.ErrClosedPipe } }), "closed pipe"},
		"ended":   {ended, changed(func(*Artifact) {}), "canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			r := registrytest.New(t, registrytest.Options{})
			_, err := Push(test.ctx, r.Host()+"/team/web", []Artifact{test.artifact}, transport.Options{})
			if err == nil || !strings.Contains(err.Error(), test.says) || len(r.Tags("team/web")) > 0 {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOnlyAnnotationsWithinALayerAreADisk(t *testing.T) {
	for _, of := range []map[string]string{
		{annotationDisk: "x", annotationOffset: "1", annotationSize: "10"}, {annotationDisk: "x", annotationOffset: "-1", annotationSize: "1"},
		{annotationDisk: "x", annotationOffset: "1", annotationSize: "-1"}, {annotationDisk: "x", annotationOffset: "1"},
		{annotationDisk: "y", annotationOffset: "1", annotationSize: "1"}, {},
	} {
		if part, ok := diskIn(&ociv1.Manifest{Layers: []ociv1.Descriptor{{Size: 10, Annotations: of}}}, "x"); ok {
			t.Errorf("%v is %+v", of, part)
		}
	}
}
