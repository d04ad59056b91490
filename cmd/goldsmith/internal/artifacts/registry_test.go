// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"archive/tar"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/result"
)

const bom = `{"bomFormat": "CycloneDX"}`

// memory is a file in memory.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func contentOf(text string) transport.Content {
	return transport.Content{
		Digest: digestOf(text), SizeBytes: int64(len(text)), Open: func() (transport.File, error) { return memory{bytes.NewReader([]byte(text))}, nil },
	}
}

// noLogins gives the user an empty home, without credentials.
func noLogins(t *testing.T) (home string) {
	t.Helper()
	home = t.TempDir()
	t.Setenv("HOME", home)
	for _, variable := range []string{"REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"} {
		t.Setenv(variable, "")
	}
	return home
}

// login lets the user have credentials for a registry.
func login(t *testing.T, registry *registrytest.Registry, password string) {
	t.Helper()
	directory := noLogins(t)
	t.Setenv("DOCKER_CONFIG", directory)
	require.NoError(t, os.WriteFile(filepath.Join(directory, "config.json"), registry.DockerConfig(password), 0o600))
}

// publishedIn returns a build whose artifact, which has a text, is in a registry. If kept is true, the server should have it, too.
func publishedIn(t *testing.T, registry *registrytest.Registry, mediaType, text string, kept bool) *v1alpha1.ImageBuild {
	t.Helper()
	pushed := require.Value(publish.Push(t.Context(), registry.Host()+"/team/debian", []publish.Artifact{{
		Target: "linux/amd64/raw", Platform: "linux/amd64", MediaType: mediaType, Content: contentOf(text),
		Documents: []publish.Document{{Content: contentOf(bom), MediaType: "application/vnd.cyclonedx+json"}},
	}}, transport.Options{DockerConfig: registry.DockerConfig(registrytest.Password)}))(t)
	registry.Requests()
	build := debian7()
	artifact := &build.Status.Artifacts[0]
	artifact.Location, artifact.Digest, artifact.SizeBytes = pushed[0].Location, digestOf(text), int64(len(text))
	artifact.Documents = []v1alpha1.ArtifactDocument{{
		Type: v1alpha1.DocumentSBOM, Digest: digestOf(bom), SizeBytes: int64(len(bom)), MediaType: "application/vnd.cyclonedx+json",
		Location: pushed[0].Documents[0],
	}}
	if !kept {
		artifact.Verified = ""
	}
	return build
}

