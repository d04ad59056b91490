// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/source"
)

const (
	fluxLayer = "application/vnd.cncf.flux.content.v1.tar+gzip"
	tarLayer  = "application/vnd.oci.image.layer.v1.tar"
)

// archive returns a tar archive.
func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var encoded bytes.Buffer
	writer := tar.NewWriter(&encoded)
	for _, header := range headers {
		content := header.PAXRecords["content"]
		header.PAXRecords = nil
		if header.Typeflag == tar.TypeXGlobalHeader {
			header.PAXRecords = map[string]string{"comment": "x"}
		}
		header.Size = int64(len(content))
		require.NoError(t, writer.WriteHeader(&header))
		require.Value(writer.Write([]byte(content)))(t)
	}
	require.NoError(t, writer.Close())
	return encoded.Bytes()
}

func plain(name string, mode int64, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, PAXRecords: map[string]string{"content": content}}
}

func zipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var encoded bytes.Buffer
	writer := gzip.NewWriter(&encoded)
	require.Value(writer.Write(content))(t)
	require.NoError(t, writer.Close())
	return encoded.Bytes()
}

type layer struct {
	mediaType string
	content   []byte
}

// push pushes an artifact, and returns its digest.
func push(t testing.TB, registry *registrytest.Registry, tag string, annotations map[string]string, layers ...layer) string {
	t.Helper()
	pusher := require.Value(transport.NewPusher(registry.Host()+"/team/files", transport.Options{DockerConfig: registry.DockerConfig(registrytest.Password)}))(t)
	manifest := ociv1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageManifest, Annotations: annotations, Config: ociv1.DescriptorEmptyJSON,
	}
	blobs := append([]layer{{ociv1.MediaTypeEmptyJSON, []byte("{}")}}, layers...)
	for i, l := range blobs {
		content := transport.Content{Digest: digest.FromBytes(l.content).String(), SizeBytes: int64(len(l.content)), Open: opener(l.content)}
		require.NoError(t, pusher.PushBlob(t.Context(), "push", content))
		if i > 0 {
			manifest.Layers = append(manifest.Layers, ociv1.Descriptor{MediaType: l.mediaType, Digest: digest.FromBytes(l.content), Size: int64(len(l.content))})
		}
	}
	return pushManifest(t, registry, tag, manifest)
}

