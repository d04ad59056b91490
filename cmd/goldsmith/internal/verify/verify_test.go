// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	ocidigest "github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/sbom"
	"goldsmith.dev/goldsmith/jobs/signing"
)

const (
	raw, qcow2 = "linux/amd64/raw", "linux/amd64/qcow2"
	diskType   = "application/x-raw-disk-image"
	locked     = `{"version": 1, "packages": [{"name": "nginx", "version": "1.26.3-3", "architecture": "amd64"}, {"name": "bash", "version": "5", "architecture": "amd64"}]}`
	machine    = "https://goldsmith.dev/builders/test"
)

var now = time.Date(2026, time.November, 20, 12, 0, 0, 0, time.UTC)

func digest(text string) string { return contents.Digest([]byte(text)) }

// signer is a key.
type signer struct {
	*signing.PrivateKey
	public *signing.PublicKey
}

func newSigner(t *testing.T) signer {
	t.Helper()
	private := require.Value(signing.Generate())(t)
	return signer{private, require.Value(private.Public())(t)}
}

// sign returns the signature of a statement.
func (s signer) sign(t *testing.T, of *attestation.Statement) v1alpha1.StatementSignature {
	t.Helper()
	return v1alpha1.StatementSignature{KeyID: s.public.ID(), Signature: require.Value(s.SignStatement(of.SignedDigest()))(t)}
}

// bundles returns the bundles of statements.
func (s signer) bundles(t *testing.T, statements []attestation.Statement) (all []string) {
	t.Helper()
	for i := range statements {
		if statements[i].Type != attestation.TypeSimpleSigning {
			all = append(all, string(require.Value(statements[i].Bundle(s.sign(t, &statements[i])))(t)))
		}
	}
	return all
}

// signed returns the bundle of a file that is signed as it is.
func (s signer) signed(t *testing.T, content string) string {
	t.Helper()
	file := fileOf(t, content)
	signature := v1alpha1.StatementSignature{KeyID: s.public.ID(), Signature: require.Value(s.SignFile(file))(t)}
	return string(require.Value(attestation.OfFile(file).Bundle(signature))(t))
}

func fileOf(t *testing.T, content string) *signing.File {
	t.Helper()
	return require.Value(signing.ReadFile(strings.NewReader(content)))(t)
}

// signingKey returns the SigningKey of a key.
func (s signer) signingKey(name string, notAfter *metav1.Time) v1alpha1.SigningKey {
	return v1alpha1.SigningKey{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.SigningKeySpec{NotAfter: notAfter},
		Status: v1alpha1.SigningKeyStatus{KeyID: s.public.ID(), PublicKey: string(s.public.PEM())},
	}
}

func web() *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-7", UID: "uid-of-web-7"}}
	build.Spec.ImageRef, build.Spec.Number = &v1alpha1.ImageReference{Name: "web", UID: "image"}, new(int64(7))
	build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual, RequestedBy: "jane"}
	build.Spec.Inputs.Builder.Name = "debian"
	build.Status = v1alpha1.ImageBuildStatus{
		Phase: v1alpha1.BuildSucceeded, Finished: true, Resolved: &v1alpha1.ResolvedInputs{InputsDigest: inputs.Digest(build.Spec.Inputs, nil, "", "")},
		Attempts: []v1alpha1.BuildAttempt{{Number: 1, StartTime: metav1.NewTime(now), BuilderImage: "registry.example.com/debian@" + digest("builder")}},
	}
	return build
}

// statements returns the statements about an artifact of web with a content.
func statements(t *testing.T, target, content, location, manifest string) []attestation.Statement {
	t.Helper()
	return statementsOf(t, web(), target, content, location, manifest)
}

// statementsOf returns the statements about an artifact of a build.
func statementsOf(t *testing.T, build *v1alpha1.ImageBuild, target, content, location, manifest string) []attestation.Statement {
	t.Helper()
	var bill bytes.Buffer
	require.NoError(t, sbom.CycloneDX(&bill, require.Value(lock.Read([]byte(locked)))(t), sbom.Subject{Target: target, Digest: digest(content)}))
	artifact := &v1alpha1.Artifact{Target: target, Digest: digest(content), Location: location, Documents: []v1alpha1.ArtifactDocument{
		{Type: v1alpha1.DocumentLock, MediaType: v1alpha1.LockMediaType, Digest: digest(locked)},
		{Type: v1alpha1.DocumentSBOM, MediaType: v1alpha1.MediaTypeCycloneDX, Digest: digest(bill.String()), MadeBy: v1alpha1.DocumentMadeByGoldsmith},
	}}
	return require.Value(attestation.Make(build, attestation.Subject{Artifact: artifact, Manifest: manifest}, []byte(locked), attestation.Builder{ID: machine, Version: "1.2.3"}))(t)
}

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func inMemory(text string) transport.Content {
	return transport.Content{
		Digest: digest(text), SizeBytes: int64(len(text)), Open: func() (transport.File, error) { return memory{bytes.NewReader([]byte(text))}, nil },
	}
}

// pushed pushes an artifact with documents about it, and returns its location and the digest of its manifest.
func pushed(t *testing.T, registry *registrytest.Registry, content, tag string, documents ...publish.Document) (location, manifest string) {
	t.Helper()
	found := require.Value(publish.Push(t.Context(), registry.Host()+"/team/web", []publish.Artifact{{
		Target: raw, Platform: "linux/amd64", MediaType: diskType, Content: inMemory(content), Documents: documents, Tag: tag,
	}}, transport.Options{DockerConfig: registry.DockerConfig(registrytest.Password)}))(t)
	return found[0].Location, found[0].Digest
}

// attach pushes bundles as referrers of the artifact whose content is disk.
func attach(t *testing.T, registry *registrytest.Registry, bundles ...string) {
	t.Helper()
	var documents []publish.Document
	for _, bundle := range bundles {
		documents = append(documents, publish.Document{Content: inMemory(bundle), MediaType: v1alpha1.MediaTypeBundle})
	}
	pushed(t, registry, "disk", "", documents...)
}

