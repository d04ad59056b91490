// SPDX-License-Identifier: Apache-2.0

//go:build e2e

// Package proof_test lets cosign, oras and skopeo verify what Goldsmith publishes about artifacts, without the network. $COSIGN, $COSIGN_2,
// $ORAS and $SKOPEO are the paths of cosign 3, of cosign 2, which reads bundles only by a transparency log, of oras and of skopeo.
package proof_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/documents"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/signing"
)

const lock = `{"version":1,"distribution":{"id":"debian","version":"13"},"packages":[{"name":"openssl","version":"3.5.6-1","architecture":"amd64"}]}`

// file is a file of a builder.
type file struct{ *bytes.Reader }

// Close has nothing to close.
func (file) Close() error { return nil }

// published is a build whose artifacts are in a registry, and what verifies them.
type published struct {
	repository string
	reported   *result.Result
	keys       []*signing.PrivateKey
	directory  string // with the public keys, 0.pub and so on, and the contents of the artifacts, 0.raw and so on
}

// targets are those of the build.
var targets = []string{"linux/amd64/raw", "linux/arm64/raw"}

// publishIn publishes a build with a content, signed with a number of keys. The tags are those of its targets.
func publishIn(t *testing.T, host, content string, keys int, tags ...string) *published {
	t.Helper()
	p := &published{repository: host + "/team/web", directory: t.TempDir()}
	for i := range keys {
		key := require.Value(signing.Generate())(t)
		p.keys = append(p.keys, key)
		p.write(t, fmt.Sprint(i, ".pub"), require.Value(key.Public())(t).PEM())
	}
	p.write(t, "other.pub", require.Value(require.Value(signing.Generate())(t).Public())(t).PEM())
	files := map[string][]byte{"lock": []byte(lock)}
	output := &render.Output{Repository: p.repository, Tags: map[string]string{}}
	p.reported = &result.Result{Version: result.Version, Outcome: result.OutcomeSucceeded}
	for i, target := range targets {
		files[target] = bytes.Repeat([]byte(content+" for "+target), 1000)
		p.write(t, fmt.Sprint(i, ".raw"), files[target])
		p.reported.Artifacts = append(p.reported.Artifacts, result.Artifact{
			Target: target, Content: contentOf(target, files[target], "application/x-raw-disk-image"), Lock: new(contentOf("lock", files["lock"], v1alpha1.LockMediaType)),
		})
		if len(tags) > i {
			output.Tags[target] = tags[i]
		}
	}
	opened := func(content *result.Content) file { return file{bytes.NewReader(files[content.File])} }
	locks := require.Value(documents.Make(p.reported, func(content *result.Content) (io.ReadCloser, error) { return opened(content), nil }))(t)
	open := func(content *result.Content) (transport.File, error) { return opened(content), nil }
	signs := &server{p, t, require.Value(locks[0].Content())(t)}
	require.NoError(t, publish.PushResult(t.Context(), output, p.reported, open, signs, transport.Options{}))
	return p
}

// server makes the statements as the server does, and signs them as the signer does.
type server struct {
	*published
	t    *testing.T
	lock []byte
}

// Attest returns the statements about an artifact.
func (s *server) Attest(_ context.Context, artifact *result.Artifact, manifest string) ([]v1alpha1.SignedStatement, error) {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1", UID: "0b9e"}}
	build.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1, StartTime: metav1.NewTime(time.Unix(1_700_000_000, 0))}}
	statements, err := attestation.Make(build, attestation.Subject{Artifact: artifact.Status(), Manifest: manifest}, s.lock,
		attestation.Builder{ID: "https://goldsmith.dev/builders/cluster/v1", Version: "v1.0.0"})
	return s.sign(s.t, statements), err
}

// AttestIndex returns the statements about an index.
func (s *server) AttestIndex(_ context.Context, _ string, index []byte) ([]v1alpha1.SignedStatement, error) {
	statements, err := attestation.MakeIndex(s.repository, contents.Digest(index))
	return s.sign(s.t, statements), err
}

func contentOf(name string, content []byte, mediaType string) result.Content {
	size := int64(len(content))
	return result.Content{File: name, Digest: contents.Digest(content), SizeBytes: &size, MediaType: mediaType, Verified: v1alpha1.ArtifactVerifiedContent}
}

func (p *published) write(t *testing.T, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(p.directory, name), content, 0o600))
}

// sign returns statements with the signatures of the keys.
func (p *published) sign(t *testing.T, statements []attestation.Statement) (signed []v1alpha1.SignedStatement) {
	t.Helper()
	for i := range statements {
		var compressed bytes.Buffer
		writer := gzip.NewWriter(&compressed)
		_ = require.Value(writer.Write(statements[i].Payload))(t)
		require.NoError(t, writer.Close())
		one := v1alpha1.SignedStatement{Type: statements[i].Type, Payload: compressed.Bytes()}
		for _, key := range p.keys {
			one.Signatures = append(one.Signatures, v1alpha1.StatementSignature{
				KeyID: require.Value(key.Public())(t).ID(), Signature: require.Value(key.SignStatement(statements[i].SignedDigest()))(t),
			})
		}
		signed = append(signed, one)
	}
	return signed
}

