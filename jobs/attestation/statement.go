// SPDX-License-Identifier: Apache-2.0

// Package attestation makes the statements about the artifacts of a build, and the forms in which registries and files have them with
// their signatures, and reads these forms again.
//
// A statement is an in-toto Statement v1 (https://in-toto.io/Statement/v1) about an artifact: its OCI manifest and its content, so that the same
// statement verifies a reference and a file. It is made of the immutable parts of a build only, so it can be made again. Its JSON is
// compact, with the keys of maps sorted. An index of artifacts has only the statements that say that it is signed.
//
// A signature is of the pre-authentication encoding of a statement (https://github.com/secure-systems-lab/dsse). The forms are the Sigstore
// bundle v0.3, and the tags of cosign before version 3.
package attestation

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/sbom"
)

// The types of statements.
const (
	// TypeSignature says that the artifact is signed, as cosign says it. It has no predicate.
	TypeSignature = "https://sigstore.dev/cosign/sign/v1"
	// TypeProvenance tells how the artifact was built (https://slsa.dev/provenance/v1).
	TypeProvenance = "https://slsa.dev/provenance/v1"
	// TypeCycloneDX has a bill of materials in CycloneDX.
	TypeCycloneDX = "https://cyclonedx.org/bom"
	// TypeSPDX has a bill of materials in SPDX.
	TypeSPDX = "https://spdx.dev/Document"
	// TypeSimpleSigning is the payload of a signature that cosign before version 3 reads. It is no in-toto statement, and names the manifest only.
	TypeSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
)

const (
	statementType = "https://in-toto.io/Statement/v1"
	// payloadType is the type of the payload of an envelope with a statement.
	payloadType = "application/vnd.in-toto+json"
)

// Statement is a statement about an artifact.
type Statement struct {
	// Type is one of the types of statements.
	Type string
	// Payload is the statement as JSON, except for TypeMessage.
	Payload []byte
}

// SignedDigest returns the digest of what a signature of the statement signs. It is empty for TypeMessage, because a file is no statement: package signing
// has functions of their own for files.
func (s *Statement) SignedDigest() string {
	switch s.Type {
	case TypeSimpleSigning:
		return contents.Digest(s.Payload)
	case TypeMessage:
		return ""
	}
	return envelopeDigest(payloadType, s.Payload)
}

// envelopeDigest returns the digest of the pre-authentication encoding of a payload.
func envelopeDigest(payloadType string, payload []byte) string {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload)) // a Hash returns no error
	sum.Write(payload)
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// Subject is an artifact that statements are about.
type Subject struct {
	// Artifact has the target, the digest and the documents of the artifact. Its location is REPOSITORY@DIGEST, if it was published.
	Artifact *v1alpha1.Artifact
	// Manifest is the digest of the OCI manifest of the artifact.
	Manifest string
}

// repository returns the repository that the artifact was published in, or "".
func (s *Subject) repository() string {
	repository, _, _ := strings.Cut(s.Artifact.Location, "@"+s.Manifest)
	if repository == s.Artifact.Location {
		return ""
	}
	return repository
}

// fileName returns the name of the file in which clients store the content.
func (s *Subject) fileName() string { return strings.TrimPrefix(s.Artifact.FileName(""), "-") }