// put puts something into a registry without authentication.
func put(t *testing.T, method, address, mediaType string, content []byte) {
	t.Helper()
	request := require.Value(http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(content)))(t)
	request.Header.Set("Content-Type", mediaType)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s: %s", method, address, answer.Status)
	}
}

// tag pushes statements into the tags of cosign.
func tag(t *testing.T, registry *registrytest.Registry, manifest string, by signer, all []attestation.Statement) {
	t.Helper()
	repository := "http://" + registry.Host() + "/v2/team/web"
	layers := map[string][]ociv1.Descriptor{}
	blob := func(mediaType string, content []byte) ociv1.Descriptor {
		put(t, http.MethodPost, repository+"/blobs/uploads/?digest="+contents.Digest(content), "application/octet-stream", content)
		return ociv1.Descriptor{MediaType: mediaType, Digest: ocidigest.Digest(contents.Digest(content)), Size: int64(len(content))}
	}
	for i := range all {
		signature, suffix, mediaType, content := by.sign(t, &all[i]), ".sig", attestation.TypeSimpleSigning, all[i].Payload
		if all[i].Type != attestation.TypeSimpleSigning {
			suffix, mediaType, content = ".att", attestation.EnvelopeMediaType, all[i].Envelope(signature)
		}
		layer := blob(mediaType, content)
		layer.Annotations = map[string]string{attestation.AnnotationSignature: base64.StdEncoding.EncodeToString(signature.Signature)}
		layers[suffix] = append(layers[suffix], layer)
	}
	config := blob(ociv1.MediaTypeImageConfig, []byte("{}"))
	for suffix, its := range layers {
		text := require.Value(json.Marshal(ociv1.Manifest{MediaType: ociv1.MediaTypeImageManifest, Config: config, Layers: its}))(t)
		put(t, http.MethodPut, repository+"/manifests/"+strings.Replace(manifest, ":", "-", 1)+suffix, ociv1.MediaTypeImageManifest, text)
	}
}

// noLogins gives the user an empty home, without credentials.
func noLogins(t *testing.T) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	for _, variable := range []string{"REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"} {
		t.Setenv(variable, "")
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

// answers maps the path below the API group, with the query, to the answer of the server: an object, a content or an error.
type answers map[string]any

const (
	signingKeys = "signingkeys"
	builds      = "namespaces/team/imagebuilds?fieldSelector=status.phase%3DSucceeded&limit=500"
	images      = "namespaces/team/images?limit=500"
	build7      = "namespaces/team/imagebuilds/web-7"
)

// serve starts a server with these answers. The server answers all other requests with NotFound.
func serve(t *testing.T, all answers) *client.Connection {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		asked := strings.TrimPrefix(in.URL.String(), "/apis/images.goldsmith.dev/v1alpha1/")
		resource, _, _ := strings.Cut(strings.TrimPrefix(asked, "namespaces/team/"), "/")
		refused := apierrors.NewNotFound(v1alpha1.Resource(resource), path.Base(asked)).ErrStatus
		switch answer := all[asked].(type) {
		case string:
			_, _ = out.Write([]byte(answer))
			return
		case runtime.Object:
			answer = answer.DeepCopyObject()
			answer.GetObjectKind().SetGroupVersionKind(v1alpha1.Kind(strings.TrimPrefix(fmt.Sprintf("%T", answer), "*v1alpha1.")))
			out.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(out).Encode(answer)
			return
		case *apierrors.StatusError:
			refused = answer.ErrStatus
		}
		refused.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(int(refused.Code))
		_ = json.NewEncoder(out).Encode(refused)
	}))
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	return &client.Connection{Interface: versioned.NewForConfigOrDie(config), Namespace: "team", Config: config}
}

// shown returns the output of the verb, with digests cut off, and its exit code. Without answers there is no server.
func shown(t *testing.T, asked options, argument string, answers answers) (stdout, stderr string, code int, err error) {
	t.Helper()
	var out, complaints bytes.Buffer
	asked.out, asked.stderr, asked.clock = &out, &complaints, testingclock.NewFakeClock(now)
	asked.connect = func() (*client.Connection, error) {
		if answers == nil {
			return nil, errors.New("no kubeconfig")
		}
		return serve(t, answers), nil
	}
	err = asked.run(t.Context(), argument)
	return regexp.MustCompile(`(sha256:[0-9a-f]{4})[0-9a-f]{60}`).ReplaceAllString(out.String(), "$1"), complaints.String(), exit.Code(t.Context(), err), err
}

// says checks what the verb showed.
func says(t *testing.T, name, stdout string, err error, code, wantCode int, want ...string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("%s: got exit code %d, error %v and\n%s", name, code, err, stdout)
		return
	}
	for _, text := range want {
		if !strings.Contains(stdout, text) && (err == nil || !strings.Contains(err.Error(), text)) {
			t.Errorf("%s: got error %v and no %q in\n%s", name, err, text, stdout)
		}
	}
}