// pushManifest pushes a manifest or an index, and returns its digest.
func pushManifest(t testing.TB, registry *registrytest.Registry, tag string, manifest any) string {
	t.Helper()
	pusher := require.Value(transport.NewPusher(registry.Host()+"/team/files", transport.Options{DockerConfig: registry.DockerConfig(registrytest.Password)}))(t)
	raw := require.Value(json.Marshal(manifest))(t)
	of := ociv1.Descriptor{MediaType: ociv1.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	if _, index := manifest.(ociv1.Index); index {
		of.MediaType = ociv1.MediaTypeImageIndex
	}
	require.NoError(t, pusher.PushManifest(t.Context(), "push", of, raw))
	require.NoError(t, pusher.PushTag(t.Context(), tag, of, raw))
	return of.Digest.String()
}

func ociSource(registry *registrytest.Registry, tag string) source.Source {
	return source.Source{OCI: &source.OCI{Repository: registry.Host() + "/team/files", Tag: tag}}
}

func TestTheFilesOfAnArtifactAreFetched(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	o := source.Options{Allowed: loopback, Secret: map[string][]byte{".dockerconfigjson": registry.DockerConfig(registrytest.Password)}}
	content := archive(t,
		tar.Header{Typeflag: tar.TypeXGlobalHeader},
		tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o700},
		plain("./web/run", 0o775, "#!/bin/sh\n"), // without an entry for its directory before it
		tar.Header{Typeflag: tar.TypeDir, Name: "./web/", Mode: 0o700},
		plain("README", 0o600, "a"),
		tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "web/run"},
	)
	want := map[string]string{"README": "-rw-r--r-- a", "web": "drwxr-xr-x", "web/run": "-rwxr-xr-x #!/bin/sh\n", "link": "-> web/run"}
	notes := map[string]string{ociv1.AnnotationRevision: "main@sha1:1234", ociv1.AnnotationCreated: "2026-11-20T08:00:00Z", ociv1.AnnotationTitle: ""}
	for name, layers := range map[string][]layer{
		"flux": {{"application/vnd.example.document", []byte("{}")}, {fluxLayer, zipped(t, content)}},
		"oras": {{tarLayer + "+gzip", zipped(t, content)}},
		"tar":  {{tarLayer, content}},
	} {
		digest := push(t, registry, name, notes, layers...)
		revision := require.Value(source.Resolve(t.Context(), ociSource(registry, name), o))(t)
		expected := &source.Revision{ID: digest, Ref: name, Summary: "main@sha1:1234", Time: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
		if diff := cmp.Diff(expected, revision); diff != "" {
			t.Errorf("%s: the revision differs: %s", name, diff)
		}
		push(t, registry, name, nil, layer{tarLayer, archive(t)}) // the tag moves on
		folder := t.TempDir()
		tree := require.Value(source.Fetch(t.Context(), ociSource(registry, name), revision.ID, folder, o))(t)
		if diff := cmp.Diff(want, read(t, folder)); diff != "" || tree.Files != 2 || tree.Links != 1 {
			t.Errorf("%s: the files differ: %s, %+v", name, diff, tree)
		}
	}
	digest := push(t, registry, "latest", nil, layer{tarLayer, archive(t)})
	revision := require.Value(source.Resolve(t.Context(), ociSource(registry, ""), o))(t)
	if *revision != (source.Revision{ID: digest, Ref: "latest"}) {
		t.Errorf("got %+v", revision)
	}
}

