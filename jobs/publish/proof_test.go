// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	ocidigest "github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/result"
)

// statementsOf returns the statements about an artifact of a build, signed with keys.
func statementsOf(t *testing.T, build string, keys ...string) (all []v1alpha1.SignedStatement) {
	t.Helper()
	for _, of := range []string{attestation.TypeProvenance, attestation.TypeSPDX, attestation.TypeSignature, attestation.TypeSimpleSigning} {
		text := of // only the provenance differs from build to build
		if of == attestation.TypeProvenance {
			text += " of " + build
		}
		var payload bytes.Buffer
		writer := gzip.NewWriter(&payload)
		_ = require.Value(writer.Write([]byte(text)))(t)
		require.NoError(t, writer.Close())
		one := v1alpha1.SignedStatement{Type: of, Payload: payload.Bytes()}
		for _, key := range keys {
			one.Signatures = append(one.Signatures, v1alpha1.StatementSignature{KeyID: "sha256:" + strings.Repeat(key, 64), Signature: []byte(key + " signs " + text)})
		}
		all = append(all, one)
	}
	return all
}

// attested returns an artifact with statements about it.
func attested(a Artifact, statements []v1alpha1.SignedStatement) Artifact {
	a.Attest = func(context.Context, *Pushed) ([]v1alpha1.SignedStatement, error) { return statements, nil }
	return a
}

// attestsIndexes returns what gets the signatures among statements for each index.
func attestsIndexes(statements []v1alpha1.SignedStatement) attestIndex {
	return func(context.Context, string, []byte) ([]v1alpha1.SignedStatement, error) {
		return statements[len(statements)-2:], nil
	}
}

// pushAttested pushes to a repository of the registry, and attests indexes.
func pushAttested(t *testing.T, r *registrytest.Registry, attest attestIndex, o transport.Options, artifacts ...Artifact) ([]Pushed, error) {
	t.Helper()
	if o.Clock == nil {
		o.Clock = registrytest.NewClock()
	}
	p, err := newPusher(r.Host()+"/team/web", attest, o)
	require.NoError(t, err)
	defer p.Close()
	return p.push(t.Context(), artifacts)
}

// bundlesOf returns how many bundles of each type of statement clients find.
func bundlesOf(t *testing.T, r *registrytest.Registry, subject string) map[string]int {
	t.Helper()
	_, content := r.Get("/team/web/manifests/" + strings.Replace(subject, ":", "-", 1))
	var index ociv1.Index
	require.NoError(t, json.Unmarshal(content, &index))
	found := map[string]int{}
	for i := range index.Manifests {
		one := &index.Manifests[i]
		if one.ArtifactType == v1alpha1.MediaTypeBundle && one.Annotations[attestation.AnnotationBundleContent] == attestation.BundleContent {
			found[one.Annotations[attestation.AnnotationBundlePredicateType]]++
		}
	}
	return found
}

// layersOf returns the layers of a tag of a manifest for signatures.
func layersOf(t *testing.T, r *registrytest.Registry, subject, suffix string) []ociv1.Descriptor {
	t.Helper()
	return manifestOf(t, r, strings.Replace(subject, ":", "-", 1)+suffix).Layers
}