// writeBundle writes the bundle of the first artifact to bundle.json.
func (p *published) writeBundle(t *testing.T) (bundle []byte) {
	t.Helper()
	made := p.reported.Artifacts[0].Made
	var text bytes.Buffer
	require.NoError(t, made[len(made)-1].Write(&text))
	p.write(t, "bundle.json", text.Bytes())
	return text.Bytes()
}

// run runs a program of a variable, without the network, and returns its output and whether it succeeds.
func (p *published) run(t *testing.T, variable string, args ...string) (output string, ok bool) {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("$%s is not set: run make proof-test, or make kyverno-test", variable)
	}
	command := exec.CommandContext(t.Context(), path, args...)
	command.Dir = p.directory
	command.Env = append(os.Environ(), "HOME="+p.directory, "XDG_CACHE_HOME=", "HTTPS_PROXY=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1")
	text, err := command.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", path, err)
	}
	t.Logf("$ %s %s\n%.700s", variable, strings.Join(args, " "), text)
	return string(text), err == nil
}

// registries are registries with and without the referrers API.
func registries(t *testing.T) map[string]string {
	hosts := map[string]string{"go-containerregistry without referrers": registrytest.New(t, registrytest.Options{}).Host()}
	for name, referrers := range map[string]bool{"olareg": true, "olareg without referrers": false} {
		quiet := slog.New(slog.DiscardHandler)
		server := olareg.New(config.Config{Storage: config.ConfigStorage{StoreType: config.StoreMem}, API: config.ConfigAPI{Referrer: config.ConfigAPIReferrer{Enabled: &referrers}}, Log: quiet})
		serving := httptest.NewServer(server)
		t.Cleanup(serving.Close)
		hosts[name] = serving.Listener.Addr().String()
	}
	return hosts
}

// insecure are the arguments with which cosign verifies by a key alone, without a transparency log.
func insecure(command, key string, args ...string) []string {
	return append([]string{command, "--key", key, "--insecure-ignore-tlog=true"}, args...)
}

// expect runs a program, and fails the test unless it succeeds or, with a text, is refused with this text.
func (p *published) expect(t *testing.T, refusal, program string, args ...string) (output string) {
	t.Helper()
	output, ok := p.run(t, program, args...)
	if ok != (refusal == "") || !strings.Contains(output, refusal) {
		t.Errorf("%s %s: succeeded is %t, want the refusal %q: %s", program, strings.Join(args, " "), ok, refusal, output)
	}
	return output
}

func TestCosignVerifiesWhatIsPublished(t *testing.T) {
	statements := []string{"slsaprovenance1", "cyclonedx", "spdxjson"}
	for name, host := range registries(t) {
		t.Run(name, func(t *testing.T) {
			p := publishIn(t, host, "disk", 2, "web-1", "web-1-arm64")
			amd64 := p.reported.Artifacts[0].Location
			const unknown = "accepted signatures do not match threshold" // of an envelope
			for cosign, unknownSignature := range map[string]string{"COSIGN": unknown, "COSIGN_2": "invalid signature when validating ASN.1 encoded signature"} {
				p.expect(t, "", cosign, insecure("verify", "0.pub", amd64)...)
				p.expect(t, "", cosign, insecure("verify", "1.pub", p.repository+":web-1")...)
				for _, kind := range statements {
					p.expect(t, "", cosign, insecure("verify-attestation", "1.pub", "--type", kind, amd64)...)
				}
				p.expect(t, unknownSignature, cosign, insecure("verify", "other.pub", amd64)...)
				p.expect(t, unknown, cosign, insecure("verify-attestation", "other.pub", "--type", statements[0], amd64)...)
			}
			var index ociv1.Index
			listed := p.expect(t, "", "ORAS", "discover", "--plain-http", "--format", "json", amd64)
			require.NoError(t, json.Unmarshal([]byte(listed), &index))
			kinds := map[string]int{}
			for i := range index.Manifests {
				kinds[strings.TrimSpace(index.Manifests[i].ArtifactType+" "+index.Manifests[i].Annotations[attestation.AnnotationBundlePredicateType])]++
			}
			want := map[string]int{v1alpha1.LockMediaType: 1, v1alpha1.MediaTypeCycloneDX: 1, v1alpha1.MediaTypeSPDX: 1, v1alpha1.MediaTypeProvenance: 1}
			for _, kind := range []string{attestation.TypeSignature, attestation.TypeProvenance, attestation.TypeCycloneDX, attestation.TypeSPDX} {
				want[v1alpha1.MediaTypeBundle+" "+kind] = 2
			}
			if !maps.Equal(kinds, want) {
				t.Errorf("oras discovers %v, want %v", kinds, want)
			}
		})
	}
}

