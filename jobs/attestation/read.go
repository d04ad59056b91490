// SPDX-License-Identifier: Apache-2.0

package attestation

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// MaxBytes is the maximum size of a bundle or an envelope. Its reader needs some times as much memory.
const MaxBytes = 32 << 20

// maxItems is the maximum length of each list in a bundle and a statement.
const maxItems = 1 << 16

// few is a list of at most maxItems items. Millions of empty items fit into a bundle, and would need a hundred times its size.
type few[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (f *few[T]) UnmarshalJSON(text []byte) error {
	*f = nil
	decoder := json.NewDecoder(bytes.NewReader(text))
	first, err := decoder.Token()
	if err != nil || first == nil {
		return err
	}
	if first != json.Delim('[') {
		return errors.New("a list is expected")
	}
	for decoder.More() {
		if len(*f) == maxItems {
			return fmt.Errorf("a list has more than %d items", maxItems)
		}
		var item T
		if err := decoder.Decode(&item); err != nil {
			return err
		}
		*f = append(*f, item)
	}
	return nil
}

// maxPayload is how many bytes are reserved for a payload before it is decompressed.
const maxPayload = 64 << 20

// Signed is a statement that was read from a bundle or an envelope, with its signatures. Nobody has verified them.
type Signed struct {
	Statement
	// Signatures are the signatures. Their keyIDs are hints, and can be empty.
	Signatures []v1alpha1.StatementSignature
}

// Content is what a statement says. Only callers that have verified a signature of the statement read it.
type Content struct {
	// Type is the type of the statement.
	Type string
	// Digests are the SHA-256 digests of the subjects: "sha256:" and 64 hex digits.
	Digests []string
	// Predicate is the predicate. Statements of TypeSimpleSigning and TypeMessage have none.
	Predicate json.RawMessage
}

// About reports whether one of the subjects has a digest.
func (c *Content) About(digest string) bool { return slices.Contains(c.Digests, digest) }

// Read reads a bundle or an envelope.
func Read(text []byte) (*Signed, error) {
	var form struct {
		MediaType   *string `json:"mediaType"`
		PayloadType *string `json:"payloadType"`
		Type        *string `json:"_type"`
	}
	if err := json.Unmarshal(text, &form); err != nil {
		return nil, fmt.Errorf("read a bundle: %w", err)
	}
	switch {
	case form.MediaType != nil:
		return ReadBundle(text)
	case form.PayloadType != nil:
		return ReadEnvelope(text)
	case form.Type != nil:
		return nil, errors.New("read a bundle: it is a statement without a signature")
	}
	return nil, errors.New("read a bundle: it is neither a Sigstore bundle nor an envelope of DSSE")
}

// ReadBundle reads a bundle.
func ReadBundle(text []byte) (*Signed, error) {
	var read bundle
	if err := checkSize(text); err != nil {
		return nil, fmt.Errorf("read a bundle: %w", err)
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("read a bundle: %w", err)
	}
	if read.MediaType != v1alpha1.MediaTypeBundle {
		return nil, fmt.Errorf("read a bundle: mediaType is %.80q, must be %s", read.MediaType, v1alpha1.MediaTypeBundle)
	}
	signed, err := read.signed()
	if err != nil {
		return nil, fmt.Errorf("read a bundle: %w", err)
	}
	if sum, err := base64.StdEncoding.DecodeString(read.Material.PublicKey.Hint); err == nil && len(sum) == sha256.Size {
		for i := range signed.Signatures {
			signed.Signatures[i].KeyID = "sha256:" + hex.EncodeToString(sum)
		}
	}
	return signed, nil
}

// signed returns the statement of a bundle: that of its envelope, or that a file is signed.
func (b *bundle) signed() (*Signed, error) {
	switch {
	case b.Message == nil:
		return signedOf(&b.Envelope)
	case b.Envelope.PayloadType != "" || len(b.Envelope.Payload) > 0:
		return nil, errors.New("it has both dsseEnvelope and messageSignature")
	}
	return b.Message.signed()
}

// ReadEnvelope reads an envelope.
func ReadEnvelope(text []byte) (*Signed, error) {
	var read envelope
	if err := checkSize(text); err != nil {
		return nil, fmt.Errorf("read an envelope: %w", err)
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("read an envelope: %w", err)
	}
	signed, err := signedOf(&read)
	if err != nil {
		return nil, fmt.Errorf("read an envelope: %w", err)
	}
	return signed, nil
}

// ReadSimpleSigning returns the payload of a signature for cosign before version 3, with its signature in base64.
func ReadSimpleSigning(payload []byte, signature string) (*Signed, error) {
	decoded, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return nil, errors.New("read a signature: it is not base64")
	}
	return &Signed{Statement{TypeSimpleSigning, payload}, []v1alpha1.StatementSignature{{Signature: decoded}}}, nil
}

