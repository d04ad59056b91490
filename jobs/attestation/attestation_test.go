// SPDX-License-Identifier: Apache-2.0

package attestation

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/sbom"
	"goldsmith.dev/goldsmith/jobs/signing"
)

var update = flag.Bool("update", false, "rewrite the golden file")

const (
	target = "linux/amd64/raw"
	locked = `{"version": 1, "tools": "sha256:` + zeros + `", "distribution": {"id": "debian", "version": "13"}, "sources": [
		{"uri": "http://mirror.example/debian", "suite": "trixie", "component": "main", "release": {"date": "2026-11-20T08:00:00Z", "sha256": "` + zeros + `"}},
		{"uri": "http://mirror.example/other", "suite": "none"}],
		"packages": [{"name": "openssl", "version": "3.5.6-1", "architecture": "amd64"}, {"name": "nginx", "version": "1.26.3-3", "architecture": "amd64"}]}`
	zeros    = "0000000000000000000000000000000000000000000000000000000000000000"
	builder  = "https://goldsmith.dev/builders/test"
	disk     = "disk"
	password = "hunter2"
)

func digest(text string) string { return contents.Digest([]byte(text)) }

// web returns a build with everything that a statement can have, with times between seconds.
func web() *v1alpha1.ImageBuild {
	started := metav1.NewTime(time.Date(2026, time.November, 20, 12, 0, 0, 987654321, time.FixedZone("", 3600)))
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-7", UID: "uid-of-web-7"}}
	build.Spec = v1alpha1.ImageBuildSpec{
		ImageRef: &v1alpha1.ImageReference{Name: "web", UID: "uid-of-web"},
		Trigger:  &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual, RequestedBy: "jane@example.com", Message: "not in the statement"},
		Inputs: v1alpha1.BuildInputs{
			Builder:    v1alpha1.BuilderReference{Name: "debian"},
			Base:       v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "golden", Channel: "stable"}},
			Source:     &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}},
			Parameters: []v1alpha1.Parameter{{Name: "edition", Value: "<minimal> & \"small\""}},
			Targets:    []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
			Template: &v1alpha1.BuildTemplate{
				Resources: &v1alpha1.ResourceRequirements{},
				Env: []corev1.EnvVar{{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{
					SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "registry"}, Key: "token"},
				}}},
			},
			Output: &v1alpha1.Output{Repository: "registry.example.com/team/web", TagTemplate: "{build}"},
		},
		Timeouts: &v1alpha1.BuildTimeouts{Run: &v1alpha1.Duration{Duration: 2 * time.Hour}},
		Retry:    &v1alpha1.RetryPolicy{Classes: []v1alpha1.FailureClass{v1alpha1.FailureInfrastructure}},
	}
	build.Status = v1alpha1.ImageBuildStatus{
		Resolved: &v1alpha1.ResolvedInputs{
			Files: map[string]string{"b.txt": "second\n", "a.txt": "first\n"}, BaseDigest: digest("base"),
			Base: &v1alpha1.BaseBuild{Name: "golden-3", Artifacts: []v1alpha1.Artifact{{
				Target: target, Digest: digest("base"), SizeBytes: 4, MediaType: "application/x-raw-disk-image", Location: "registry.example.com/team/golden@" + digest("manifest of base"),
			}}},
		},
		Attempts: []v1alpha1.BuildAttempt{{Number: 1}, {Number: 2, StartTime: started, BuilderImage: "registry.example.com/builders/debian@" + digest("builder")}},
	}
	build.Status.Resolved.InputsDigest = inputs.Digest(build.Spec.Inputs, build.Status.Resolved.Files, build.Status.Resolved.BaseDigest, "")
	return build
}