func TestAFileIsVerified(t *testing.T) {
	t.Chdir(t.TempDir())
	noLogins(t)
	key, other, early := newSigner(t), newSigner(t), newSigner(t)
	all := statements(t, raw, "disk", "", digest("manifest"))
	bundles := key.bundles(t, all)
	provenance, bill := bundles[0], bundles[1]
	elsewhere := key.bundles(t, statements(t, raw, "other disk", "", digest("manifest")))[0]
	payload := base64.StdEncoding.EncodeToString(all[0].Payload)
	changedPayload := strings.Replace(provenance, payload, base64.StdEncoding.EncodeToString(bytes.Replace(all[0].Payload, []byte("jane"), []byte("evil"), 1)), 1)
	mine, theirs := key.sign(t, &all[0]), other.sign(t, &all[0])
	twice := fmt.Sprintf(`{"payloadType": "application/vnd.in-toto+json", "payload": %q, "signatures": [{"sig": %q}, {"sig": %q}]}`,
		payload, base64.StdEncoding.EncodeToString(theirs.Signature), base64.StdEncoding.EncodeToString(mine.Signature))
	selfReported := string(all[0].Payload)
	// Bundles which say that the signature of a statement is one of a file.
	encoding := fmt.Sprintf("DSSEv1 28 application/vnd.in-toto+json %d %s", len(all[0].Payload), all[0].Payload)
	aboutSums := statements(t, raw, "sums", "", digest("manifest"))[0]
	payloadOfImage := string(all[len(all)-1].Payload)
	asFile := func(statement *attestation.Statement, content string) string {
		return string(require.Value(attestation.OfFile(fileOf(t, content)).Bundle(key.sign(t, statement)))(t))
	}
	inBase64 := base64.StdEncoding.EncodeToString
	changedSignature := strings.Replace(provenance, inBase64(mine.Signature), inBase64(theirs.Signature), 1)
	for name, text := range map[string]string{
		"disk": "disk", "disk.raw": "disk", "beside.raw": "disk", "beside.raw.bundle": provenance, "both.raw": "disk", "both.raw.bundle": provenance,
		"both.raw.sigstore.json": bill, "flipped.raw": "dhsk", "provenance": provenance, "bill": bill, "elsewhere": elsewhere, "signature": changedSignature,
		"payload": changedPayload, "cut": provenance[:len(provenance)/2], "twice": twice, "of other": other.bundles(t, all)[0], "unsigned": selfReported,
		"nested": strings.Repeat("[", 1<<20), "large": strings.Repeat(" ", attestation.MaxBytes+1), "another type": strings.Replace(provenance, "vnd.in-toto+json", "vnd.evil+json", 1),
		"sums": "sums", "sums.sigstore.json": key.signed(t, "sums"), "encoding": encoding, "encoding.bundle": asFile(&all[0], encoding),
		"payload of image": payloadOfImage, "payload of image.bundle": asFile(&all[len(all)-1], payloadOfImage),
		"grafted":          string(require.Value(aboutSums.Bundle(v1alpha1.StatementSignature{KeyID: key.public.ID(), Signature: require.Value(key.SignFile(fileOf(t, "sums")))(t)}))(t)),
		"disk of encoding": key.bundles(t, statements(t, raw, encoding, "", digest("manifest")))[0],
		"key.pub":          string(key.public.PEM()), "other.pub": string(other.public.PEM()), "private.pem": string(require.Value(key.PEM())(t)),
	} {
		write(t, name, text)
	}
	require.NoError(t, os.Symlink("/dev/zero", "endless"))
	expired := metav1.NewTime(now.Add(-time.Hour))
	server := answers{signingKeys: &v1alpha1.SigningKeyList{Items: []v1alpha1.SigningKey{key.signingKey("web", nil), other.signingKey("db", nil)}}}
	oldServer := answers{signingKeys: &v1alpha1.SigningKeyList{Items: []v1alpha1.SigningKey{
		key.signingKey("old", &expired), early.signingKey("new", nil), {ObjectMeta: metav1.ObjectMeta{Name: "unread"}},
	}}}
	changed := key.signingKey("web", nil)
	changed.Status.KeyID = other.public.ID()
	ours := []string{"key.pub"}
	for name, test := range map[string]struct {
		file    string
		asked   options
		answers answers
		code    int
		want    []string
	}{
		"with its bundle": {file: "disk.raw", asked: options{keys: ours, bundles: []string{"provenance"}, offline: true}, want: []string{
			"✓ disk.raw is verified\n", "content      " + digest("disk")[:11] + ", computed from the file\n",
			"signature    valid, key key.pub (" + key.public.ID()[:11] + "): provenance\n",
			"provenance   build web-7 of image web in namespace team, requested by jane\n",
			"built by     " + machine + ", Goldsmith 1.2.3\n", "builder      debian registry.example.com/debian@" + digest("builder")[:11] + "\n",
			"started      2026-11-20T12:00:00Z\n", "inputs       " + web().Status.Resolved.InputsDigest[:11] + ", dependencies: 3\n", "packages     2\n",
		}},
		"that is signed as it is": {file: "./sums", asked: options{fileKeys: ours, offline: true}, want: []string{ // the columns are as wide as without provenance
			"✓ ./sums is verified\n  content     " + digest("sums")[:11] + ", computed from the file\n  signature   valid, key of files key.pub (" + key.public.ID()[:11] + "): signature\n",
		}},
		"that is signed as it is, by a key of statements": {
			file: "./sums", asked: options{keys: ours, offline: true}, code: exit.NotVerified, want: []string{"which keys of statements do not verify: ", "name the public key with --file-key"},
		},
		"that is signed as it is, by a key of the server": {file: "./sums", answers: server, code: exit.NotVerified, want: []string{"which keys of statements do not verify"}},
		"that is signed as it is, by another key": {
			file: "./sums", asked: options{fileKeys: []string{"other.pub"}, keys: ours}, code: exit.NotVerified, want: []string{"another key signed it: " + key.public.ID()[:11], "none by these keys: key.pub, other.pub"},
		},
		"with a statement, by a key of files":           {file: "beside.raw", asked: options{fileKeys: ours}, code: exit.NotVerified, want: []string{"it is signed as a statement, which --file-key does not verify: name the public key with --key"}},
		"with a statement, by both keys":                {file: "beside.raw", asked: options{keys: ours, fileKeys: ours}, want: []string{"valid, key key.pub", ": provenance\n"}},
		"with the signature of the file on a statement": {file: "./sums", asked: options{keys: ours, fileKeys: ours, bundles: []string{"grafted"}}, code: exit.NotVerified, want: []string{"grafted: the signature is not valid"}},
		"without a bundle, by a key of files":           {file: "disk.raw", asked: options{fileKeys: ours}, code: exit.NotSigned, want: []string{"disk.raw.sigstore.json, which do not exist"}},
		"that is an encoding":                           {file: "./encoding", asked: options{fileKeys: ours, offline: true}, code: exit.NotVerified, want: []string{"encoding.bundle: its content is the encoding of a statement, as DSSE signs it: a signature of it says nothing about a file"}},
		"that is an encoding, by both keys":             {file: "./encoding", asked: options{keys: ours, fileKeys: ours}, code: exit.NotVerified, want: []string{"its content is the encoding of a statement"}},
		"that is an encoding, by the server":            {file: "./encoding", answers: server, code: exit.NotVerified, want: []string{"its content is the encoding of a statement"}},
		"that is the payload of an image":               {file: "./payload of image", asked: options{fileKeys: ours}, code: exit.NotVerified, want: []string{"its content is the payload of the signature of an image (simple signing)"}},
		"that is an encoding, and an artifact":          {file: "./encoding", asked: options{keys: ours, bundles: []string{"disk of encoding"}}, want: []string{"✓", ": provenance\n"}},
		"with the signature of another file": {
			file: "disk.raw", asked: options{fileKeys: ours, bundles: []string{"sums.sigstore.json"}}, code: exit.NotVerified, want: []string{"about another artifact: " + digest("sums")[:11]},
		},
		"with two bundles":           {file: "disk.raw", asked: options{keys: ours, bundles: []string{"provenance", "bill"}}, want: []string{": cyclonedx, provenance\n", "packages     2\n"}},
		"with a bundle beside it":    {file: "beside.raw", asked: options{keys: ours, offline: true}, want: []string{"is verified"}},
		"with two bundles beside it": {file: "both.raw", asked: options{keys: ours, offline: true}, want: []string{": cyclonedx, provenance\n"}},
		"by one of two keys":         {file: "disk.raw", asked: options{keys: []string{"other.pub", "key.pub"}, bundles: []string{"provenance"}}, want: []string{"valid, key key.pub"}},
		"with two signatures":        {file: "disk.raw", asked: options{keys: ours, bundles: []string{"twice"}}, want: []string{"valid, key key.pub"}},
		"by both signatures":         {file: "disk.raw", asked: options{keys: []string{"key.pub", "other.pub"}, bundles: []string{"twice"}}, want: []string{"valid, key key.pub", "valid, key other.pub"}},
		"by a key of the server":     {file: "./disk", asked: options{bundles: []string{"provenance"}}, answers: server, want: []string{"valid, SigningKey web (sha256:"}},
		"by an expired key":          {file: "./disk", asked: options{bundles: []string{"provenance"}}, answers: oldServer, want: []string{"valid, expired KEY old (sha256:", "has no trusted time"}},
		"beside another's bundle": {
			file: "disk.raw", asked: options{keys: ours, bundles: []string{"of other", "provenance"}},
			want: []string{"✓", "ignored      of other: another key signed it: " + other.public.ID()[:11]},
		},
		"with a flipped bit": {
			file: "flipped.raw", asked: options{keys: ours, bundles: []string{"provenance"}}, code: exit.NotVerified,
			want: []string{"✗ flipped.raw is not verified", "provenance: the statement is about another artifact: " + digest("disk")[:11], "signature   none by these keys: key.pub", "flipped.raw is not verified"},
		},
		"with the bundle of another file": {file: "disk.raw", asked: options{keys: ours, bundles: []string{"elsewhere"}}, code: exit.NotVerified, want: []string{"about another artifact: " + digest("other disk")[:11]}},
		"with another key":                {file: "disk.raw", asked: options{keys: []string{"other.pub"}, bundles: []string{"provenance"}}, code: exit.NotVerified, want: []string{"another key signed it: " + key.public.ID()[:11]}},
		"with a changed signature":        {file: "disk.raw", asked: options{keys: ours, bundles: []string{"signature"}}, code: exit.NotVerified, want: []string{"the signature is not valid"}},
		"with a changed statement":        {file: "disk.raw", asked: options{keys: ours, bundles: []string{"payload"}}, code: exit.NotVerified, want: []string{"the signature is not valid"}},
		"with a part of a bundle":         {file: "disk.raw", asked: options{keys: ours, bundles: []string{"cut"}}, code: exit.NotVerified, want: []string{"unexpected end of JSON input"}},
		"with another payload":            {file: "disk.raw", asked: options{keys: ours, bundles: []string{"another type"}}, code: exit.NotVerified, want: []string{`payloadType is "application/vnd.evil+json"`}},
		"with deep JSON":                  {file: "disk.raw", asked: options{keys: ours, bundles: []string{"nested"}}, code: exit.NotVerified, want: []string{"exceeded max depth"}},
		"with a statement of a builder":   {file: "disk.raw", asked: options{keys: ours, bundles: []string{"unsigned"}}, code: exit.NotVerified, want: []string{"a statement without a signature"}},
		"with a large bundle":             {file: "disk.raw", asked: options{keys: ours, bundles: []string{"large"}}, code: exit.Failure, want: []string{"large has more than 33554432 bytes"}},
		"with an endless bundle":          {file: "disk.raw", asked: options{keys: ours, bundles: []string{"endless"}}, code: exit.Failure, want: []string{"endless is not a file"}},
		"with a bundle that is not there": {file: "disk.raw", asked: options{keys: ours, bundles: []string{"missing"}}, code: exit.Failure, want: []string{"missing"}},
		"without a bundle":                {file: "disk.raw", asked: options{keys: ours, offline: true}, code: exit.NotSigned, want: []string{"disk.raw.bundle and disk.raw.sigstore.json, which do not exist", "disk.raw is not signed"}},
		"without a server":                {file: "disk.raw", asked: options{keys: ours}, code: exit.Failure, want: []string{"name a bundle with --bundle: no kubeconfig"}},
		"without a key":                   {file: "disk.raw", asked: options{offline: true}, code: exit.Failure, want: []string{"--offline needs a public key"}},
		"without a key and a server":      {file: "beside.raw", code: exit.Failure, want: []string{"without --key, the server has to name the public keys: no kubeconfig"}},
		"without SigningKeys":             {file: "beside.raw", answers: answers{signingKeys: &v1alpha1.SigningKeyList{}}, code: exit.Failure, want: []string{"the server has no SigningKey with a public key: make one with"}},
		"with a SigningKey whose keyID is another": {
			file: "beside.raw", answers: answers{signingKeys: &v1alpha1.SigningKeyList{Items: []v1alpha1.SigningKey{changed}}}, code: exit.Failure,
			want: []string{"the server has no SigningKey with a public key"},
		},
		"without permission": {
			file: "beside.raw", answers: answers{signingKeys: apierrors.NewForbidden(v1alpha1.Resource(signingKeys), "", errors.New("no"))}, code: exit.Failure,
			want: []string{"name a public key with --key"},
		},
		"with a private key of files": {file: "disk.raw", asked: options{fileKeys: []string{"private.pem"}}, code: exit.Failure, want: []string{"--file-key private.pem: the key is private"}},
		"with a private key":          {file: "disk.raw", asked: options{keys: []string{"private.pem"}}, code: exit.Failure, want: []string{"--key private.pem: the key is private"}},
		"with a key that is none":     {file: "disk.raw", asked: options{keys: []string{"bill"}}, code: exit.Failure, want: []string{"--key bill: there is no key in PEM"}},
		"that is not there":           {file: "missing.raw", asked: options{keys: ours}, code: exit.Failure, want: []string{"missing.raw", "a REFERENCE has a tag or a digest"}},
		"that is an object":           {file: "disk", asked: options{keys: ours, offline: true}, code: exit.Failure, want: []string{"for the file of this name, use ./disk"}},
		"with a target":               {file: "disk.raw", asked: options{keys: ours, target: raw}, code: exit.Failure, want: []string{"--target selects an artifact of a build or of an index"}},
	} {
		stdout, stderr, code, err := shown(t, test.asked, test.file, test.answers)
		says(t, name, stdout, err, code, test.code, test.want...)
		if ignoring := "SigningKey unread is ignored: the signer has not published"; strings.Contains(stderr, ignoring) != strings.Contains(stdout, "expired") {
			t.Errorf("%s: stderr is %q", name, stderr)
		}
	}
}