func TestArtifactsThatCannotBeWritten(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	o := source.Options{Allowed: loopback, Secret: map[string][]byte{".dockerconfigjson": registry.DockerConfig(registrytest.Password)}}
	link := func(name, target string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
	}
	directory := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755} }
	tarred := func(headers ...tar.Header) []layer { return []layer{{tarLayer, archive(t, headers...)}} }
	for i, test := range []struct {
		name   string
		layers []layer
		limits source.Limits
		reason string
		text   string
	}{
		{"a link out of the tree", tarred(link("a", "../x")), source.Limits{}, source.Unsupported, `the link "a" leads to "../x"`},
		{"a file through a link", tarred(link("a", "b"), plain("a/x", 0o644, "")), source.Limits{}, source.Unsupported, `"a" exists twice`},
		{"a hard link", tarred(tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "/etc/passwd"}), source.Limits{}, source.Unsupported, `"a" is a hard link`},
		{"a device", tarred(tar.Header{Typeflag: tar.TypeBlock, Name: "a"}), source.Limits{}, source.Unsupported, `"a" is a device`},
		{"the parent", tarred(plain("a/../../x", 0o644, "")), source.Limits{}, source.Unsupported, `".."`},
		{"an absolute name", tarred(plain("/x", 0o644, "")), source.Limits{}, source.Unsupported, `the absolute name "/x"`},
		{".git", tarred(plain("a/.Git/config", 0o644, "")), source.Limits{}, source.Unsupported, `"a/.Git"`},
		{"twice", tarred(plain("a", 0o644, "1"), plain("./a", 0o644, "2")), source.Limits{}, source.Unsupported, `"a" exists twice`},
		{"many entries", tarred(plain("a/b/c", 0o644, "")), source.Limits{Entries: 2}, source.TooLarge, "more than 2 files"},
		{"many entries without a name", tarred(directory("./"), directory("./"), directory("./")), source.Limits{Entries: 2}, source.TooLarge, "more than 2 files"},
		{"one directory many times", tarred(directory("a"), directory("a"), directory("a")), source.Limits{Entries: 2}, source.TooLarge, "more than 2 files"},
		{"many comments", tarred(tar.Header{Typeflag: tar.TypeXGlobalHeader}, tar.Header{Typeflag: tar.TypeXGlobalHeader}, directory("a")), source.Limits{Entries: 2}, source.TooLarge, "more than 2 files"},
		{"a file without a name", tarred(plain(".", 0o644, "1")), source.Limits{}, source.Unsupported, `a file with the name "."`},
		{"a link without a name", tarred(link(".", "a")), source.Limits{}, source.Unsupported, `a file with the name "."`},
		{"a large file", []layer{{fluxLayer, zipped(t, archive(t, plain("a", 0o644, strings.Repeat("a", 5000))))}}, source.Limits{File: 1000}, source.TooLarge, `"a" has 5000 bytes`},
		{"a large download", tarred(plain("a", 0o644, noise(1, 5000))), source.Limits{Download: 1000}, source.TooLarge, "more than 1000 bytes"},
		{"no archive", []layer{{tarLayer, []byte(noise(1, 5000))}}, source.Limits{}, source.Unsupported, "no tar archive"},
		{"half an archive", []layer{{tarLayer, archive(t, plain("a", 0o644, noise(1, 5000)))[:2000]}}, source.Limits{}, source.Unsupported, "no tar archive"},
		{"half a compressed archive", []layer{{fluxLayer, zipped(t, archive(t, plain("a", 0o644, noise(1, 5000))))[:2000]}}, source.Limits{}, source.Unsupported, "no tar archive"},
	} {
		t.Run(test.name, func(t *testing.T) {
			digest := push(t, registry, fmt.Sprint(i), nil, test.layers...)
			o.Limits = test.limits
			_, err := source.Fetch(t.Context(), ociSource(registry, ""), digest, t.TempDir(), o)
			wantError(t, err, test.reason, test.text)
		})
	}
	push(t, registry, "image", nil, layer{tarLayer, archive(t)}, layer{tarLayer, archive(t, plain("a", 0o644, ""))})
	push(t, registry, "document", nil, layer{"application/json", []byte("{}")})
	pushManifest(t, registry, "index", ociv1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageIndex, Manifests: []ociv1.Descriptor{}})
	o.Limits = source.Limits{}
	for tag, text := range map[string]string{"image": "has 2 layers", "document": `the type "application/json"`, "index": "is an index, which names several artifacts"} {
		_, err := source.Resolve(t.Context(), ociSource(registry, tag), o)
		wantError(t, err, source.Unsupported, text)
	}
}

func TestTheHolesOfSparseFilesAreFilled(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	o := source.Options{Allowed: loopback, Secret: map[string][]byte{".dockerconfigjson": registry.DockerConfig(registrytest.Password)}}
	folder := t.TempDir()
	content := "begin" + strings.Repeat("\x00", 1<<20) + "end"
	file := require.Value(os.Create(filepath.Join(folder, "sparse")))(t)
	require.Value(file.WriteString("begin"))(t)
	require.Value(file.WriteAt([]byte("end"), int64(len(content)-3)))(t) // tar looks for holes only in a file that has some
	require.NoError(t, file.Close())
	for _, format := range [][]string{{"--format=gnu"}, {"--format=pax", "--sparse-version=0.0"}, {"--format=pax", "--sparse-version=0.1"}, {"--format=pax", "--sparse-version=1.0"}} {
		made := require.Value(exec.Command("tar", append(format, "--create", "--sparse", "--hole-detection=raw", "--directory="+folder, "sparse")...).Output())(t)
		if len(made) > 100_000 {
			t.Fatalf("%q: the archive is not sparse: it has %d bytes", format, len(made))
		}
		pushed := push(t, registry, "sparse", nil, layer{tarLayer, made})
		written := t.TempDir()
		require.Value(source.Fetch(t.Context(), ociSource(registry, ""), pushed, written, o))(t)
		if got := read(t, written)["sparse"]; got != "-rw-r--r-- "+content {
			t.Errorf("%q: the file has %d bytes", format, len(got))
		}
		o.Limits = source.Limits{File: 1 << 20}
		_, err := source.Fetch(t.Context(), ociSource(registry, ""), pushed, t.TempDir(), o)
		wantError(t, err, source.TooLarge, `"sparse" has 1048584 bytes`)
		o.Limits = source.Limits{}
	}
}