// artifactOfWeb returns an artifact with its documents: those that Goldsmith made of the lock, and what the builder reports about itself.
func artifactOfWeb(t *testing.T) *v1alpha1.Artifact {
	t.Helper()
	artifact := &v1alpha1.Artifact{
		Target: target, Digest: digest(disk), SizeBytes: int64(len(disk)), MediaType: "application/x-raw-disk-image",
		Location: "registry.example.com/team/web@" + digest("manifest"), Verified: v1alpha1.ArtifactVerifiedContent,
	}
	read := require.Value(lock.Read([]byte(locked)))(t)
	about := sbom.Subject{Target: target, Digest: artifact.Digest}
	var cyclonedx, spdx bytes.Buffer
	require.NoError(t, sbom.CycloneDX(&cyclonedx, read, about))
	require.NoError(t, sbom.SPDX(&spdx, read, about))
	document := func(kind v1alpha1.ArtifactDocumentType, mediaType, text string, by v1alpha1.ArtifactDocumentMaker) v1alpha1.ArtifactDocument {
		return v1alpha1.ArtifactDocument{Type: kind, MediaType: mediaType, Digest: digest(text), SizeBytes: int64(len(text)), MadeBy: by}
	}
	artifact.Documents = []v1alpha1.ArtifactDocument{
		document(v1alpha1.DocumentLock, v1alpha1.LockMediaType, locked, ""),
		document(v1alpha1.DocumentSBOM, v1alpha1.MediaTypeCycloneDX, cyclonedx.String(), v1alpha1.DocumentMadeByGoldsmith),
		document(v1alpha1.DocumentSBOM, v1alpha1.MediaTypeSPDX, spdx.String(), v1alpha1.DocumentMadeByGoldsmith),
		document(v1alpha1.DocumentSBOM, "text/spdx", "a bill of the builder", ""),
		document(v1alpha1.DocumentProvenance, "application/vnd.in-toto+json", "self-reported", ""),
	}
	return artifact
}

func statementsOf(t *testing.T, build *v1alpha1.ImageBuild, artifact *v1alpha1.Artifact) []Statement {
	t.Helper()
	return require.Value(Make(build, Subject{artifact, digest("manifest")}, []byte(locked), Builder{builder, "1.2.3"}))(t)
}

func TestStatementsAreThoseOfTheGoldenFile(t *testing.T) {
	type shown struct {
		Type         string          `json:"type"`
		SignedDigest string          `json:"signedDigest"`
		Payload      json.RawMessage `json:"payload"`
	}
	var all []shown
	for _, statement := range statementsOf(t, web(), artifactOfWeb(t)) {
		all = append(all, shown{statement.Type, statement.SignedDigest(), statement.Payload})
	}
	got := append(require.Value(json.MarshalIndent(all, "", "  "))(t), '\n')
	golden := filepath.Join("testdata", "statements.json")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, got, 0o644))
	}
	if diff := cmp.Diff(string(require.Value(os.ReadFile(golden))(t)), string(got)); diff != "" {
		t.Errorf("the statements are not those of %s; run the test with -update if they should be (-want +got):\n%s", golden, diff)
	}
}

