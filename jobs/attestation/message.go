// SPDX-License-Identifier: Apache-2.0

package attestation

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// TypeMessage says that a file is signed as it is, as cosign sign-blob does it. It is no in-toto statement: its payload is the SHA-256 of the file.
const TypeMessage = "messageSignature"

// messageAlgorithm is the algorithm of the digest in the bundle of a signed file.
const messageAlgorithm = "SHA2_256"

// message is the signature of a file in a bundle.
type message struct {
	Digest struct {
		Algorithm string `json:"algorithm"`
		Digest    []byte `json:"digest"`
	} `json:"messageDigest"`
	Signature []byte `json:"signature"`
}

// OfFile returns the statement that a file is signed as it is.
func OfFile(file *signing.File) *Statement {
	return &Statement{TypeMessage, file.Sum()}
}

// signed returns the statement of the signature. Nobody has verified that the signature is one of the digest.
func (m *message) signed() (*Signed, error) {
	switch {
	case m.Digest.Algorithm != messageAlgorithm:
		return nil, fmt.Errorf("messageDigest.algorithm is %.80q, must be %s", m.Digest.Algorithm, messageAlgorithm)
	case len(m.Digest.Digest) != sha256.Size:
		return nil, fmt.Errorf("messageDigest.digest has %d bytes, must have %d", len(m.Digest.Digest), sha256.Size)
	case len(m.Signature) == 0:
		return nil, errors.New("it has no signature")
	}
	return &Signed{Statement{TypeMessage, m.Digest.Digest}, []v1alpha1.StatementSignature{{Signature: m.Signature}}}, nil
}

// appendMessage appends the signature of a file as JSON. Nothing in it needs escapes.
func (s *Statement) appendMessage(text []byte, signature v1alpha1.StatementSignature) []byte {
	text = append(text, `{"messageDigest":{"algorithm":"`+messageAlgorithm+`","digest":"`...)
	text = append(base64.StdEncoding.AppendEncode(text, s.Payload), `"},"signature":"`...)
	return append(base64.StdEncoding.AppendEncode(text, signature.Signature), `"}`...)
}