// wire is an in-toto statement as JSON.
type wire struct {
	Type          string          `json:"_type"`
	Subject       few[descriptor] `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     any             `json:"predicate"`
}

// descriptor is a ResourceDescriptor of in-toto v1.
type descriptor struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"`
	Content     []byte            `json:"content,omitempty"`
	MediaType   string            `json:"mediaType,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// digestSet returns a digest of a descriptor.
func digestSet(digest string) map[string]string {
	algorithm, value, ok := strings.Cut(digest, ":")
	if !ok {
		return nil
	}
	return map[string]string{algorithm: value}
}

// Builder is the program that built an artifact, and the system that ran it.
type Builder struct {
	// ID identifies the system, as a URI.
	ID string
	// Version is the version of Goldsmith.
	Version string
}

// predicate is what a statement says about its subjects.
type predicate struct {
	of    string
	value any
}

// Make returns the statements about an artifact of the current attempt of a build: its provenance, a bill of materials in each format that
// Goldsmith made of the lock, that it reproduces the artifact of another build, if it does, and the two signatures of cosign. content is the lock,
// or nil if the artifact has none.
func Make(build *v1alpha1.ImageBuild, of Subject, content []byte, builder Builder) ([]Statement, error) {
	var its *v1alpha1.Lock
	if content != nil {
		var err error
		if its, err = lock.Read(content); err != nil {
			return nil, fmt.Errorf("read the lock: %w", err)
		}
	}
	predicates := []predicate{{TypeProvenance, provenanceOf(build, &of, its, builder)}}
	for i := range of.Artifact.Documents {
		bill, err := billOf(&of.Artifact.Documents[i], its, &of)
		if err != nil {
			return nil, err
		}
		if bill != nil {
			predicates = append(predicates, *bill)
		}
	}
	if again := reproductionOf(build, of.Artifact); again != nil {
		predicates = append(predicates, *again)
	}
	predicates = append(predicates, predicate{TypeSignature, struct{}{}})
	subjects := []descriptor{
		{Name: of.repository(), Digest: digestSet(of.Manifest)},
		{Name: of.fileName(), Digest: digestSet(of.Artifact.Digest)},
	}
	return newStatements(subjects, predicates, of.repository(), of.Manifest)
}

// MakeIndex returns the statements about an index of artifacts in a repository: the two signatures of cosign. The artifacts have the others.
func MakeIndex(repository, digest string) ([]Statement, error) {
	return newStatements([]descriptor{{Name: repository, Digest: digestSet(digest)}}, []predicate{{TypeSignature, struct{}{}}}, repository, digest)
}

// newStatements returns statements about subjects, and the signature of a manifest for cosign before version 3.
func newStatements(subjects []descriptor, predicates []predicate, repository, manifest string) ([]Statement, error) {
	var statements []Statement
	for _, predicate := range predicates {
		payload, err := json.Marshal(wire{statementType, subjects, predicate.of, predicate.value})
		if err != nil {
			return nil, fmt.Errorf("write the statement %s: %w", predicate.of, err)
		}
		statements = append(statements, Statement{predicate.of, payload})
	}
	payload, err := json.Marshal(simple{Critical: critical{identity{repository}, image{manifest}, simpleType}})
	if err != nil {
		return nil, fmt.Errorf("write the payload of a signature: %w", err)
	}
	return append(statements, Statement{TypeSimpleSigning, payload}), nil
}

// billOf returns the bill of materials that Goldsmith made of a lock, or nil for any other document. It makes the bill again, and fails if it is not the
// document.
func billOf(document *v1alpha1.ArtifactDocument, its *v1alpha1.Lock, of *Subject) (*predicate, error) {
	if document.MadeBy != v1alpha1.DocumentMadeByGoldsmith || document.Type != v1alpha1.DocumentSBOM || its == nil {
		return nil, nil
	}
	var text bytes.Buffer
	about := sbom.Subject{Target: of.Artifact.Target, Digest: of.Artifact.Digest}
	bill := &predicate{}
	var err error
	switch document.MediaType {
	case v1alpha1.MediaTypeCycloneDX:
		bill.of, err = TypeCycloneDX, sbom.CycloneDX(&text, its, about)
	case v1alpha1.MediaTypeSPDX:
		bill.of, err = TypeSPDX, sbom.SPDX(&text, its, about)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("write the SBOM: %w", err)
	}
	if contents.Digest(text.Bytes()) != document.Digest {
		return nil, fmt.Errorf("the document %s is not the SBOM of the lock: the server and the publisher have different versions", contents.Abbreviate(document.Digest))
	}
	bill.value = json.RawMessage(text.Bytes())
	return bill, nil
}

// simpleType is the type of a signature for cosign before version 3.
const simpleType = "cosign container image signature"

type (
	// simple is the payload of a signature for cosign before version 3.
	simple struct {
		Critical critical `json:"critical"`
		Optional any      `json:"optional"`
	}
	critical struct {
		Identity identity `json:"identity"`
		Image    image    `json:"image"`
		Type     string   `json:"type"`
	}
	identity struct {
		Reference string `json:"docker-reference"`
	}
	image struct {
		Digest string `json:"docker-manifest-digest"`
	}
)