func TestStatementsAreTheSameWheneverTheyAreMade(t *testing.T) {
	want := statementsOf(t, web(), artifactOfWeb(t))
	for name, again := range map[string]func() *v1alpha1.ImageBuild{
		"for the same request": web,
		"after a restore from JSON": func() *v1alpha1.ImageBuild {
			restored := &v1alpha1.ImageBuild{}
			require.NoError(t, json.Unmarshal(require.Value(json.Marshal(web()))(t), restored))
			return restored
		},
		"after etcd": func() *v1alpha1.ImageBuild {
			stored := &v1alpha1.ImageBuild{}
			require.NoError(t, stored.Unmarshal(require.Value(web().Marshal())(t)))
			return stored
		},
		"with empty lists for none": func() *v1alpha1.ImageBuild {
			build := web()
			build.Spec.Inputs.Builder.Command, build.Spec.Inputs.Template.Tolerations = []string{}, []corev1.Toleration{}
			build.Spec.Inputs.Template.Resources.Limits = map[string]v1alpha1.Quantity{}
			build.Spec.Inputs.Template.NodeSelector = map[string]string{}
			return build
		},
		"after changes of a build that goes on": func() *v1alpha1.ImageBuild {
			build := web()
			build.ResourceVersion, build.Labels = "17", map[string]string{"team": "web"}
			build.Spec.Priority, build.Spec.CancelRequested = new(int32(5)), &v1alpha1.CancelRequested{By: "jane"}
			build.Status.Phase, build.Status.Progress = v1alpha1.BuildRunning, &v1alpha1.BuildProgress{Stage: "last"}
			build.Status.Attestation = &v1alpha1.Attestation{Attempt: 2}
			build.Status.Attempts[1].PodName, build.Status.Attempts[1].CompletionTime = "pod", new(metav1.Unix(9, 0))
			return build
		},
	} {
		if diff := cmp.Diff(want, statementsOf(t, again(), artifactOfWeb(t))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, change := range map[string]func(*v1alpha1.ImageBuild){
		"parameter":     func(build *v1alpha1.ImageBuild) { build.Spec.Inputs.Parameters[0].Value = "full" },
		"builder image": func(build *v1alpha1.ImageBuild) { build.Status.Attempts[1].BuilderImage = "other@" + digest("other") },
		"file":          func(build *v1alpha1.ImageBuild) { build.Status.Resolved.Files["a.txt"] = "other" },
		"base":          func(build *v1alpha1.ImageBuild) { build.Status.Resolved.Base.Artifacts[0].Digest = digest("other") },
		"attempt":       func(build *v1alpha1.ImageBuild) { build.Status.Attempts[1].Number = 3 },
	} {
		build := web()
		change(build)
		if slices.EqualFunc(want, statementsOf(t, build, artifactOfWeb(t)), func(a, b Statement) bool { return a.SignedDigest() == b.SignedDigest() }) {
			t.Errorf("with another %s the statements are the same", name)
		}
	}
}

func TestStatementsHaveNoCredentials(t *testing.T) {
	for location, want := range map[string]string{
		"": "",
		"registry.example.com/web@" + digest("m"):                                         "oci://registry.example.com/web@" + digest("m"),
		"localhost:5000/web@" + digest("m"):                                               "oci://localhost:5000/web@" + digest("m"),
		"/apis/images.goldsmith.dev/v1alpha1/x":                                           "/apis/images.goldsmith.dev/v1alpha1/x",
		"https://jane:" + password + "@example.com/disk?sig=" + password + "#" + password: "https://example.com/disk",
		"s3://bucket/disk":        "s3://bucket/disk",
		"://" + password + "\x7f": "",
	} {
		build := web()
		build.Status.Resolved.Base.Artifacts[0].Location = location
		statement := statementsOf(t, build, artifactOfWeb(t))[0]
		made := require.Value(require.Value(statement.Content())(t).Provenance())(t)
		uri := uriOf(location)
		if uri != want || made.Base[0].Location != locationOf(want) || bytes.Contains(statement.Payload, []byte(password)) {
			t.Errorf("%s: the statement has %s, and %s is read", location, uri, made.Base[0].Location)
		}
	}
	for image, want := range map[string]string{
		"registry.example.com/b@" + digest("b"):                   "registry.example.com/b@" + digest("b"),
		"docker-pullable://registry.example.com/b@" + digest("b"): "registry.example.com/b@" + digest("b"),
		digest("b"): "@" + digest("b"),
		"":          "",
	} {
		build := web()
		build.Status.Attempts[1].BuilderImage = image
		statement := statementsOf(t, build, artifactOfWeb(t))[0]
		if made := require.Value(require.Value(statement.Content())(t).Provenance())(t); made.BuilderImage != want {
			t.Errorf("%s: read %s", image, made.BuilderImage)
		}
	}
}

func TestInputsOfAProvenanceAreThoseOfTheBuild(t *testing.T) {
	build := web()
	content := require.Value(statementsOf(t, build, artifactOfWeb(t))[0].Content())(t)
	made := require.Value(content.Provenance())(t)
	got := require.Value(made.Inputs())(t)
	want := build.Spec.Inputs.DeepCopy()
	want.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: build.Status.Resolved.Files}}
	if diff := cmp.Diff(*want, got); diff != "" {
		t.Errorf("the inputs are others (-want +got):\n%s", diff)
	}
	rest := *made
	rest.External.Inputs, rest.files = v1alpha1.BuildInputs{}, nil
	started := metav1.NewTime(time.Date(2026, time.November, 20, 11, 0, 0, 0, time.UTC))
	if diff := cmp.Diff(Provenance{
		BuildType: BuildType, BuilderID: builder, Version: "1.2.3", BuilderImage: build.Status.Attempts[1].BuilderImage, InvocationID: "uid-of-web-7",
		StartedOn: &started, Dependencies: 8, Packages: 2, Base: build.Status.Resolved.Base.Artifacts, BaseBuild: "golden-3", Digest: digest(disk), Lock: digest(locked),
		External: ExternalParameters{
			Namespace: "team", Image: "web", Target: target, BaseDigest: digest("base"), Timeouts: build.Spec.Timeouts, Retry: build.Spec.Retry,
		},
		Internal: InternalParameters{
			Build: "web-7", Attempt: 2, Reason: v1alpha1.TriggerManual, RequestedBy: "jane@example.com", InputsDigest: build.Status.Resolved.InputsDigest,
		},
	}, rest, cmp.AllowUnexported(Provenance{})); diff != "" {
		t.Errorf("the provenance is another one (-want +got):\n%s", diff)
	}

	made.files["a.txt"] = "other"
	if _, err := made.Inputs(); err == nil || !strings.Contains(err.Error(), "the build had inputs with the digest "+`"`+build.Status.Resolved.InputsDigest) {
		t.Errorf("with another file: got error %v", err)
	}
	foreign := Content{Predicate: json.RawMessage(`{"buildDefinition": {"buildType": "https://example.com/make", "externalParameters": "make all",
		"resolvedDependencies": [{"name": "base", "annotations": {"n": 1}}]}, "runDetails": {"builder": {"id": "https://example.com"}}}`)}
	made = require.Value(foreign.Provenance())(t)
	if _, err := made.Inputs(); err == nil || made.Dependencies != 1 || made.BuilderID != "https://example.com" {
		t.Errorf("of another system: got %+v, error %v", made, err)
	}

	// A build without any of the optional parts.
	small := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{Inputs: v1alpha1.BuildInputs{
		Base: v1alpha1.Base{Reference: "debian"}, Targets: web().Spec.Inputs.Targets,
	}}}
	small.Status.Resolved = &v1alpha1.ResolvedInputs{InputsDigest: inputs.Digest(small.Spec.Inputs, nil, "", "")}
	statement := require.Value(Make(small, Subject{&v1alpha1.Artifact{Target: target, Digest: digest(disk)}, digest("manifest")}, nil, Builder{ID: builder}))(t)[0]
	made = require.Value(require.Value(statement.Content())(t).Provenance())(t)
	if diff := cmp.Diff(small.Spec.Inputs, require.Value(made.Inputs())(t)); diff != "" || made.StartedOn != nil || bytes.Contains(statement.Payload, []byte("null")) {
		t.Errorf("of a small build: %s (-want +got):\n%s", statement.Payload, diff)
	}
}

