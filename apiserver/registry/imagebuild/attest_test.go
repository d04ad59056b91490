// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/sbom"
)

func TestTheSignaturesOfTheOldestKeyComeFirst(t *testing.T) {
	key := func(name string, age time.Duration) *v1alpha1.SigningKey {
		return &v1alpha1.SigningKey{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Unix(0, 0).Add(-age))}, Status: v1alpha1.SigningKeyStatus{KeyID: "id of " + name},
		}
	}
	stored := []v1alpha1.AttestedStatement{{Signatures: []v1alpha1.StatementSignature{
		{KeyID: "id of b"}, {KeyID: "id of c"}, {KeyID: "id of d"},
	}}}
	keys := []*v1alpha1.SigningKey{key("a", time.Hour), key("b", time.Minute), key("c", time.Hour), key("b", time.Second)}
	signed := require.Value(signedStatements([]attestation.Statement{{Type: "t", Payload: []byte("{}")}}, stored, keys))(t)
	var order []string
	for _, signature := range signed[0].Signatures {
		order = append(order, signature.KeyID)
	}
	if got := strings.Join(order, ", "); got != "id of c, id of b" {
		t.Errorf("the signatures are of %s", got)
	}
}

// BenchmarkAttest makes the statements about an artifact and compresses them, as a request does that stores them, and again one that gets them.
func BenchmarkAttest(b *testing.B) {
	for _, packages := range []int{300, v1alpha1.MaxLockPackages} {
		b.Run(fmt.Sprintf("packages=%d", packages), func(b *testing.B) {
			request := attestationOfPackages(b, packages)
			attester := &attester{builder: attestation.Builder{ID: attestation.BuilderCluster}, making: make(chan struct{}, 1)}
			build := &v1alpha1.ImageBuild{}
			b.ReportAllocs()
			for b.Loop() {
				made := require.Value(attester.make(b.Context(), build, request))(b)
				stored := attestation.Unsigned(made)
				answer := &v1alpha1.BuildAttestation{Statements: require.Value(signedStatements(made, stored, nil))(b)}
				b.ReportMetric(float64(len(require.Value(json.Marshal(answer))(b))), "answer-B")
			}
		})
	}
}

// attestationOfPackages is the attestation of an artifact with both bills of materials.
func attestationOfPackages(tb testing.TB, packages int) *v1alpha1.BuildAttestation {
	tb.Helper()
	its := &v1alpha1.Lock{Version: v1alpha1.LockVersion}
	for i := range packages {
		name := fmt.Sprintf("package-%05d", i)
		its.Packages = append(its.Packages, v1alpha1.Package{
			Name: name, Version: "1.2.3-4", Architecture: "amd64", Source: &v1alpha1.SourcePackage{Name: "source-" + name, Version: "1.2.3-4"},
			SHA256: strings.TrimPrefix(contents.Digest([]byte(name)), "sha256:"), Licence: "GPL-2.0-or-later",
		})
	}
	content := require.Value(json.Marshal(its))(tb)
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	_ = require.Value(writer.Write(content))(tb)
	require.NoError(tb, writer.Close())
	artifact := &v1alpha1.Artifact{Target: "linux/amd64/raw", Digest: contents.Digest([]byte("disk")), MediaType: "application/octet-stream", Documents: []v1alpha1.ArtifactDocument{
		{Type: v1alpha1.DocumentLock, Digest: contents.Digest(content), MediaType: v1alpha1.LockMediaType},
	}}
	for _, bill := range []struct {
		mediaType string
		write     func(io.Writer, *v1alpha1.Lock, sbom.Subject) error
	}{{v1alpha1.MediaTypeCycloneDX, sbom.CycloneDX}, {v1alpha1.MediaTypeSPDX, sbom.SPDX}} {
		var text bytes.Buffer
		require.NoError(tb, bill.write(&text, its, sbom.Subject{Target: artifact.Target, Digest: artifact.Digest}))
		artifact.Documents = append(artifact.Documents, v1alpha1.ArtifactDocument{
			Type: v1alpha1.DocumentSBOM, MadeBy: v1alpha1.DocumentMadeByGoldsmith, Digest: contents.Digest(text.Bytes()), MediaType: bill.mediaType,
		})
	}
	return &v1alpha1.BuildAttestation{Locks: [][]byte{compressed.Bytes()}, Artifact: artifact, Manifest: contents.Digest([]byte("manifest"))}
}
