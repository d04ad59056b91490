// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

func contentOf(raw []byte) transport.Content {
	return transport.Content{
		Digest: digest.FromBytes(raw).String(), SizeBytes: int64(len(raw)),
		Open: func() (transport.File, error) { return memory{bytes.NewReader(raw)}, nil },
	}
}

func randomBytes(size int) []byte {
	random := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(random)
	return random
}

func artifact(target, tag string, content []byte) Artifact {
	platform := target[:strings.LastIndex(target, "/")]
	return Artifact{
		Target: target, Platform: platform, MediaType: "application/vnd.example.disk", Content: contentOf(content),
		Annotations: map[string]string{"b": "2", "a": "1"}, Tag: tag,
	}
}

func withDocuments(a Artifact) Artifact {
	a.Documents = []Document{
		{Content: contentOf([]byte("sbom of " + a.Target)), MediaType: "application/vnd.cyclonedx+json"},
		{Content: contentOf([]byte("provenance of " + a.Target)), MediaType: "application/vnd.in-toto+json"},
	}
	return a
}

// pushIn pushes to a repository of the registry.
func pushIn(t *testing.T, r *registrytest.Registry, o transport.Options, artifacts ...Artifact) ([]Pushed, error) {
	t.Helper()
	if o.Clock == nil {
		o.Clock = registrytest.NewClock()
	}
	return Push(t.Context(), r.Host()+"/team/web", artifacts, o)
}

func TestPushedArtifactsAreInTheRegistry(t *testing.T) {
	for _, referrers := range []bool{true, false} {
		t.Run(fmt.Sprintf("referrers API %t", referrers), func(t *testing.T) {
			r := registrytest.New(t, registrytest.Options{Referrers: referrers})
			disk := randomBytes(300 << 10)
			var progress []int64
			options := transport.Options{Progress: func(bytes int64) { progress = append(progress, bytes) }}
			pushed, err := pushIn(t, r, options, withDocuments(artifact("linux/amd64/raw", "v1", disk)))
			require.NoError(t, err)
			want := r.Host() + "/team/web@" + pushed[0].Digest
			if len(pushed) != 1 || pushed[0].Location != want || pushed[0].Target != "linux/amd64/raw" || pushed[0].Tag != "v1" {
				t.Errorf("pushed %+v, want the location %s", pushed, want)
			}
			manifest := manifestOf(t, r, "v1")
			if manifest.ArtifactType != "application/vnd.example.disk" || len(manifest.Layers) != 1 ||
				manifest.Layers[0].Annotations[ociv1.AnnotationTitle] != "linux-amd64.raw" || manifest.Annotations["a"] != "1" ||
				manifest.Config.MediaType != ociv1.MediaTypeEmptyJSON {
				t.Errorf("the manifest is %+v", manifest)
			}
			if _, got := r.Get("/team/web/blobs/" + manifest.Layers[0].Digest.String()); !bytes.Equal(got, disk) {
				t.Errorf("the registry has other %d bytes than pushed", len(got))
			}
			if got := referrersOf(t, r, pushed[0].Digest, referrers); !slices.Equal(got, []string{"application/vnd.cyclonedx+json", "application/vnd.in-toto+json"}) {
				t.Errorf("the referrers are %v", got)
			}
			for location, kind := range map[string]string{pushed[0].Documents[0]: "application/vnd.cyclonedx+json", pushed[0].Documents[1]: "application/vnd.in-toto+json"} {
				digest, ok := strings.CutPrefix(location, r.Host()+"/team/web@")
				if !ok || manifestOf(t, r, digest).ArtifactType != kind {
					t.Errorf("the location %q is not that of the document of type %s", location, kind)
				}
			}
			if requests := r.Requests(); slices.ContainsFunc(requests, func(r string) bool { return strings.HasPrefix(r, "DELETE ") }) {
				t.Errorf("the push deletes: %q", requests)
			}
			if !slices.IsSorted(progress) || progress[len(progress)-1] < int64(len(disk)) {
				t.Errorf("the progress was %v", progress)
			}
		})
	}
}

func manifestOf(t *testing.T, r *registrytest.Registry, reference string) (m ociv1.Manifest) {
	t.Helper()
	status, content := r.Get("/team/web/manifests/" + reference)
	require.NoError(t, json.Unmarshal(content, &m))
	if status != 200 {
		t.Fatalf("GET manifest %s: %d", reference, status)
	}
	return m
}

func referrersOf(t *testing.T, r *registrytest.Registry, subject string, api bool) (types []string) {
	t.Helper()
	path := "/team/web/referrers/" + subject
	if !api {
		path = "/team/web/manifests/" + strings.Replace(subject, ":", "-", 1)
	}
	_, content := r.Get(path)
	var index ociv1.Index
	require.NoError(t, json.Unmarshal(content, &index))
	for _, m := range index.Manifests {
		types = append(types, manifestOf(t, r, m.Digest.String()).ArtifactType)
	}
	slices.Sort(types)
	return types
}