func checkSize(text []byte) error {
	if len(text) > MaxBytes {
		return fmt.Errorf("it has more than %d bytes", MaxBytes)
	}
	return nil
}

func signedOf(read *envelope) (*Signed, error) {
	switch {
	case read.PayloadType == "" && len(read.Payload) == 0:
		return nil, errors.New("it has no statement")
	case read.PayloadType != payloadType:
		return nil, fmt.Errorf("payloadType is %.80q, must be %s", read.PayloadType, payloadType)
	case len(read.Signatures) == 0:
		return nil, errors.New("it has no signatures")
	}
	var its struct { // anybody can have written it: the rest is read after its signature is verified
		Type          string `json:"_type"`
		PredicateType string `json:"predicateType"`
	}
	if err := json.Unmarshal(read.Payload, &its); err != nil {
		return nil, fmt.Errorf("its statement: %w", err)
	}
	if its.Type != statementType {
		return nil, fmt.Errorf("its statement: _type is %.80q, must be %s", its.Type, statementType)
	}
	if its.PredicateType == TypeSimpleSigning || its.PredicateType == TypeMessage { // a signature of it signs something else
		return nil, fmt.Errorf("its statement: predicateType cannot be %s", its.PredicateType)
	}
	signed := &Signed{Statement: Statement{its.PredicateType, read.Payload}}
	for i := range read.Signatures {
		signed.Signatures = append(signed.Signatures, v1alpha1.StatementSignature{Signature: read.Signatures[i].Signature})
	}
	return signed, nil
}

// Content reads a statement.
func (s *Statement) Content() (*Content, error) {
	if s.Type == TypeMessage {
		return &Content{Type: s.Type, Digests: []string{"sha256:" + hex.EncodeToString(s.Payload)}}, nil
	}
	if s.Type == TypeSimpleSigning {
		var its simple
		if err := json.Unmarshal(s.Payload, &its); err != nil {
			return nil, fmt.Errorf("read a signature: %w", err)
		}
		if its.Critical.Type != simpleType {
			return nil, fmt.Errorf("read a signature: critical.type is %.80q, must be %s", its.Critical.Type, simpleType)
		}
		return &Content{Type: s.Type, Digests: []string{its.Critical.Image.Digest}}, nil
	}
	var predicate json.RawMessage
	its := wire{Predicate: &predicate}
	if err := json.Unmarshal(s.Payload, &its); err != nil {
		return nil, fmt.Errorf("read a statement: %w", err)
	}
	if its.Type != statementType {
		return nil, fmt.Errorf("read a statement: _type is %.80q, must be %s", its.Type, statementType)
	}
	content := &Content{Type: its.PredicateType, Predicate: predicate}
	for i := range its.Subject {
		if digest := its.Subject[i].Digest["sha256"]; digest != "" {
			content.Digests = append(content.Digests, "sha256:"+digest)
		}
	}
	return content, nil
}

// ReadAnswer reads a statement in an answer of the attest subresource.
func ReadAnswer(statement *v1alpha1.SignedStatement) (*Signed, error) {
	reader, err := gzip.NewReader(bytes.NewReader(statement.Payload))
	if err != nil {
		return nil, fmt.Errorf("decompress the statement %s: %w", statement.Type, err)
	}
	var payload bytes.Buffer
	size := binary.LittleEndian.Uint32(statement.Payload[len(statement.Payload)-4:]) // at the end of what gzip has read the beginning of
	payload.Grow(int(min(size, maxPayload)) + bytes.MinRead)
	if _, err := payload.ReadFrom(reader); err != nil {
		return nil, fmt.Errorf("decompress the statement %s: %w", statement.Type, err)
	}
	return &Signed{Statement{statement.Type, payload.Bytes()}, statement.Signatures}, nil
}

// Packages returns how many packages a bill of materials in CycloneDX lists.
func (c *Content) Packages() (int, error) {
	var bill struct {
		Components few[struct {
			Type string `json:"type"`
		}] `json:"components"`
	}
	if err := json.Unmarshal(c.Predicate, &bill); err != nil {
		return 0, fmt.Errorf("read a bill of materials: %w", err)
	}
	number := 0
	for _, component := range bill.Components {
		if component.Type != "operating-system" {
			number++
		}
	}
	return number, nil
}
