// SPDX-License-Identifier: Apache-2.0

package attestation

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// EnvelopeMediaType is the media type of the layers of the tag .att.
const EnvelopeMediaType = "application/vnd.dsse.envelope.v1+json"

// Annotations of referrers and layers, by which cosign finds what it verifies.
const (
	AnnotationBundleContent       = "dev.sigstore.bundle.content"
	AnnotationBundlePredicateType = "dev.sigstore.bundle.predicateType"
	AnnotationSignature           = "dev.cosignproject.cosign/signature"
	AnnotationPredicateType       = "predicateType"
	// BundleContent is the value of AnnotationBundleContent.
	BundleContent = "dsse-envelope"
)

// bundle is a Sigstore bundle v0.3 (https://docs.sigstore.dev/about/bundle/) whose verifier has the public key.
type bundle struct {
	MediaType string               `json:"mediaType"`
	Material  verificationMaterial `json:"verificationMaterial"`
	Envelope  envelope             `json:"dsseEnvelope"`
	Message   *message             `json:"messageSignature"`
}

type verificationMaterial struct {
	PublicKey publicKeyHint `json:"publicKey"`
}

type publicKeyHint struct {
	// Hint is the digest of the public key in base64, as cosign computes it.
	Hint string `json:"hint"`
}

// envelope is an envelope of DSSE.
type envelope struct {
	Payload     []byte                 `json:"payload"`
	PayloadType string                 `json:"payloadType"`
	Signatures  few[envelopeSignature] `json:"signatures"`
}

type envelopeSignature struct {
	KeyID     string `json:"keyid,omitempty"`
	Signature []byte `json:"sig"`
}

// Bundle returns a statement with a signature as a bundle. A statement of TypeSimpleSigning has no bundle.
func (s *Statement) Bundle(signature v1alpha1.StatementSignature) ([]byte, error) {
	sum, err := contents.Sum(signature.KeyID)
	if err != nil {
		return nil, fmt.Errorf("keyID of a signature: %w", err)
	}
	material, err := json.Marshal(verificationMaterial{publicKeyHint{base64.StdEncoding.EncodeToString(sum)}})
	if err != nil {
		return nil, fmt.Errorf("write a bundle: %w", err)
	}
	text := s.newForm()
	text = append(text, `{"mediaType":"`+v1alpha1.MediaTypeBundle+`","verificationMaterial":`...)
	text = append(text, material...)
	if s.Type == TypeMessage {
		return append(s.appendMessage(append(text, `,"messageSignature":`...), signature), '}'), nil
	}
	text = append(text, `,"dsseEnvelope":`...)
	return append(s.appendEnvelope(text, signature), '}'), nil
}

// Envelope returns an in-toto statement with a signature as an envelope, which the tag .att has as a layer.
func (s *Statement) Envelope(signature v1alpha1.StatementSignature) []byte {
	return s.appendEnvelope(s.newForm(), signature)
}

// newForm returns room for a form. Statements with bills of materials have many megabytes, of which package json would hold several copies.
func (s *Statement) newForm() []byte {
	const others = 1 << 10 // bytes of everything but the payload
	return make([]byte, 0, base64.StdEncoding.EncodedLen(len(s.Payload))+others)
}

// appendEnvelope appends an envelope as JSON. Nothing in it needs escapes.
func (s *Statement) appendEnvelope(text []byte, signature v1alpha1.StatementSignature) []byte {
	text = base64.StdEncoding.AppendEncode(append(text, `{"payload":"`...), s.Payload)
	text = append(text, `","payloadType":"`+payloadType+`","signatures":[{"sig":"`...)
	return append(base64.StdEncoding.AppendEncode(text, signature.Signature), `"}]}`...)
}