func TestAnArtifactThatTheServerDoesNotKeepIsFetchedFromItsRegistry(t *testing.T) {
	const blob, manifest, token = "GET /v2/team/debian/blobs/", "GET /v2/team/debian/manifests/", "GET /token"
	gone, missing := refuse(http.StatusGone, "no longer kept"), refuse(http.StatusNotFound, "the builder published it elsewhere")
	wrong := func(writer http.ResponseWriter, _ *http.Request, _ http.Handler) {
		_, _ = writer.Write([]byte("9876543210"))
	}
	falls := "• the server does not keep the artifact linux/amd64/raw of build debian-7: fetching it from 127.0.0.1:"
	for title, test := range map[string]struct {
		options registrytest.Options
		kept    bool
		answers []answer           // of the server
		fault   registrytest.Fault // of the registry's blob
		ranges  []string           // that the server is asked for
		// requests are those that the registry gets, without digests.
		requests []string
		stderr   string
		fails    string
	}{
		"in one request":       {requests: []string{manifest, blob}, stderr: "• fetching artifact linux/amd64/raw of build debian-7, 10 B, from 127.0.0.1:"},
		"not if it is kept":    {kept: true, ranges: []string{""}, stderr: "verified"},
		"if it was removed":    {kept: true, answers: []answer{gone}, ranges: []string{""}, requests: []string{manifest, blob}, stderr: falls},
		"if it was never kept": {kept: true, answers: []answer{missing}, ranges: []string{""}, requests: []string{manifest, blob}, stderr: falls},
		"if it is removed meanwhile": {
			kept: true, answers: []answer{cut(4), gone}, ranges: []string{"", "bytes=4-"}, requests: []string{manifest, blob}, stderr: falls,
		},
		"not if the server fails": {kept: true, answers: slices.Repeat([]answer{refuse(http.StatusBadGateway, "bad gateway")}, 6), ranges: slices.Repeat([]string{""}, 6), fails: "bad gateway"},
		"with credentials":        {options: registrytest.Options{Auth: "Basic"}, requests: []string{manifest, manifest, blob}},
		"after the connection breaks, with a new token": {
			options: registrytest.Options{Auth: "Bearer", TokenUses: 2}, fault: registrytest.Truncate(40),
			requests: []string{manifest, token, manifest, blob, blob, token, blob},
		},
		"not with other bytes": {fault: wrong, requests: []string{manifest, blob}, fails: "the fetched artifact linux/amd64/raw of build debian-7 is damaged: its digest is " + digestOf("9876543210")},
		"not if it is lost":    {fault: registrytest.Status(http.StatusNotFound), requests: []string{manifest, blob}, fails: "fetch the artifact linux/amd64/raw of build debian-7: fetch from 127.0.0.1:"},
	} {
		t.Run(title, func(t *testing.T) {
			registry := registrytest.New(t, test.options)
			build := publishedIn(t, registry, "application/x-raw-disk-image", text, test.kept)
			login(t, registry, registrytest.Password)
			if test.fault != nil {
				registry.Inject(1, http.MethodGet, "/blobs/", test.fault)
			}
			f := newFixture(t, test.answers...)
			err := f.asked.run(t.Context(), f.connection, build)
			var requests []string
			for _, request := range registry.Requests() {
				before, _, _ := strings.Cut(request, "sha256:")
				requests = append(requests, before)
			}
			if !slices.Equal(f.ranges, test.ranges) || !slices.Equal(requests, test.requests) {
				t.Errorf("got requests %q and %q", f.ranges, requests)
			}
			if !strings.Contains(f.stderr.String(), test.stderr) {
				t.Errorf("stderr %q", &f.stderr)
			}
			files := f.files()
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) || len(files) > 0 {
					t.Errorf("got error %v, left %v", err, files)
				}
				return
			}
			if err != nil || len(files) != 1 || files[name] != text {
				t.Errorf("got %v and error %v", files, err)
			}
		})
	}
}

func TestDocumentsAreFetchedFromTheRegistry(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{})
	build := publishedIn(t, registry, "application/x-raw-disk-image", text, false)
	f := newFixture(t)
	f.asked.document = "sbom"
	require.NoError(t, f.asked.run(t.Context(), f.connection, build))
	if files := f.files(); files[name+".cyclonedx"] != bom {
		t.Errorf("got %v", files)
	}
	build.Status.Artifacts[0].Documents[0].Digest = digestOf("another")
	f = newFixture(t)
	f.asked.document = "sbom"
	if err := f.asked.run(t.Context(), f.connection, build); err == nil || !strings.Contains(err.Error(), "has no content "+digestOf("another")) {
		t.Errorf("got error %v", err)
	}
}

// layout returns the tar of an OCI image layout with one image that is empty.
func layout() string {
	const config = `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`
	manifest := manifestOf(config)
	index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d}]}`,
		digestOf(manifest), len(manifest))
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	for _, file := range [][2]string{
		{"oci-layout", `{"imageLayoutVersion":"1.0.0"}`}, {"index.json", index},
		{"blobs/sha256/" + digestOf(manifest)[7:], manifest}, {"blobs/sha256/" + digestOf(config)[7:], config},
	} {
		_ = writer.WriteHeader(&tar.Header{Name: file[0], Size: int64(len(file[1])), Mode: 0o644, Typeflag: tar.TypeReg}) // writes into memory
		_, _ = writer.Write([]byte(file[1]))
	}
	_ = writer.Close()
	return packed.String()
}

func manifestOf(config string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[]}`, digestOf(config), len(config))
}