func TestSignaturesArePushedBeforeTagsAndTheSameAgain(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	disk := attested(artifact("linux/amd64/raw", "v1", []byte("disk")), statementsOf(t, "web-1", "a", "b"))
	pushed, err := pushIn(t, r, transport.Options{}, disk)
	require.NoError(t, err)
	subject := pushed[0].Digest
	want := map[string]int{attestation.TypeProvenance: 2, attestation.TypeSPDX: 2, attestation.TypeSignature: 2}
	if got := bundlesOf(t, r, subject); !maps.Equal(got, want) {
		t.Errorf("clients find the bundles %v, want %v", got, want)
	}
	signatures, envelopes := layersOf(t, r, subject, ".sig"), layersOf(t, r, subject, ".att")
	if len(signatures) != 2 || signatures[0].Digest != signatures[1].Digest || signatures[1].Annotations[attestation.AnnotationSignature] != "YiBzaWducyBhcHBsaWNhdGlvbi92bmQuZGV2LmNvc2lnbi5zaW1wbGVzaWduaW5nLnYxK2pzb24=" ||
		signatures[0].MediaType != attestation.TypeSimpleSigning {
		t.Errorf("the tag for signatures has %+v", signatures)
	}
	if len(envelopes) != 4 || envelopes[0].MediaType != attestation.EnvelopeMediaType || envelopes[3].Annotations[attestation.AnnotationPredicateType] != attestation.TypeSPDX {
		t.Errorf("the tag for statements has %+v", envelopes)
	}
	proofs := pushed[0].Proofs
	if len(proofs) != 2 || proofs[0].MediaType != v1alpha1.MediaTypeProvenance || string(proofs[0].Content) != attestation.TypeProvenance+" of web-1" ||
		proofs[1].MediaType != v1alpha1.MediaTypeBundle || !bytes.Contains(proofs[1].Content, []byte(`"hint":"qqqq`)) {
		t.Errorf("the documents are %s", proofs)
	}
	for _, proof := range proofs {
		_, at, _ := strings.Cut(proof.Location, "@")
		if manifest := manifestOf(t, r, at); manifest.ArtifactType != proof.MediaType || manifest.Subject.Digest.String() != subject {
			t.Errorf("the location %s has %+v", proof.Location, manifest)
		}
	}
	if requests := r.Requests(); requests[len(requests)-1] != "PUT /v2/team/web/manifests/v1" {
		t.Errorf("the last request is %s", requests[len(requests)-1])
	}

	again, err := pushIn(t, r, transport.Options{}, disk)
	require.NoError(t, err)
	for _, request := range r.Requests() {
		if strings.HasPrefix(request, "PUT ") && !strings.Contains(request, "/manifests/sha256:") {
			t.Errorf("the second push sends %s", request)
		}
	}
	if again[0].Digest != subject || again[0].Proofs[1].Location != proofs[1].Location || len(layersOf(t, r, subject, ".att")) != 4 || !maps.Equal(bundlesOf(t, r, subject), want) {
		t.Errorf("the second push differs: %+v", again[0])
	}
}

func TestAnIndexIsSignedAfterItsArtifactsAndBeforeItsTag(t *testing.T) {
	for name, test := range map[string]struct {
		change func(one, two *Artifact)
		signed bool
		saying string
		attest attestIndex
	}{
		"signed": {signed: true, saying: "pushed the signatures of the index of tag v1"},
		"nobody signs": {change: func(one, two *Artifact) {
			*one, *two = attested(*one, statementsOf(t, "web-1")), attested(*two, statementsOf(t, "web-1"))
		}},
		"an artifact is not attested": {change: func(_, two *Artifact) { two.Attest = nil }},
		"the server signs no index":   {attest: func(context.Context, string, []byte) ([]v1alpha1.SignedStatement, error) { return nil, nil }},
		"an artifact is an index": {change: func(_, two *Artifact) {
			i := newImages(t)
			two.MediaType, two.Content = result.MediaTypeLayout, contentOf(i.tar(on(i.image("one", "amd64"), "linux/amd64"), on(i.image("two", "arm64"), "linux/arm64")))
		}, saying: "the index of tag v1 is not signed, because linux/arm64/raw is an index itself"},
		"a large index": {change: func(one, _ *Artifact) { one.Platform = "linux/" + strings.Repeat("a", v1alpha1.MaxIndexBytes) }, saying: "bytes, more than 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			r := registrytest.New(t, registrytest.Options{})
			one := attested(artifact("linux/amd64/raw", "v1", []byte("one")), statementsOf(t, "web-1", "a", "b"))
			two := attested(artifact("linux/arm64/raw", "v1", []byte("two")), statementsOf(t, "web-1", "a", "b"))
			if test.change != nil {
				test.change(&one, &two)
			}
			attest, asked := test.attest, 0
			if attest == nil {
				attest = attestsIndexes(statementsOf(t, "web-1", "a", "b"))
			}
			observed := func(ctx context.Context, tag string, index []byte) ([]v1alpha1.SignedStatement, error) {
				if asked++; asked > 1 {
					return attest(ctx, tag, index)
				}
				var its ociv1.Index
				require.NoError(t, json.Unmarshal(index, &its))
				for i := range its.Manifests {
					layersOf(t, r, its.Manifests[i].Digest.String(), signatureTag)
				}
				if status, content := r.Get("/team/web/manifests/" + contents.Digest(index)); status != http.StatusOK || !bytes.Equal(content, index) || tag != "v1" || slices.Contains(r.Tags("team/web"), tag) {
					t.Errorf("the registry has %s, and the tags %v", content, r.Tags("team/web"))
				}
				return attest(ctx, tag, index)
			}
			var said []string
			for push := range 2 {
				_, err := pushAttested(t, r, observed, transport.Options{Log: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }}, one, two)
				require.NoError(t, err)
				_, index := r.Get("/team/web/manifests/v1")
				subject := contents.Digest(index)
				tagged := slices.Contains(r.Tags("team/web"), attachedTag(ocidigest.Digest(subject), signatureTag))
				if tagged != test.signed || tagged && (len(layersOf(t, r, subject, signatureTag)) != 2 || !maps.Equal(bundlesOf(t, r, subject), map[string]int{attestation.TypeSignature: 2})) {
					t.Errorf("after push %d, the index has the bundles %v, and signatures is %t", push+1, bundlesOf(t, r, subject), tagged)
				}
				if requests := r.Requests(); push == 0 && requests[len(requests)-1] != "PUT /v2/team/web/manifests/v1" {
					t.Errorf("the last request is %s", requests[len(requests)-1])
				}
			}
			if text := strings.Join(said, "\n"); !strings.Contains(text, test.saying) || test.saying == "" && strings.Contains(text, "index") {
				t.Errorf("said %q", said)
			}
		})
	}
}