func TestABillThatIsNotOfTheLockIsRefused(t *testing.T) {
	artifact := artifactOfWeb(t)
	artifact.Documents[1].Digest = digest("other")
	if _, err := Make(web(), Subject{artifact, digest("manifest")}, []byte(locked), Builder{ID: builder}); err == nil || !strings.Contains(err.Error(), "is not the SBOM of the lock") {
		t.Errorf("got error %v", err)
	}
	if _, err := Make(web(), Subject{artifact, digest("manifest")}, []byte("{}"), Builder{ID: builder}); err == nil || !strings.Contains(err.Error(), "read the lock") {
		t.Errorf("got error %v", err)
	}
}

func TestBundlesAndEnvelopesHaveTheirStatement(t *testing.T) {
	key := require.Value(signing.Generate())(t)
	public := require.Value(key.Public())(t)
	for _, statement := range statementsOf(t, web(), artifactOfWeb(t)) {
		signature := v1alpha1.StatementSignature{KeyID: public.ID(), Signature: require.Value(key.SignStatement(statement.SignedDigest()))(t)}
		read := []*Signed{require.Value(ReadSimpleSigning(statement.Payload, base64.StdEncoding.EncodeToString(signature.Signature)))(t)}
		if statement.Type != TypeSimpleSigning {
			bundle := require.Value(Read(require.Value(statement.Bundle(signature))(t)))(t)
			if bundle.Signatures[0].KeyID != public.ID() {
				t.Errorf("%s: the bundle hints at key %q", statement.Type, bundle.Signatures[0].KeyID)
			}
			read = []*Signed{bundle, require.Value(Read(statement.Envelope(signature)))(t)}
		}
		for _, signed := range read {
			content := require.Value(signed.Content())(t)
			if signed.Type != statement.Type || content.Type != statement.Type || !content.About(digest("manifest")) || content.About(digest("other")) ||
				content.About(digest(disk)) != (statement.Type != TypeSimpleSigning) || !public.VerifyStatement(signed.SignedDigest(), signed.Signatures[0].Signature) {
				t.Errorf("%s: read %+v about %v", statement.Type, signed, content.Digests)
			}
			if number, err := content.Packages(); statement.Type == TypeCycloneDX && (number != 2 || err != nil) {
				t.Errorf("%d packages, error %v", number, err)
			}
		}
	}
}