func TestWhatARegistryDoesNotHaveAsAFileHasARemedy(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	image := publishedIn(t, registry, result.MediaTypeLayout, layout(), false)
	file := func(change func(artifact *v1alpha1.Artifact)) *v1alpha1.ImageBuild {
		build := publishedIn(t, registry, "application/x-raw-disk-image", text, false)
		change(&build.Status.Artifacts[0])
		return build
	}
	manifest := file(func(artifact *v1alpha1.Artifact) { _, artifact.Digest, _ = strings.Cut(artifact.Location, "@") })
	for title, test := range map[string]struct {
		build    *v1alpha1.ImageBuild
		password string
		config   string // in place of that with the password
		want     []string
	}{
		"an image":               {build: image, password: registrytest.Password, want: []string{"pushed as an image", " pull " + image.Status.Artifacts[0].Location}},
		"a manifest":             {build: manifest, password: registrytest.Password, want: []string{"`podman pull " + manifest.Status.Artifacts[0].Location + "`"}},
		"another size":           {build: file(func(artifact *v1alpha1.Artifact) { artifact.SizeBytes++ }), password: registrytest.Password, want: []string{"the registry has 10 bytes, and the build reported 11"}},
		"the wrong password":     {build: image, password: "wrong", want: []string{"401", "docker login " + registry.Host()}},
		"no credentials":         {build: image, config: "{}", want: []string{"401", "docker login " + registry.Host()}},
		"a broken configuration": {build: image, config: "{", want: []string{"config.json is not JSON of a Docker configuration"}},
	} {
		login(t, registry, test.password)
		if test.config != "" {
			require.NoError(t, os.WriteFile(filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), []byte(test.config), 0o600))
		}
		f := newFixture(t)
		err := f.asked.run(t.Context(), f.connection, test.build)
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got error %v", title, err)
			}
		}
		if len(f.files()) > 0 || len(f.ranges) > 0 {
			t.Errorf("%s: left %v after %d requests to the server", title, f.files(), len(f.ranges))
		}
	}
}

// The order is that of containers-auth.json(5).
func TestCredentialsAreThoseOfPodmanThenOfDocker(t *testing.T) {
	for name, test := range map[string]struct {
		variables map[string]string
		want      [3]string
	}{
		"by default": {nil, [3]string{"", "HOME/.config/containers/auth.json", "HOME/.docker/config.json"}},
		"with variables": {map[string]string{"XDG_RUNTIME_DIR": "/run/user/1", "XDG_CONFIG_HOME": "/etc/me", "DOCKER_CONFIG": "/docker"},
			[3]string{"/run/user/1/containers/auth.json", "/etc/me/containers/auth.json", "/docker/config.json"}},
		"with a file":    {map[string]string{"XDG_RUNTIME_DIR": "/run/user/1", "REGISTRY_AUTH_FILE": "/auth"}, [3]string{"/auth", "HOME/.config/containers/auth.json", "HOME/.docker/config.json"}},
		"without a home": {map[string]string{"HOME": ""}, [3]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			home := noLogins(t)
			for variable, value := range test.variables {
				t.Setenv(variable, value)
			}
			logins := require.Value(readLogins())(t)
			for i, command := range []string{"podman login", "podman login", "docker login"} {
				if want := strings.ReplaceAll(test.want[i], "HOME", home); logins[i].File != want || logins[i].Config != nil || logins[i].Command != command {
					t.Errorf("got %+v, want the file %q of %s", logins[i], want, command)
				}
			}
		})
	}
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	build := publishedIn(t, registry, "application/x-raw-disk-image", "an image", false)
	login(t, registry, "wrong")
	file := filepath.Join(t.TempDir(), "auth.json")
	t.Setenv("REGISTRY_AUTH_FILE", file)
	require.NoError(t, os.WriteFile(file, registry.DockerConfig(registrytest.Password), 0o600))
	f := newFixture(t)
	require.NoError(t, f.asked.run(t.Context(), f.connection, build))
}