func TestAReferenceIsVerified(t *testing.T) {
	t.Chdir(t.TempDir())
	noLogins(t)
	key, other := newSigner(t), newSigner(t)
	write(t, "key.pub", string(key.public.PEM()))
	write(t, "other.pub", string(other.public.PEM()))
	const byTag, byDigest = ":stable", ""
	for name, test := range map[string]struct {
		options registrytest.Options
		suffix  string // of the repository, or byDigest
		keys    string
		prepare func(t *testing.T, registry *registrytest.Registry, manifest string, all []attestation.Statement)
		code    int
		want    []string
	}{
		"by tag": {options: registrytest.Options{Referrers: true}, suffix: byTag, want: []string{
			"✓ HOST/team/web@MANIFEST is verified\n", "content      " + digest("disk")[:11] + ", named by the manifest\n",
			"key key.pub (" + key.public.ID()[:11] + "): cyclonedx, provenance, signature\n", "packages     2\n", "requested by jane",
		}},
		"by digest":         {options: registrytest.Options{Referrers: true}, want: []string{"✓ HOST/team/web@MANIFEST is verified"}},
		"without referrers": {want: []string{"✓", "packages     2\n"}},
		"of a registry with a password": {
			options: registrytest.Options{Referrers: true, Auth: "Bearer"}, code: exit.Success, want: []string{"✓"},
			prepare: func(t *testing.T, registry *registrytest.Registry, _ string, all []attestation.Statement) {
				write(t, "config.json", string(registry.DockerConfig(registrytest.Password)))
				t.Setenv("DOCKER_CONFIG", require.Value(os.Getwd())(t))
				attach(t, registry, key.bundles(t, all)...)
			},
		},
		"without the password": {
			options: registrytest.Options{Referrers: true, Auth: "Basic"}, code: exit.Failure, want: []string{"HTTP 401 Unauthorized"},
		},
		"in the tags of cosign": {
			prepare: func(t *testing.T, registry *registrytest.Registry, manifest string, all []attestation.Statement) {
				tag(t, registry, manifest, key, all)
			},
			want: []string{"✓", ": cyclonedx, provenance, signature\n", "packages     2\n"},
		},
		"in the tag .sig only": {
			prepare: func(t *testing.T, registry *registrytest.Registry, manifest string, all []attestation.Statement) {
				tag(t, registry, manifest, key, all[len(all)-1:])
			},
			want: []string{"✓", ": signature\n", "provenance   none: ", "packages     unknown: "},
		},
		"in the tags, and by others in bundles": {
			options: registrytest.Options{Referrers: true},
			prepare: func(t *testing.T, registry *registrytest.Registry, manifest string, all []attestation.Statement) {
				attach(t, registry, append(other.bundles(t, all), "{}")...)
				tag(t, registry, manifest, key, all)
			},
			want: []string{"✓", "another key signed it: " + other.public.ID()[:11], "read a bundle: mediaType is"},
		},
		"without a signature": {
			options: registrytest.Options{Referrers: true}, code: exit.NotSigned, want: []string{"✗ HOST/team/web@MANIFEST is not signed: there is no signed statement in HOST/team/web\n"},
			prepare: func(*testing.T, *registrytest.Registry, string, []attestation.Statement) {},
		},
		"of a registry that drops referrers": {
			options: registrytest.Options{Referrers: true}, code: exit.NotSigned, want: []string{"is not signed"},
			prepare: func(t *testing.T, registry *registrytest.Registry, _ string, all []attestation.Statement) {
				attach(t, registry, key.bundles(t, all)...)
				registry.Inject(9, http.MethodGet, "/referrers/", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
					w.Header().Set("Content-Type", ociv1.MediaTypeImageIndex)
					_, _ = w.Write([]byte(`{"schemaVersion": 2, "manifests": []}`))
				})
			},
		},
		"of a registry that does not know the referrers API": {
			options: registrytest.Options{}, want: []string{"✓"},
			prepare: func(t *testing.T, registry *registrytest.Registry, _ string, all []attestation.Statement) {
				attach(t, registry, key.bundles(t, all)...)
				registry.Inject(9, http.MethodGet, "/referrers/", registrytest.Status(http.StatusMethodNotAllowed))
			},
		},
		"of a registry that lost bundles": {
			options: registrytest.Options{Referrers: true}, code: exit.NotVerified, want: []string{"the registry does not have it"},
			prepare: func(t *testing.T, registry *registrytest.Registry, _ string, all []attestation.Statement) {
				bundle := key.bundles(t, all)[0]
				attach(t, registry, bundle)
				registry.Inject(9, http.MethodGet, "/blobs/"+digest(bundle), registrytest.Status(http.StatusNotFound))
			},
		},
		"of a registry that changes bundles": {
			options: registrytest.Options{Referrers: true}, code: exit.Failure, want: []string{"the registry sent another content"},
			prepare: func(t *testing.T, registry *registrytest.Registry, _ string, all []attestation.Statement) {
				bundle := key.bundles(t, all)[0]
				attach(t, registry, bundle)
				registry.Inject(9, http.MethodGet, "/blobs/"+digest(bundle), func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
					_, _ = w.Write([]byte(strings.Replace(bundle, `"sig"`, `"gis"`, 1)))
				})
			},
		},
		"of a registry that fails": {
			options: registrytest.Options{Referrers: true}, code: exit.Failure, want: []string{"list referrers: HTTP 401"},
			prepare: func(_ *testing.T, registry *registrytest.Registry, _ string, _ []attestation.Statement) {
				registry.Inject(9, http.MethodGet, "/referrers/", registrytest.Status(http.StatusUnauthorized))
			},
		},
		"with another key": {options: registrytest.Options{Referrers: true}, keys: "other.pub", code: exit.NotVerified, want: []string{"another key signed it: " + key.public.ID()[:11]}},
		"with the bundles of another artifact": {
			options: registrytest.Options{Referrers: true}, code: exit.NotVerified, want: []string{"the statement is about another artifact: " + digest("other disk")[:11]},
			prepare: func(t *testing.T, registry *registrytest.Registry, _ string, _ []attestation.Statement) {
				location, manifest := pushed(t, registry, "other disk", "")
				all := statements(t, raw, "other disk", location, manifest)
				attach(t, registry, key.bundles(t, all)...)
			},
		},
		"that is signed as a file": {
			options: registrytest.Options{Referrers: true}, code: exit.NotVerified, want: []string{"it is the signature of a file, which says nothing about a manifest"},
			prepare: func(t *testing.T, registry *registrytest.Registry, _ string, _ []attestation.Statement) {
				_, text := registry.Get("/team/web/manifests/stable")
				attach(t, registry, key.signed(t, string(text)))
			},
		},
		"that does not exist": {options: registrytest.Options{Referrers: true}, suffix: ":none", code: exit.Failure, want: []string{"fetch manifest none: HTTP 404"}},
	} {
		t.Run(name, func(t *testing.T) {
			registry := registrytest.New(t, test.options)
			location, manifest := pushed(t, registry, "disk", "stable")
			all := statements(t, raw, "disk", location, manifest)
			if test.prepare == nil {
				attach(t, registry, key.bundles(t, all)...)
			} else {
				test.prepare(t, registry, manifest, all)
			}
			argument := location
			if test.suffix != byDigest {
				argument = "docker://" + registry.Host() + "/team/web" + test.suffix
			}
			asked := options{keys: []string{"key.pub"}, offline: true}
			if test.keys != "" {
				asked.keys = []string{test.keys}
			}
			stdout, _, code, err := shown(t, asked, argument, nil)
			stdout = strings.NewReplacer(registry.Host(), "HOST", manifest[:11], "MANIFEST").Replace(stdout)
			says(t, name, stdout, err, code, test.code, test.want...)
		})
	}
}

