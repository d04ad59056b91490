// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/render"
)

// signedProvenance is an answer with the provenance, and its signature.
func signedProvenance(t *testing.T, text string) *v1alpha1.BuildAttestation {
	t.Helper()
	var payload bytes.Buffer
	writer := gzip.NewWriter(&payload)
	_ = require.Value(writer.Write([]byte(text)))(t)
	require.NoError(t, writer.Close())
	return &v1alpha1.BuildAttestation{Statements: []v1alpha1.SignedStatement{{
		Type: attestation.TypeProvenance, Payload: payload.Bytes(), Signatures: []v1alpha1.StatementSignature{{KeyID: "sha256:" + strings.Repeat("a", 64), Signature: []byte("x")}},
	}}}
}

func TestThePublisherAwaitsSignaturesBeforeItMovesATag(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	p := newPod(t, registry)
	p.write(render.PublisherToken, []byte("token"))
	p.write(filepath.Join(render.PublishFiles, "lock.json"), []byte(diskLock))
	p.attest = []error{errors.New("connection refused")}
	p.signed = []*v1alpha1.BuildAttestation{{WaitingFor: []string{"blue"}}, signedProvenance(t, "how it was built")}
	outcome, log := p.publish(succeeded(`"file":"disk","lock":{"file":"lock.json"}`))
	if outcome.Failure != nil {
		t.Fatalf("%+v", outcome.Failure)
	}
	artifact := outcome.Artifacts[0]
	if len(p.attested) != 4 || p.attested[3].Artifact != nil || len(p.attested[3].Locks) != 1 {
		t.Fatalf("uploaded: %+v", p.attested)
	}
	for _, request := range p.attested[:3] {
		sent := request.Artifact
		if sent == nil || sent.Digest != artifact.Digest || sent.Location != artifact.Location || artifact.Location != p.output.Repository+"@"+request.Manifest || len(request.Locks) != 1 || len(sent.Documents) != 3 {
			t.Errorf("the request is %+v", request)
		}
	}
	last := artifact.Documents[len(artifact.Documents)-1]
	if last.Name() != "provenance" || last.MadeBy != v1alpha1.DocumentMadeByGoldsmith || last.Digest != contents.Digest([]byte("how it was built")) || len(artifact.Documents) != 4 {
		t.Errorf("the documents are %+v", artifact.Documents)
	}
	_, digest, _ := strings.Cut(last.Location, "@")
	if status, _ := registry.Get("/team/web/manifests/" + digest); status != http.StatusOK {
		t.Errorf("%d, %s", status, last.Location)
	}
	requests := registry.Requests()
	if at := slices.IndexFunc(requests, func(r string) bool { return strings.HasSuffix(r, ".att") }); at < 0 || requests[len(requests)-1] != "PUT /v2/team/web/manifests/web-1" {
		t.Errorf("the requests are %q", requests)
	}
	if !strings.Contains(log, "\nwaiting for the API server to attest linux/amd64/raw: ") || !strings.Contains(log, "\npushed the signatures of linux/amd64/raw\n") {
		t.Errorf("the log is %q", log)
	}
}

func TestArtifactsThatAreNotSignedGetNoTag(t *testing.T) {
	noKey := &apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusUnprocessableEntity, Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{
		{Type: metav1.CauseType(v1alpha1.ReasonSigningKeyExpired), Message: "the SigningKey blue has expired: make the next key"},
	}}}}
	for name, test := range map[string]struct {
		prepare func(*pod)
		answer  error
		reason  v1alpha1.FailureReason
		says    string
	}{
		"an expired key":    {answer: noKey, reason: v1alpha1.ReasonSigningKeyExpired, says: "the SigningKey blue has expired: make the next key"},
		"another statement": {answer: apierrors.NewConflict(v1alpha1.Resource("imagebuilds"), "web-1", errors.New("another statement")), reason: v1alpha1.ReasonArtifactNotStored, says: "another statement"},
		"another pod":       {answer: apierrors.NewForbidden(v1alpha1.Resource("imagebuilds/attest"), "web-1", errors.New("no")), reason: v1alpha1.ReasonArtifactNotStored, says: "no"},
		"a pod of an earlier version": {reason: v1alpha1.ReasonArtifactNotStored, says: "an earlier version of the controller made the pod", prepare: func(p *pod) {
			p.output.Attest = v1alpha1.AttestRequired
			p.write(render.PublishOutput, require.Value(json.Marshal(p.output))(t))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
			p := newPod(t, registry)
			if test.prepare != nil {
				test.prepare(p)
			} else {
				p.write(render.PublisherToken, []byte("token"))
			}
			p.attest = []error{test.answer}
			outcome, log := p.publish(succeeded(`"file":"disk"`))
			if outcome.Failure == nil || outcome.Failure.Reason != test.reason || !strings.Contains(outcome.Failure.Message, test.says) || !strings.Contains(log, test.says) {
				t.Errorf("%+v, log %q", outcome.Failure, log)
			}
			if tags := registry.Tags("team/web"); len(tags) != 0 {
				t.Errorf("the tags are %v", tags)
			}
		})
	}
}