func TestStatementsThatNobodySignsAreDocumentsOnly(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	pushed, err := pushIn(t, r, transport.Options{}, attested(artifact("linux/amd64/raw", "v1", []byte("disk")), statementsOf(t, "web-1")))
	require.NoError(t, err)
	if got := referrersOf(t, r, pushed[0].Digest, false); !slices.Equal(got, []string{v1alpha1.MediaTypeProvenance}) || len(pushed[0].Proofs) != 1 {
		t.Errorf("the referrers are %v, and the documents %+v", got, pushed[0].Proofs)
	}
	if tags := r.Tags("team/web"); len(tags) != 2 {
		t.Errorf("the tags are %v", tags)
	}
}

func TestOtherBuildsOfAContentAndOtherKeysLoseNoSignature(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	push := func(build, key string) string {
		pushed, err := pushIn(t, r, transport.Options{}, attested(artifact("linux/amd64/raw", "v1", []byte("disk")), statementsOf(t, build, key)))
		require.NoError(t, err)
		return pushed[0].Digest
	}
	subject := push("web-1", "a")
	first := slices.Concat(layersOf(t, r, subject, ".sig"), layersOf(t, r, subject, ".att"))
	push("web-2", "b")
	both := slices.Concat(layersOf(t, r, subject, ".sig"), layersOf(t, r, subject, ".att"))
	for _, layer := range first {
		if !slices.ContainsFunc(both, func(other ociv1.Descriptor) bool { return sameLayer(&layer, &other) }) {
			t.Errorf("the layer %+v is lost", layer)
		}
	}
	if len(both) != 2*len(first) {
		t.Errorf("the tags have %d layers, want %d", len(both), 2*len(first))
	}
	for i := range maxTagLayers {
		push(fmt.Sprint("next-", i), "a")
	}
	bounded := layersOf(t, r, subject, ".att")
	if len(bounded) != maxTagLayers || !slices.ContainsFunc(bounded, func(layer ociv1.Descriptor) bool {
		return layer.Annotations[attestation.AnnotationPredicateType] == attestation.TypeSPDX
	}) {
		t.Errorf("the tag has %d layers", len(bounded))
	}
	if got := bundlesOf(t, r, subject)[attestation.TypeProvenance]; got != maxTagLayers+2 {
		t.Errorf("clients find %d bundles of builds", got)
	}
}