func TestAContentWithoutADigestIsNotFetched(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	o := source.Options{Allowed: loopback, Secret: map[string][]byte{".dockerconfigjson": registry.DockerConfig(registrytest.Password)}}
	registry.Inject(100, http.MethodGet, "/blobs/", func(_ http.ResponseWriter, req *http.Request, _ http.Handler) {
		t.Errorf("the registry is asked for %s", req.URL.Path)
	})
	content := archive(t, plain("a", 0o644, ""))
	size := int64(len(content))
	for _, layer := range []ociv1.Descriptor{
		{Digest: "../../../../_catalog", Size: size}, {Digest: "sha256:../../../x", Size: size}, {Digest: "", Size: size}, {Digest: "sha256:" + digest.Digest(strings.Repeat("A", 64)), Size: size},
		{Digest: digest.SHA512.FromBytes(content), Size: size}, {Digest: digest.FromBytes(content), Size: -1},
	} {
		layer.MediaType = tarLayer
		pushed := pushManifest(t, registry, "a", ociv1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageManifest, Config: ociv1.DescriptorEmptyJSON, Layers: []ociv1.Descriptor{layer}})
		_, err := source.Resolve(t.Context(), ociSource(registry, "a"), o)
		wantError(t, err, source.Unsupported, fmt.Sprintf(`the manifest %s names a layer with the digest "%.20s`, pushed, layer.Digest))
		_, err = source.Fetch(t.Context(), ociSource(registry, "a"), pushed, t.TempDir(), o)
		wantError(t, err, source.Unsupported, "push the artifact again")
	}
}

func TestRegistriesThatFail(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	digest := push(t, registry, "v1", nil, layer{tarLayer, archive(t, plain("a", 0o644, noise(1, 5000)))})
	config := func(password string) map[string][]byte {
		return map[string][]byte{".dockerconfigjson": registry.DockerConfig(password)}
	}
	o := source.Options{Allowed: loopback, Secret: config(registrytest.Password)}
	_, err := source.Resolve(t.Context(), ociSource(registry, "v2"), o)
	wantError(t, err, source.NotFound, "resolve "+registry.Host()+"/team/files")
	_, err = source.Resolve(t.Context(), ociSource(registry, "v1"), source.Options{Allowed: loopback})
	wantError(t, err, source.Denied, "name a Secret in spec.source.oci.secretRef")
	_, err = source.Resolve(t.Context(), ociSource(registry, "v1"), source.Options{Allowed: loopback, Secret: config("wrong password")})
	wantError(t, err, source.Denied, "correct the entry for "+registry.Host())
	_, err = source.Resolve(t.Context(), ociSource(registry, "v1"), source.Options{Secret: o.Secret})
	wantError(t, err, source.Refused, "127.0.0.1 is refused")
	registry.Inject(1, http.MethodGet, "/blobs/", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		_, _ = w.Write(archive(t, plain("a", 0o644, noise(2, 5000))))
	})
	_, err = source.Fetch(t.Context(), ociSource(registry, "v1"), digest, t.TempDir(), o)
	wantError(t, err, source.Unavailable, "sent other content")
}

type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }

func opener(content []byte) func() (transport.File, error) {
	return func() (transport.File, error) { return memoryFile{bytes.NewReader(content)}, nil }
}