func TestTheMembersOfAnIndexAreVerified(t *testing.T) {
	t.Chdir(t.TempDir())
	noLogins(t)
	key := newSigner(t)
	write(t, "key.pub", string(key.public.PEM()))
	registry := registrytest.New(t, registrytest.Options{Referrers: true})
	repository := registry.Host() + "/team/web"
	members := []publish.Artifact{
		{Target: raw, Platform: "linux/amd64", MediaType: diskType, Content: inMemory("disk"), Tag: "stable"},
		{Target: qcow2, Platform: "linux/amd64", MediaType: "application/x-qemu-disk", Content: inMemory("small disk"), Tag: "stable"},
	}
	verify := func(target string) (string, int, error) {
		stdout, _, code, err := shown(t, options{keys: []string{"key.pub"}, target: target}, repository+":stable", nil)
		return stdout, code, err
	}
	for i, want := range []int{exit.NotSigned, exit.NotSigned, exit.Success} { // with none, one and two of them signed
		if i > 0 {
			made := require.Value(publish.Push(t.Context(), repository, members, transport.Options{}))(t)
			all := statements(t, members[i-1].Target, []string{"disk", "small disk"}[i-1], made[i-1].Location, made[i-1].Digest)
			members[i-1].Documents = []publish.Document{{Content: inMemory(key.bundles(t, all)[0]), MediaType: v1alpha1.MediaTypeBundle}}
		}
		require.Value(publish.Push(t.Context(), repository, members, transport.Options{}))(t)
		stdout, code, err := verify("")
		says(t, fmt.Sprint(i, " signed"), stdout, err, code, want, " linux/amd64/raw\n", " linux/amd64/qcow2\n")
		if i == 1 {
			stdout, code, err = verify(raw)
			says(t, "the signed one", stdout, err, code, exit.Success, "✓")
			stdout, code, err = verify(qcow2)
			says(t, "the other one", stdout, err, code, exit.NotSigned, "✗")
			stdout, code, err = verify("linux/arm64/raw")
			says(t, "none", stdout, err, code, exit.Failure, "has no manifest for target linux/arm64/raw")
		}
	}

	members[1].Documents = nil // as another system signs an index only
	members[1].Content = inMemory("another disk")
	require.Value(publish.Push(t.Context(), repository, members, transport.Options{}))(t)
	_, index := registry.Get("/team/web/manifests/stable")
	tag(t, registry, contents.Digest(index), key, require.Value(attestation.MakeIndex(repository, contents.Digest(index)))(t)[1:])
	stdout, code, err := verify("")
	own, by := "key key.pub ("+key.public.ID()[:11]+"): provenance\n", "key key.pub ("+key.public.ID()[:11]+"): signature of the index\n"
	says(t, "a signed index", stdout, err, code, exit.Success, "✓ "+repository+"@"+contents.Digest(index)[:11]+" is verified\n", "an index, members: 2\n", own, by)
	if marks, provenances := strings.Count(stdout, "✓"), strings.Count(stdout, "provenance   "); marks != 3 || provenances != 2 {
		t.Errorf("the index and its members are shown as %s", stdout)
	}
	stdout, code, err = verify(qcow2)
	says(t, "a member of a signed index", stdout, err, code, exit.Success, by)
	if strings.Contains(stdout, "an index") {
		t.Errorf("another artifact is shown: %s", stdout)
	}
}