// A tag that several artifacts share names an index, which is signed as its members are. Only they have attestations.
func TestAnIndexAndItsMembersAreVerified(t *testing.T) {
	for name, host := range registries(t) {
		t.Run(name, func(t *testing.T) {
			p := publishIn(t, host, "disk", 2, "web-1", "web-1")
			tag := p.repository + ":web-1"
			for cosign, unknown := range map[string]string{
				"COSIGN": "accepted signatures do not match threshold", "COSIGN_2": "invalid signature when validating ASN.1 encoded signature",
			} {
				p.expect(t, "", cosign, insecure("verify", "0.pub", tag)...)
				p.expect(t, "", cosign, insecure("verify", "1.pub", tag)...)
				p.expect(t, unknown, cosign, insecure("verify", "other.pub", tag)...)
				member := p.repository + "@" + strings.TrimSpace(p.expect(t, "", "ORAS", "resolve", "--plain-http", "--platform", "linux/arm64", tag))
				p.expect(t, "", cosign, insecure("verify", "0.pub", member)...)
				p.expect(t, "", cosign, insecure("verify-attestation", "1.pub", "--type", "slsaprovenance1", member)...)
			}
		})
	}
}

func TestCosignVerifiesAFileByItsBundle(t *testing.T) {
	p := publishIn(t, registries(t)["olareg"], "disk", 2)
	bundle := p.writeBundle(t)
	flipped := require.Value(os.ReadFile(filepath.Join(p.directory, "0.raw")))(t)
	flipped[100] ^= 1
	p.write(t, "flipped.raw", flipped)
	p.write(t, "broken.json", bytes.Replace(bundle, []byte(`"sig":"M`), []byte(`"sig":"N`), 1))
	blob := func(key, bundle, file string) []string {
		return insecure("verify-blob-attestation", key, "--type", "slsaprovenance1", "--bundle", bundle, file)
	}
	const another = "provided artifact digests do not match digests in statement"
	p.expect(t, "", "COSIGN", blob("0.pub", "bundle.json", "0.raw")...)
	p.expect(t, another, "COSIGN", blob("0.pub", "bundle.json", "1.raw")...)
	p.expect(t, another, "COSIGN", blob("0.pub", "bundle.json", "flipped.raw")...)
	p.expect(t, "could not verify envelope", "COSIGN", blob("0.pub", "broken.json", "0.raw")...)
	p.expect(t, "could not verify envelope", "COSIGN", blob("1.pub", "bundle.json", "0.raw")...)
}

func TestCosignRefusesWhatIsMovedToAnotherArtifact(t *testing.T) {
	host := registries(t)["olareg"]
	p, unsigned := publishIn(t, host, "disk", 1), publishIn(t, host, "another disk", 0)
	p.writeBundle(t)
	of, to := p.reported.Artifacts[0].Location, unsigned.reported.Artifacts[0].Location
	p.expect(t, "", "ORAS", "attach", "--plain-http", "--artifact-type", v1alpha1.MediaTypeBundle,
		"--annotation", attestation.AnnotationBundleContent+"="+attestation.BundleContent, "--annotation", attestation.AnnotationBundlePredicateType+"="+attestation.TypeProvenance,
		to, "bundle.json:"+v1alpha1.MediaTypeBundle)
	p.expect(t, "provided artifact digest does not match any digest in statement", "COSIGN", insecure("verify-attestation", "0.pub", "--type", "slsaprovenance1", to)...)
	for _, suffix := range []string{".sig", ".att"} {
		p.expect(t, "", "ORAS", "tag", "--plain-http", p.repository+":"+tagOf(of)+suffix, tagOf(to)+suffix)
	}
	p.expect(t, "invalid or missing digest in claim", "COSIGN_2", insecure("verify", "0.pub", to)...)
	p.expect(t, "no matching subject digest found", "COSIGN_2", insecure("verify-attestation", "0.pub", "--type", "slsaprovenance1", to)...)
}

// The page on proof has the commands that readers type.
func TestTheCommandsOfTheDocsVerify(t *testing.T) {
	p := publishIn(t, registries(t)["olareg"], "disk", 1, "web-1", "web-1")
	p.write(t, "disk.raw.bundle", p.writeBundle(t))
	for from, to := range map[string]string{"0.pub": "release.pub", "0.raw": "disk.raw"} {
		require.NoError(t, os.Rename(filepath.Join(p.directory, from), filepath.Join(p.directory, to)))
	}
	repository, digest, _ := strings.Cut(p.reported.Artifacts[0].Location, "@")
	for command := range strings.Lines(documented(t, "sh cosign")) {
		arguments := strings.NewReplacer(`"`, "", "$repository", repository, "$digest", digest, "$tag", "web-1").Replace(strings.TrimPrefix(command, "cosign "))
		p.expect(t, "", "COSIGN", strings.Fields(arguments)...)
	}
}

// documented returns the block in a language on the page on proof.
func documented(t *testing.T, language string) string {
	t.Helper()
	page := string(require.Value(os.ReadFile("../../../docs/proof.md"))(t))
	_, rest, _ := strings.Cut(page, "\n```"+language+"\n")
	block, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatalf("docs/proof.md has no block of %s", language)
	}
	return block
}

// tagOf returns the tags of a manifest for signatures, without their suffix.
func tagOf(location string) string {
	_, digest, _ := strings.Cut(location, "@")
	return strings.Replace(digest, ":", "-", 1)
}