// TestTheBundleOfAFileIsThatOfCosign compares a bundle with what cosign 3 sign-blob writes.
func TestTheBundleOfAFileIsThatOfCosign(t *testing.T) {
	file := OfFile(require.Value(signing.ReadFile(strings.NewReader("disk")))(t))
	signature := v1alpha1.StatementSignature{KeyID: "sha256:" + zeros, Signature: []byte("signature")}
	bundle := require.Value(file.Bundle(signature))(t)
	const want = `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}},` +
		`"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"EETexyBujXyfu0ro92ZmhAbSVn/H/BoWCp1HAPz4+Ok="},"signature":"c2lnbmF0dXJl"}}`
	if string(bundle) != want {
		t.Errorf("the bundle is %s", bundle)
	}
	read := require.Value(Read(bundle))(t)
	content := require.Value(read.Content())(t)
	if read.SignedDigest() != "" || !content.About(digest("disk")) || len(content.Digests) != 1 || read.Signatures[0].KeyID != signature.KeyID {
		t.Errorf("read %+v about %v", read, content.Digests)
	}
}

// TestNoSignedTextIsThatOfAFile reads what signatures of statements sign as files.
func TestNoSignedTextIsThatOfAFile(t *testing.T) {
	build := web()
	build.Spec.Reproduces = Reproducible(build)
	build.Spec.Reproduces.Artifacts = []v1alpha1.ReproducedArtifact{{Target: target, Digest: digest(disk)}}
	all := append(statementsOf(t, build, artifactOfWeb(t)), require.Value(MakeIndex("registry.example.com/team/web", digest("index")))(t)...)
	key := require.Value(signing.Generate())(t)
	public := require.Value(key.Public())(t)
	types := map[string]bool{}
	for i := range all {
		types[all[i].Type] = true
		text := string(all[i].Payload)
		if all[i].Type != TypeSimpleSigning {
			text = fmt.Sprintf("DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(text), text)
		}
		file := require.Value(signing.ReadFile(strings.NewReader(text)))(t)
		signature := require.Value(key.SignStatement(all[i].SignedDigest()))(t)
		if file.Digest() != all[i].SignedDigest() || public.VerifyFile(file, signature) || file.Unsignable() == nil {
			t.Errorf("a signature of %s is one of a file", all[i].Type)
		}
	}
	if len(types) != 6 {
		t.Errorf("the types of statements are %v", types)
	}
}

func TestABundleThatIsNoneIsAnError(t *testing.T) {
	payload := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	enveloped := func(statement string) string {
		return fmt.Sprintf(`{"payloadType": %q, "payload": %q, "signatures": [{"sig": "AA=="}]}`, payloadType, payload(statement))
	}
	message := func(text string) string {
		return `{"mediaType": "` + v1alpha1.MediaTypeBundle + `", "messageSignature": ` + text + `}`
	}
	const statement = `{"_type": "https://in-toto.io/Statement/v1", "predicateType": "x"}`
	for name, test := range map[string]struct{ text, fails string }{
		"nothing":             {"", "unexpected end of JSON input"},
		"no JSON":             {"\x00\xff", "invalid character"},
		"a list":              {"[]", "cannot unmarshal array"},
		"an object":           {"{}", "neither a Sigstore bundle nor an envelope"},
		"a statement":         {statement, "a statement without a signature"},
		"another version":     {`{"mediaType": "application/vnd.dev.sigstore.bundle.v9+json"}`, "mediaType is"},
		"another media type":  {`{"mediaType": "` + strings.Repeat("x", 1000) + `"}`, `xxxx", must be`},
		"a signed message":    {`{"mediaType": "` + v1alpha1.MediaTypeBundle + `", "messageSignature": {}}`, "messageDigest.algorithm is \"\", must be SHA2_256"},
		"a short digest":      {message(`{"messageDigest": {"algorithm": "SHA2_256", "digest": "AA=="}, "signature": "AA=="}`), "messageDigest.digest has 1 bytes, must have 32"},
		"another algorithm":   {message(`{"messageDigest": {"algorithm": "SHA2_512", "digest": "AA=="}, "signature": "AA=="}`), "algorithm is \"SHA2_512\""},
		"no file signature":   {message(`{"messageDigest": {"algorithm": "SHA2_256", "digest": "` + payload(zeros[:32]) + `"}}`), "it has no signature"},
		"two in one":          {message(`{}, "dsseEnvelope": ` + enveloped(statement)), "both dsseEnvelope and messageSignature"},
		"a file as statement": {enveloped(`{"_type": "` + statementType + `", "predicateType": "` + TypeMessage + `"}`), "predicateType cannot be"},
		"another payloadType": {`{"payloadType": "text/plain", "payload": "e30=", "signatures": [{"sig": "AA=="}]}`, `payloadType is "text/plain"`},
		"no signatures":       {`{"payloadType": "` + payloadType + `", "payload": "` + payload(statement) + `", "signatures": []}`, "it has no signatures"},
		"no base64":           {`{"payloadType": "` + payloadType + `", "payload": "%"}`, "illegal base64"},
		"signatures are text": {`{"payloadType": "` + payloadType + `", "payload": "` + payload(statement) + `", "signatures": "none"}`, "a list is expected"},
		"a payload of text":   {enveloped("text"), "its statement"},
		"another statement":   {enveloped(`{"_type": "https://in-toto.io/Statement/v0.1"}`), "_type is"},
		"a type that is none": {enveloped(`{"_type": "https://in-toto.io/Statement/v1", "predicateType": "` + TypeSimpleSigning + `"}`), "predicateType cannot be"},
		"cut off":             {enveloped(statement)[:60], "unexpected end of JSON input"},
		"nested":              {strings.Repeat(`{"a":`, 100000), "exceeded max depth"},
		"a nested predicate":  {enveloped(`{"_type": "` + statementType + `", "predicate": ` + strings.Repeat("[", 20000)), "exceeded max depth"},
		"many signatures":     {`{"payloadType": "` + payloadType + `", "payload": "e30=", "signatures": [` + strings.Repeat("{},", maxItems) + `{}]}`, "more than 65536 items"},
		"too large":           {`{"payloadType": "x", "payload": "` + strings.Repeat("A", MaxBytes) + `"}`, "more than 33554432 bytes"},
	} {
		if _, err := Read([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.fails) || len(err.Error()) > 400 {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"subjects":     `{"_type": "` + statementType + `", "subject": [` + strings.Repeat("{},", maxItems) + `{}]}`,
		"a text":       `{"_type": "` + statementType + `", "subject": "all"}`,
		"another type": `{}`,
		"no JSON":      ``,
	} {
		if content, err := (&Statement{"x", []byte(text)}).Content(); err == nil {
			t.Errorf("%s: read %+v", name, content)
		}
	}
	if content, err := (&Statement{TypeSimpleSigning, []byte(`{"critical": {"type": "other"}}`)}).Content(); err == nil {
		t.Errorf("a signature of something else: read %+v", content)
	}
	if _, err := ReadSimpleSigning(nil, "%"); err == nil {
		t.Error("a signature that is not base64 was read")
	}
}

func FuzzRead(f *testing.F) {
	key := require.Value(signing.Generate())(f)
	statement := Statement{"x", []byte(`{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1", "subject": [{"digest": {"sha256": "00"}}], "predicate": {}}`)}
	signature := v1alpha1.StatementSignature{KeyID: "sha256:" + zeros, Signature: require.Value(key.SignStatement(statement.SignedDigest()))(f)}
	f.Add(require.Value(statement.Bundle(signature))(f))
	f.Add(require.Value(OfFile(require.Value(signing.ReadFile(strings.NewReader("sums")))(f)).Bundle(signature))(f))
	f.Add(statement.Envelope(signature))
	f.Add(statement.Payload)
	f.Fuzz(func(_ *testing.T, text []byte) {
		read := &Signed{Statement: Statement{TypeProvenance, text}}
		if signed, err := Read(text); err == nil {
			read = signed
		}
		if content, err := read.Content(); err == nil { // nothing of this may panic
			_, _ = content.Packages()
			if made, err := content.Provenance(); err == nil {
				_, _ = made.Inputs()
			}
		}
	})
}