func TestFetchReadsFromAnOffset(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{Auth: "Bearer", TokenUses: 2})
	disk := randomBytes(300 << 10)
	config := transport.Options{DockerConfig: r.DockerConfig(registrytest.Password)}
	pushed, err := pushIn(t, r, config, artifact("linux/amd64/raw", "", disk))
	require.NoError(t, err)
	for _, offset := range []int64{0, 1, 100_000, int64(len(disk))} {
		fetched, err := Fetch(t.Context(), pushed[0].Location, digest.FromBytes(disk).String(), offset, config)
		require.NoError(t, err)
		got, err := io.ReadAll(fetched)
		require.NoError(t, err)
		require.NoError(t, fetched.Close())
		if !bytes.Equal(got, disk[offset:]) || fetched.SizeBytes != int64(len(disk)) {
			t.Errorf("fetched %d bytes from %d of %d bytes", len(got), offset, fetched.SizeBytes)
		}
	}
}

func TestTheOrderOfAPush(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{Referrers: true})
	artifacts := []Artifact{
		withDocuments(artifact("linux/amd64/raw", "v1", []byte("one"))),
		artifact("linux/arm64/raw", "v1", []byte("two")),
		artifact("linux/arm64/qcow2", "v0", []byte("two")),
	}
	_, err := pushIn(t, r, transport.Options{}, artifacts...)
	require.NoError(t, err)
	requests := r.Requests()
	steps := []func(request string) bool{
		func(r string) bool { return strings.HasPrefix(r, "PUT ") && strings.Contains(r, "/uploads/") },
		func(r string) bool { return strings.HasPrefix(r, "PUT /v2/team/web/manifests/sha256:") },
		func(r string) bool { return r == "PUT /v2/team/web/manifests/v0" },
		func(r string) bool { return r == "PUT /v2/team/web/manifests/v1" },
	}
	counts := []int{5, 6, 1, 1} // 2 contents, 2 documents and the configuration; 3 manifests of artifacts, 2 of documents and an index
	for i, step := range steps {
		matching := slices.DeleteFunc(slices.Clone(requests), func(r string) bool { return !step(r) })
		if len(matching) != counts[i] {
			t.Errorf("step %d has the requests %q, want %d", i, matching, counts[i])
		}
	}
	if got := requests[len(requests)-3:]; !slices.Equal(got, []string{"PUT /v2/team/web/manifests/v0", "HEAD /v2/team/web/manifests/v1", "PUT /v2/team/web/manifests/v1"}) {
		t.Errorf("the last requests are %q, want that tags come last", got)
	}

	_, err = pushIn(t, r, transport.Options{}, artifacts...)
	require.NoError(t, err)
	for _, request := range r.Requests() {
		listing := strings.HasPrefix(request, "GET /v2/team/web/referrers/")
		if referrer := strings.HasPrefix(request, "PUT /v2/team/web/manifests/sha256:"); !strings.HasPrefix(request, "HEAD ") && !referrer && !listing {
			t.Errorf("the second push sends %s", request)
		}
	}
}

func TestAPushThatEndsAnywhereMovesNoTagAndIsCompletedByTheNext(t *testing.T) {
	index := attestsIndexes(statementsOf(t, "web-1", "a"))
	artifacts := []Artifact{
		attested(withDocuments(artifact("linux/amd64/raw", "v1", randomBytes(80<<10))), statementsOf(t, "web-1", "a")),
		attested(withDocuments(artifact("linux/arm64/raw", "v1", randomBytes(90<<10))), statementsOf(t, "web-1", "a")),
	}
	for allowed := range 300 {
		r := registrytest.New(t, registrytest.Options{})
		r.Inject(allowed, "", "", func(w http.ResponseWriter, req *http.Request, next http.Handler) { next.ServeHTTP(w, req) })
		r.Inject(1, "", "", registrytest.Status(403))
		_, err := pushAttested(t, r, index, transport.Options{}, artifacts...)
		if err == nil {
			if allowed < 20 {
				t.Errorf("a push needs %d requests only", allowed)
			}
			return
		}
		if tags := slices.DeleteFunc(r.Tags("team/web"), func(tag string) bool { return strings.HasPrefix(tag, "sha256-") }); len(tags) != 0 {
			t.Errorf("after %d requests the push ended, and the repository has the tags %v", allowed, tags)
		}
		pushed, err := pushAttested(t, r, index, transport.Options{}, artifacts...)
		require.NoError(t, err)
		for _, p := range pushed {
			if got, signatures := referrersOf(t, r, p.Digest, false), layersOf(t, r, p.Digest, ".sig"); len(got) != 6 || len(signatures) != 1 {
				t.Errorf("after a push that ended after %d requests, %s has the referrers %v and %d signatures", allowed, p.Target, got, len(signatures))
			}
		}
		if _, index := r.Get("/team/web/manifests/v1"); len(layersOf(t, r, digest.FromBytes(index).String(), ".sig")) != 1 {
			t.Errorf("after a push that ended after %d requests, the index is not signed", allowed)
		}
	}
	t.Error("the push did not end within 300 requests")
}