// emptyList answers with a list of no referrers.
func emptyList(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("Content-Type", ociv1.MediaTypeImageIndex)
	_, _ = w.Write([]byte(`{"schemaVersion":2,"manifests":[]}`)) // the client may have left
}

func TestReferrersThatClientsDoNotFind(t *testing.T) {
	const always = 1 << 20
	for name, test := range map[string]struct {
		api     bool
		prepare func(*registrytest.Registry)
		want    v1alpha1.FailureReason
		saying  string
	}{
		"dropped": {true, func(r *registrytest.Registry) { r.Inject(always, http.MethodGet, "/referrers/", emptyList) }, v1alpha1.ReasonRegistryRefused,
			"the registry accepted 3 referrers and does not list 3 of them (retried for "},
		"listed late": {api: true, prepare: func(r *registrytest.Registry) { r.Inject(3, http.MethodGet, "/referrers/", emptyList) }},
		"announced without the API": {prepare: func(r *registrytest.Registry) {
			r.Inject(always, http.MethodPut, "/manifests/sha256:", registrytest.Header("OCI-Subject", "sha256:0"))
		}},
		"a list of the fallback that another push has replaced": {prepare: func(r *registrytest.Registry) {
			r.Inject(3, http.MethodGet, "/manifests/sha256-", func(w http.ResponseWriter, req *http.Request, next http.Handler) { next.ServeHTTP(w, req) })
			r.Inject(1, http.MethodGet, "/manifests/sha256-", emptyList) // before the last bundle is added
		}},
		"no answer": {true, func(r *registrytest.Registry) {
			r.Inject(always, http.MethodGet, "/referrers/", registrytest.Status(http.StatusServiceUnavailable))
		}, v1alpha1.ReasonRegistryUnavailable, "503"},
		"no permission": {true, func(r *registrytest.Registry) {
			r.Inject(always, http.MethodGet, "/referrers/", registrytest.Status(http.StatusForbidden))
		}, v1alpha1.ReasonRegistryDenied, "403"},
		"an error between the bundles and the tags": {prepare: func(r *registrytest.Registry) {
			r.Inject(1, http.MethodPut, ".sig", registrytest.Status(http.StatusInternalServerError))
		}},
		"errors between the bundles and the tags": {false, func(r *registrytest.Registry) {
			r.Inject(always, http.MethodPut, ".sig", registrytest.Status(http.StatusInternalServerError))
		}, v1alpha1.ReasonRegistryUnavailable, "500"},
	} {
		t.Run(name, func(t *testing.T) {
			r := registrytest.New(t, registrytest.Options{Referrers: test.api})
			test.prepare(r)
			pushed, err := pushIn(t, r, transport.Options{Clock: registrytest.NewClock()}, attested(artifact("linux/amd64/raw", "v1", []byte("disk")), statementsOf(t, "web-1", "a")))
			if test.want == "" {
				require.NoError(t, err)
				if got := bundlesOf(t, r, pushed[0].Digest); !test.api && len(got) != 3 {
					t.Errorf("clients find the bundles %v", got)
				}
				return
			}
			failure, ok := errors.AsType[*transport.Error](err)
			if !ok || failure.Reason != test.want || !strings.Contains(err.Error(), test.saying) {
				t.Fatalf("got %v, want %s: …%s…", err, test.want, test.saying)
			}
			if refused := strings.Contains(err.Error(), "set spec.output.attest to Never"); refused != (test.want == v1alpha1.ReasonRegistryRefused) {
				t.Errorf("got %v", err)
			}
			if slices.Contains(r.Tags("team/web"), "v1") {
				t.Error("the tag was moved")
			}
		})
	}
}

// immutable lets a registry refuse to change a tag that begins with sha256-.
func immutable(r *registrytest.Registry) {
	r.Inject(1<<20, http.MethodPut, "/manifests/sha256-", func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if status, _ := r.Get(strings.TrimPrefix(req.URL.Path, "/v2")); status == http.StatusOK {
			registrytest.WriteError(w, http.StatusBadRequest, "TAG_INVALID", "the tag already exists in the repository, which is immutable")
			return
		}
		next.ServeHTTP(w, req)
	})
}