func TestCredentialsAreReadOnlyForARegistry(t *testing.T) {
	directory := noLogins(t)
	t.Setenv("DOCKER_CONFIG", directory)
	require.NoError(t, os.Mkdir(filepath.Join(directory, "config.json"), 0o700))
	build := debian7()
	build.Status.Artifacts[0].Location = "registry.example.com/debian@" + digestOf("manifest")
	f := newFixture(t)
	require.NoError(t, f.asked.run(t.Context(), f.connection, build)) // the server keeps it
	build.Status.Artifacts[0].Verified = ""
	f = newFixture(t)
	if err := f.asked.run(t.Context(), f.connection, build); err == nil || !strings.Contains(err.Error(), ": read the credentials for registries: ") {
		t.Errorf("got error %v", err)
	}
}

func TestOnlyManifestsAreFetchedFromRegistries(t *testing.T) {
	digest := digestOf("manifest")
	for location, want := range map[string]string{
		"registry.example.com/team/debian@" + digest:          "registry.example.com/team/debian@" + digest,
		"registry.example.com:5000/debian:7@" + digest:        "registry.example.com:5000/debian@" + digest,
		"oci://registry.example.com/debian@" + digest:         "registry.example.com/debian@" + digest,
		"debian@" + digest:                                    "docker.io/library/debian@" + digest,
		"registry.example.com/debian:7":                       "",
		"https://registry.example.com/debian@" + digest:       "",
		"https://user:password@registry.example.com/debian:7": "",
		"/apis/images.goldsmith.dev/v1alpha1/" + digest:       "",
		"": "",
	} {
		if got, _, ok := ManifestAt(location); got != want || ok != (want != "") {
			t.Errorf("%s: got %q", location, got)
		}
	}
}

func TestTheBundleIsFetchedFromTheReferrers(t *testing.T) {
	noLogins(t)
	t.Chdir(t.TempDir())
	registry := registrytest.New(t, registrytest.Options{})
	build := publishedIn(t, registry, "application/x-raw-disk-image", text, true)
	f := newFixture(t)
	f.asked.document, f.asked.file = "bundle", "disk.bundle"
	if err := f.asked.run(t.Context(), f.connection, build); err == nil || !strings.HasSuffix(err.Error(), "has no bundle: "+registry.Host()+"/team/debian has no signed provenance about it") {
		t.Errorf("without bundles: got error %v", err)
	}
	_, manifest, _ := strings.Cut(build.Status.Artifacts[0].Location, "@")
	bundleOf := func(kind, about, invocation string) string {
		statement := attestation.Statement{Payload: fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],"predicateType":%q,"predicate":{"runDetails":{"metadata":{"invocationId":%q}}}}`,
			strings.TrimPrefix(about, "sha256:"), kind, invocation)}
		return string(require.Value(statement.Bundle(v1alpha1.StatementSignature{KeyID: digestOf("key"), Signature: []byte("signature")}))(t))
	}
	build.UID = "ours"
	other, ours := bundleOf(attestation.TypeProvenance, manifest, "theirs"), bundleOf(attestation.TypeProvenance, manifest, "ours")
	attach := func(bundles ...string) {
		t.Helper()
		pushed := publish.Artifact{Target: "linux/amd64/raw", Platform: "linux/amd64", MediaType: "application/x-raw-disk-image", Content: contentOf(text)}
		for _, bundle := range bundles {
			pushed.Documents = append(pushed.Documents, publish.Document{Content: contentOf(bundle), MediaType: v1alpha1.MediaTypeBundle})
		}
		require.Value(publish.Push(t.Context(), registry.Host()+"/team/debian", []publish.Artifact{pushed}, transport.Options{}))(t)
	}
	for _, want := range []string{other, ours} {
		attach("{}", bundleOf(attestation.TypeCycloneDX, manifest, "ours"), bundleOf(attestation.TypeProvenance, digestOf("other"), "ours"), other, want)
		f.asked.force = true
		require.NoError(t, f.asked.run(t.Context(), f.connection, build))
		if got := string(require.Value(os.ReadFile("disk.bundle"))(t)); got != want {
			t.Errorf("the bundle is %s", got)
		}
	}
}