func TestATagOfSeveralArtifactsNamesAnIndex(t *testing.T) {
	one, two := artifact("linux/amd64/raw", "v1", []byte("one")), artifact("linux/arm/v7/qcow2", "v1", []byte("two"))
	var digests []string
	for _, artifacts := range [][]Artifact{{one, two}, {two, one}} {
		r := registrytest.New(t, registrytest.Options{})
		pushed, err := pushIn(t, r, transport.Options{}, artifacts...)
		require.NoError(t, err)
		_, content := r.Get("/team/web/manifests/v1")
		digests = append(digests, digest.FromBytes(content).String())
		var index ociv1.Index
		require.NoError(t, json.Unmarshal(content, &index))
		if len(index.Manifests) != 2 {
			t.Fatalf("the index is %s", content)
		}
		arm := index.Manifests[1]
		if index.MediaType != ociv1.MediaTypeImageIndex || arm.Annotations[AnnotationTarget] != "linux/arm/v7/qcow2" || arm.ArtifactType != two.MediaType ||
			arm.Platform.OS != "linux" || arm.Platform.Architecture != "arm" || arm.Platform.Variant != "v7" {
			t.Errorf("the index is %s", content)
		}
		for _, p := range pushed {
			if !slices.ContainsFunc(index.Manifests, func(d ociv1.Descriptor) bool { return d.Digest.String() == p.Digest }) {
				t.Errorf("the index does not have %+v", p)
			}
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("the same artifacts in another order have the index %s instead of %s", digests[1], digests[0])
	}
}

// TestDigestsOfManifestsStay fails if a manifest has a time, or if another version writes other manifests of the same artifacts.
func TestDigestsOfManifestsStay(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	pushed, err := pushIn(t, r, transport.Options{}, withDocuments(artifact("linux/amd64/raw", "v1", []byte("disk"))))
	require.NoError(t, err)
	if want := "sha256:439f9f657164da2885e5817edb163b924b8b19989e30bdb32a4a711e48598c01"; pushed[0].Digest != want {
		t.Errorf("the manifest has the digest %s, want %s", pushed[0].Digest, want)
	}
}

func TestPushesOfOneTagAtTheSameTimeLeaveAWholeArtifact(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	contents := [][]byte{randomBytes(100 << 10), randomBytes(110 << 10)}
	errs := make(chan error)
	for _, content := range contents {
		go func() {
			_, err := pushIn(t, r, transport.Options{}, artifact("linux/amd64/raw", "v1", content))
			errs <- err
		}()
	}
	require.NoError(t, errors.Join(<-errs, <-errs))
	if got := pulled(t, r); got != string(contents[0]) && got != string(contents[1]) {
		t.Errorf("the tag names a content of %d bytes, which nobody pushed", len(got))
	}
}

// pulled returns the content that the tag v1 names.
func pulled(t *testing.T, r *registrytest.Registry) string {
	t.Helper()
	_, content := r.Get("/team/web/blobs/" + manifestOf(t, r, "v1").Layers[0].Digest.String())
	return string(content)
}

func TestATagHasToBeOne(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	_, err := pushIn(t, r, transport.Options{}, artifact("linux/amd64/raw", "a", nil), artifact("linux/arm64/raw", "a tag", nil))
	if failure, ok := errors.AsType[*transport.Error](err); !ok || failure.Reason != v1alpha1.ReasonRegistryRefused || len(r.Requests()) != 0 {
		t.Errorf("got %v, want a refusal without a request", err)
	}
}

func TestTheRepositoryHasToBeOne(t *testing.T) {
	for _, repository := range []string{"", "web", "registry.example", "registry.example/web:v1", "registry.example/Web", "https://registry.example/web", "user:password@registry.example/web"} {
		_, err := Push(t.Context(), repository, nil, transport.Options{})
		if failure, ok := errors.AsType[*transport.Error](err); !ok || failure.Reason != v1alpha1.ReasonRegistryRefused || strings.Contains(err.Error(), "password") {
			t.Errorf("%q: got %v, want that it is no repository", repository, err)
		}
	}
}