func TestABuildIsVerified(t *testing.T) {
	t.Chdir(t.TempDir())
	noLogins(t)
	key, other := newSigner(t), newSigner(t)
	write(t, "disk.raw", "disk")
	registry := registrytest.New(t, registrytest.Options{Referrers: true})
	location, manifest := pushed(t, registry, "disk", "")
	all := statements(t, raw, "disk", location, manifest)
	attach(t, registry, key.bundles(t, all)...)
	bundle := key.bundles(t, statements(t, raw, "disk", "", manifest))[0]
	kept := func(bundle string) v1alpha1.Artifact {
		return v1alpha1.Artifact{
			Target: raw, Digest: digest("disk"), Location: v1alpha1.ArtifactPath("team", "web-7", digest("disk")), Verified: v1alpha1.ArtifactVerifiedContent,
			Documents: []v1alpha1.ArtifactDocument{
				{
					Type: v1alpha1.DocumentProvenance, MediaType: v1alpha1.MediaTypeBundle, Digest: digest(bundle), SizeBytes: int64(len(bundle)), MadeBy: v1alpha1.DocumentMadeByGoldsmith,
					Location: v1alpha1.ArtifactPath("team", "web-7", digest(bundle)), Verified: v1alpha1.ArtifactVerifiedContent,
				},
			},
		}
	}
	published := v1alpha1.Artifact{Target: raw, Digest: digest("disk"), Location: location, Verified: v1alpha1.ArtifactVerifiedContent}
	another := published
	another.Digest = digest("another disk")
	unsigned := kept(bundle)
	unsigned.Documents[0].MadeBy = "" // a builder reports about itself
	of := func(artifacts ...v1alpha1.Artifact) answers {
		build := web()
		build.Status.Artifacts = artifacts
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web", UID: "image"}}
		image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "web-7"}}
		return answers{
			signingKeys: &v1alpha1.SigningKeyList{Items: []v1alpha1.SigningKey{key.signingKey("web", nil)}}, build7: build, "namespaces/team/images/web": image,
			build7 + "/artifacts/" + digest(bundle): bundle, builds: &v1alpha1.ImageBuildList{Items: []v1alpha1.ImageBuild{*build}}, images: &v1alpha1.ImageList{},
		}
	}
	otherKeys := of(kept(bundle))
	otherKeys[signingKeys] = &v1alpha1.SigningKeyList{Items: []v1alpha1.SigningKey{other.signingKey("web", nil)}}
	recalled, elsewhere := of(kept(bundle)), of(kept(bundle))
	for uid, answers := range map[types.UID]answers{web().UID: recalled, "another": elsewhere} {
		build := answers[build7].(*v1alpha1.ImageBuild)
		build.UID, build.Status.Revoked = uid, &v1alpha1.Revocation{By: "anna", Reason: "wrong key"}
	}
	const contents = "/revokedartifacts/sha256-"
	content := func(namespace, revoked string, at *metav1.Time) answers {
		answers := of(kept(bundle))
		delete(answers, build7)
		answers["namespaces/"+namespace+contents+strings.TrimPrefix(revoked, "sha256:")] = &v1alpha1.RevokedArtifact{Spec: v1alpha1.RevokedArtifactSpec{
			Build: "web-7", Revocation: v1alpha1.Revocation{By: "anna", Reason: "wrong key", EffectiveTime: at},
		}}
		return answers
	}
	keyless := of(kept(bundle))
	keyless[build7], keyless[signingKeys] = recalled[build7], &v1alpha1.SigningKeyList{}
	const toldRevoked = "is not to be used: build web-7 is revoked by anna: wrong key\n"
	write(t, "key.pub", string(key.public.PEM()))
	lost := of(kept(bundle))
	delete(lost, build7+"/artifacts/"+digest(bundle))
	for name, test := range map[string]struct {
		argument string
		asked    options
		answers  answers
		code     int
		want     []string
	}{
		"in a registry": {argument: "web-7", answers: of(published), want: []string{
			"✓ " + registry.Host() + "/team/web@" + manifest[:11] + " is verified\n", "target       linux/amd64/raw\n", "named by the manifest", "valid, SigningKey web", "packages     2\n",
		}},
		"of a channel":                      {argument: "web@stable", answers: of(published), want: []string{"✓"}},
		"kept by the server":                {argument: "web-7", answers: of(kept(bundle)), want: []string{"✓ build web-7 is verified\n", "reported by the server", ": provenance\n"}},
		"of two targets":                    {argument: "web-7", answers: of(kept(bundle), v1alpha1.Artifact{Target: qcow2, Digest: digest("q")}), code: exit.NotSigned, want: []string{"✓ build web-7", "✗ build web-7 is not signed: there is no signed statement in the server"}},
		"of the target that it names":       {argument: "web-7", asked: options{target: raw}, answers: of(kept(bundle), v1alpha1.Artifact{Target: qcow2}), want: []string{"✓"}},
		"of no target":                      {argument: "web-7", asked: options{target: "x/y/raw"}, answers: of(kept(bundle)), code: exit.Failure, want: []string{"has no artifact for target x/y/raw"}},
		"unsigned":                          {argument: "web-7", answers: of(unsigned), code: exit.NotSigned, want: []string{"is not signed"}},
		"by another key":                    {argument: "web-7", answers: otherKeys, code: exit.NotVerified, want: []string{"another key signed it"}},
		"that the server lost":              {argument: "web-7", answers: lost, code: exit.Failure, want: []string{"fetch the bundle of artifact linux/amd64/raw of build web-7"}},
		"that the registry replaced":        {argument: "web-7", answers: of(another), code: exit.NotVerified, want: []string{"the server reports the content " + another.Digest[:11], "but the manifest names " + digest("disk")[:11]}},
		"with a bundle":                     {argument: "web-7", asked: options{bundles: []string{"x"}}, answers: of(published), code: exit.Failure, want: []string{"omit --bundle"}},
		"with a key of files":               {argument: "web-7", asked: options{fileKeys: []string{"key.pub"}}, answers: of(published), code: exit.Failure, want: []string{"but web-7 is an image or a build: name the public key with --key"}},
		"a file of a kept build":            {argument: "disk.raw", answers: of(kept(bundle)), want: []string{"✓ disk.raw is verified", "computed from the file", "target       linux/amd64/raw"}},
		"a file of a published build":       {argument: "disk.raw", answers: of(published), want: []string{"✓", "packages     2\n"}},
		"that is revoked":                   {argument: "web@stable", answers: recalled, code: exit.NotVerified, want: []string{"✗ build web-7 " + toldRevoked, "build web-7 is not verified"}},
		"that is revoked, without a key":    {argument: "web-7", answers: keyless, code: exit.NotVerified, want: []string{"build web-7 is revoked by anna: wrong key; its signatures were not checked: the server has no SigningKey"}},
		"a file of a revoked build":         {argument: "disk.raw", answers: recalled, code: exit.NotVerified, want: []string{"✗ disk.raw " + toldRevoked}},
		"a file whose content is revoked":   {argument: "disk.raw", answers: content("team", digest("disk"), nil), code: exit.NotVerified, want: []string{"✗ disk.raw " + toldRevoked}},
		"whose manifest is revoked":         {argument: location, answers: content("team", manifest, nil), code: exit.NotVerified, want: []string{toldRevoked}},
		"in a registry, by the content":     {argument: location, answers: content("team", digest("disk"), nil), code: exit.NotVerified, want: []string{toldRevoked}},
		"a file that will be revoked":       {argument: "disk.raw", answers: content("team", digest("disk"), new(metav1.NewTime(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)))), want: []string{"✓"}},
		"a file that others have revoked":   {argument: "disk.raw", answers: content("others", digest("disk"), nil), want: []string{"✓"}},
		"a file, whose build was deleted":   {argument: "disk.raw", answers: elsewhere, want: []string{"✓"}},
		"a file, without asking the server": {argument: "disk.raw", asked: options{keys: []string{"key.pub"}}, answers: recalled, want: []string{"✓"}},
		"a file of no build": {argument: "disk.raw", answers: of(another), code: exit.NotSigned, want: []string{
			"there is no signed statement in namespace team: no build there made a file with the digest " + digest("disk")[:11],
		}},
	} {
		stdout, _, code, err := shown(t, test.asked, test.argument, test.answers)
		stdout = regexp.MustCompile(`\(sha256:[0-9a-f]{4}\)`).ReplaceAllString(stdout, "")
		says(t, name, stdout, err, code, test.code, test.want...)
	}

	stdout, _, _, err := shown(t, options{format: "jsonpath={.kind} {.verified} {.keys[*].name} {.artifacts[*].outcome} {.artifacts[*].provenance[*].requestedBy} " +
		"{.artifacts[*].signatures[*].statement} {.artifacts[*].packages} {.artifacts[*].target}"}, "web-7", of(published))
	want := "Verification true web Verified jane https://slsa.dev/provenance/v1 https://cyclonedx.org/bom https://sigstore.dev/cosign/sign/v1 2 linux/amd64/raw"
	if err != nil || len(strings.Fields(stdout)) != len(strings.Fields(want)) || !strings.HasPrefix(stdout, "Verification true web Verified jane ") {
		t.Errorf("got %q, error %v", stdout, err)
	}
}

func TestReferencesAreNoPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("a.b", 0o700))
	write(t, "a.b/disk:1", "")
	for argument, want := range map[string]bool{
		"web": false, "web@stable": false, "image/web": false, "imagebuilds.images.goldsmith.dev/web-1": false, "./web:1": false, "a.b/disk:1": false, "disk.raw": false,
		"registry.example.com/web": false, "registry.example.com/team/web": false, "team/web:1": false, "registry.example.com:5000/web": false, "/a.b/c:1": false,
		"registry.example.com/web:1": true, "localhost/web:1": true, "localhost:5000/team/web@" + digest("m"): true, "docker://web": true, "oci://registry.example.com/web:1": true,
	} {
		if got := isReference(argument); got != want {
			t.Errorf("%s: got %t", argument, got)
		}
	}
	for argument, fails := range map[string]string{
		"docker://registry.example.com/web": "must have a tag or a digest", "docker://registry.example.com/Web:1": "with REPOSITORY in lower case", "docker://": "must be HOST",
	} {
		if _, _, err := parseReference(argument); err == nil || !strings.Contains(err.Error(), fails) {
			t.Errorf("%s: got error %v", argument, err)
		}
	}
}