func TestARegistryWithImmutableTags(t *testing.T) {
	for name, test := range map[string]struct {
		api, signed bool
		again       string // part of the error of a second build of the same content
		says        []string
	}{
		"the referrers API has the signatures of the second build": {api: true, signed: true, says: []string{".sig stays as it is", ".att stays as it is"}},
		"documents only": {says: []string{" stays as it is, because the registry refuses to change it"}},
		"nobody would find the signatures of the second build": {signed: true, again: "exempt tags that begin with sha256- from immutability"},
		"documents and the referrers API":                      {api: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := registrytest.New(t, registrytest.Options{Referrers: test.api})
			immutable(r)
			var said []string
			push := func(build, key string) (string, error) {
				disk := artifact("linux/amd64/raw", "", []byte("disk"))
				disk.Documents = []Document{{Content: contentOf([]byte("lock")), MediaType: "text/lock"}, {Content: contentOf([]byte("log of " + build)), MediaType: "text/plain"}}
				if test.signed {
					disk = attested(disk, statementsOf(t, build, key))
				}
				pushed, err := pushIn(t, r, transport.Options{Log: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }}, disk)
				if err != nil {
					return "", err
				}
				return pushed[0].Digest, nil
			}
			subject, err := push("web-1", "a")
			require.NoError(t, err)
			_, err = push("web-1", "a") // there is nothing to write
			require.NoError(t, err)
			if listed := len(referrersOf(t, r, subject, test.api)); listed != map[bool]int{false: 2, true: 6}[test.signed] {
				t.Errorf("%d referrers are listed", listed)
			}
			said = nil
			if _, err = push("web-2", "b"); (err == nil) != (test.again == "") || err != nil && !strings.Contains(err.Error(), test.again) {
				t.Errorf("the second build: %v", err)
			}
			text := strings.Join(said, "\n")
			for _, line := range test.says {
				if strings.Count(text, line) != 1 {
					t.Errorf("said %q, not %q", said, line)
				}
			}
			if len(test.says) == 0 && strings.Contains(text, "stays as it is") {
				t.Errorf("said %q", said)
			}
		})
	}
}

// Another push has read a tag before this push writes it, and writes it after this push.
func TestPushesOfTheSameContentLoseNothingOfEachOther(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	push := func(build, key string) (string, error) {
		disk := attested(withDocuments(artifact("linux/amd64/raw", "", []byte("disk"))), statementsOf(t, build, key))
		pushed, err := pushIn(t, r, transport.Options{}, disk)
		if err != nil {
			return "", err
		}
		return pushed[0].Digest, nil
	}
	subject, err := push("web-1", "a")
	require.NoError(t, err)
	for _, suffix := range []string{"", signatureTag, statementTag} {
		tag := "/team/web/manifests/" + attachedTag(ocidigest.Digest(subject), suffix)
		_, before := r.Get(tag)
		var of struct{ MediaType string }
		require.NoError(t, json.Unmarshal(before, &of))
		late := func(w http.ResponseWriter, req *http.Request, next http.Handler) {
			next.ServeHTTP(w, req)
			other := httptest.NewRequest(http.MethodPut, req.URL.Path, bytes.NewReader(before))
			other.Header.Set("Content-Type", of.MediaType)
			next.ServeHTTP(httptest.NewRecorder(), other)
		}
		r.Inject(2, http.MethodPut, tag, func(w http.ResponseWriter, req *http.Request, next http.Handler) {
			if !strings.HasSuffix(req.URL.Path, tag) {
				next.ServeHTTP(w, req) // of a tag with a suffix
				return
			}
			late(w, req, next)
		})
	}
	_, err = push("web-2", "b")
	require.NoError(t, err)
	if listed, signatures, envelopes := referrersOf(t, r, subject, false), layersOf(t, r, subject, signatureTag), layersOf(t, r, subject, statementTag); len(listed) != 10 ||
		len(signatures) != 2 || len(envelopes) != 4 {
		t.Errorf("%d referrers, %d signatures and %d statements are left", len(listed), len(signatures), len(envelopes))
	}
}
