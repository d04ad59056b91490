// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +genclient
// +genclient:nonNamespaced
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// SigningKey declares a key that signs statements about the artifacts of builds. The private key is in a Secret that only the signer
// reads. During a rotation, several keys sign the builds of a namespace.
type SigningKey struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec selects the private key and the builds that it signs.
	// +required
	Spec SigningKeySpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// status publishes the public key. The server ignores status in requests that create or update the SigningKey.
	// +optional
	Status SigningKeyStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// SigningKeyList is a list of SigningKeys.
type SigningKeyList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items lists the SigningKeys.
	Items []SigningKey `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// SigningKeySpec selects a private key and the builds that it signs.
// +k8s:validation-gen=true
type SigningKeySpec struct {
	// secretRef selects the Secret with the private key, in the namespace of the signer. Its key signing.key has an ECDSA key on the curve
	// P-256 in PEM, without a passphrase. secretRef is immutable: another key is another SigningKey.
	// +required
	SecretRef SecretReference `json:"secretRef" protobuf:"bytes,1,opt,name=secretRef"`
	// namespaceSelector selects the namespaces whose builds the key signs, by their labels. Every namespace has the label
	// kubernetes.io/metadata.name. Defaults to none, which selects all namespaces.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty" protobuf:"bytes,2,opt,name=namespaceSelector"`
	// notAfter is the time from which the key signs nothing. Its public key stays in status, so that earlier signatures can be verified.
	// Defaults to no limit.
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty" protobuf:"bytes,3,opt,name=notAfter"`
}

// SigningKeyStatus publishes the public key of a SigningKey. The signer sets each field.
type SigningKeyStatus struct {
	// observedGeneration is the generation of the SigningKey that conditions describe.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty" protobuf:"varint,1,opt,name=observedGeneration"`
	// keyID is the digest of the public key in DER, as a SubjectPublicKeyInfo: "sha256:" and 64 hex digits. keyID never changes, so that
	// another key in the Secret signs nothing.
	// +optional
	KeyID string `json:"keyID,omitempty" protobuf:"bytes,2,opt,name=keyID"`
	// publicKey is the public key in PEM, as a SubjectPublicKeyInfo.
	// +optional
	PublicKey string `json:"publicKey,omitempty" protobuf:"bytes,3,opt,name=publicKey"`
	// conditions contains the type Ready.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,4,rep,name=conditions"`
}

const (
	// PublisherTokenHeader is the header of a request at the attest subresource with the token of the publisher.
	PublisherTokenHeader = "Goldsmith-Publisher-Token"
	// PublisherAudience is the audience of the token of the publisher.
	PublisherAudience = "images.goldsmith.dev/publisher"
	// MaxIndexBytes is the maximum size of an index to attest, in bytes.
	MaxIndexBytes = 64 << 10
)

const (
	// SystemNamespace is the namespace of Goldsmith's own programs, and of the Secrets of SigningKeys, unless an installation has another namespace.
	SystemNamespace = "goldsmith-system"
	// ArchiveNamespace is the namespace of the Jobs that check archives, unless an installation has another namespace. It has no Secrets and no
	// programs, because these Jobs fetch addresses from locks.
	ArchiveNamespace = "goldsmith-archives"
)

// LabelSigningKey is the label of a Secret that `goldsmith keys create` makes. Its value is the name of the SigningKey.
const LabelSigningKey = GroupName + "/signing-key"

// SigningKeyFile is the key of a Secret with the private key of a SigningKey.
const SigningKeyFile = "signing.key"

// AttestPolicy decides whether the artifacts of a build are signed.
// +enum
type AttestPolicy string

const (
	// AttestAutomatic signs the artifacts if a SigningKey selects the namespace of the build.
	AttestAutomatic AttestPolicy = "Automatic"
	// AttestRequired signs the artifacts, and fails the build if no SigningKey selects its namespace.
	AttestRequired AttestPolicy = "Required"
	// AttestNever leaves the artifacts unsigned.
	AttestNever AttestPolicy = "Never"
)

// Attestation records what Goldsmith states about the artifacts of an attempt. It has the digests of the statements, and not the statements:
// they are documents of the artifacts.
type Attestation struct {
	// attempt is the number of the attempt that made the artifacts.
	// +required
	Attempt int32 `json:"attempt" protobuf:"varint,1,opt,name=attempt"`
	// version is the version of the server that made the statements.
	// +optional
	Version string `json:"version,omitempty" protobuf:"bytes,2,opt,name=version"`
	// artifacts lists the artifacts, one for each target whose content Goldsmith has read.
	// +optional
	// +patchMergeKey=target
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=target
	Artifacts []AttestedArtifact `json:"artifacts,omitempty" patchStrategy:"merge" patchMergeKey:"target" protobuf:"bytes,3,rep,name=artifacts"`
	// indexes lists the image indexes of the artifacts, at most one for each artifact.
	// +optional
	// +patchMergeKey=digest
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=digest
	Indexes []AttestedIndex `json:"indexes,omitempty" patchStrategy:"merge" patchMergeKey:"digest" protobuf:"bytes,4,rep,name=indexes"`
}

// AttestedIndex is an image index whose manifests are those of attested artifacts, with the statements about it.
type AttestedIndex struct {
	// digest is the digest of the index: "sha256:" and 64 hex digits.
	// +required
	Digest string `json:"digest" protobuf:"bytes,1,opt,name=digest"`
	// statements lists the statements about the index.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Statements []AttestedStatement `json:"statements,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,2,rep,name=statements"`
}

// AttestedArtifact is an artifact with the statements about it.
type AttestedArtifact struct {
	// target is the platform and the format of the artifact, joined by a slash.
	// +required
	Target string `json:"target" protobuf:"bytes,1,opt,name=target"`
	// digest is the digest of the artifact's content: "sha256:" and 64 hex digits.
	// +required
	Digest string `json:"digest" protobuf:"bytes,2,opt,name=digest"`
	// manifest is the digest of the artifact's OCI manifest, which is the same in every repository.
	// +required
	Manifest string `json:"manifest" protobuf:"bytes,3,opt,name=manifest"`
	// statements lists the statements about the artifact.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Statements []AttestedStatement `json:"statements,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,4,rep,name=statements"`
}

// AttestedStatement is a statement about an artifact, and its signatures.
type AttestedStatement struct {
	// type is the predicate type of an in-toto statement, or the media type of the payload of a cosign signature.
	// +required
	Type string `json:"type" protobuf:"bytes,1,opt,name=type"`
	// signedDigest is the digest of what a signature signs: the pre-authentication encoding of the statement (DSSE), or the
	// payload of a cosign signature. "sha256:" and 64 hex digits.
	// +required
	SignedDigest string `json:"signedDigest" protobuf:"bytes,2,opt,name=signedDigest"`
	// signatures lists the signatures, one for each key.
	// +optional
	// +patchMergeKey=keyID
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=keyID
	Signatures []StatementSignature `json:"signatures,omitempty" patchStrategy:"merge" patchMergeKey:"keyID" protobuf:"bytes,3,rep,name=signatures"`
}

// StatementSignature is a signature of a statement.
type StatementSignature struct {
	// keyID is the keyID of the SigningKey.
	// +required
	KeyID string `json:"keyID" protobuf:"bytes,1,opt,name=keyID"`
	// signature is the ECDSA signature of the digest, in ASN.1. A key makes the same signature of a digest each time (RFC 6979).
	// +required
	Signature []byte `json:"signature" protobuf:"bytes,2,opt,name=signature"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuildAttestation uploads what was read in the pod of a build's current attempt, after its builder has ended, and returns what Goldsmith
// states about it. The publisher of the pod creates a BuildAttestation at the attest subresource of its own build, with a token that is bound to
// the pod. With an artifact, it also sends the token of its own, in the header of the request, which the builder cannot read. The same request
// returns the same statements, with the signatures that the signer has made by then.
// +k8s:validation-gen=true
type BuildAttestation struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is optional. If it is set, it must be the name of the build.
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// locks has the locks of the artifacts, at most 16, each compressed by gzip. With artifact, it has at most the lock of the artifact.
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:maxItems=16
	Locks [][]byte `json:"locks,omitempty" protobuf:"bytes,2,rep,name=locks"`
	// artifact is an artifact that the pod has read and published by its digest, with the documents about it. Defaults to none.
	// +optional
	Artifact *Artifact `json:"artifact,omitempty" protobuf:"bytes,3,opt,name=artifact"`
	// manifest is the digest of the OCI manifest of the artifact: "sha256:" and 64 hex digits.
	// +optional
	Manifest string `json:"manifest,omitempty" protobuf:"bytes,4,opt,name=manifest"`
	// statements lists the statements about the artifact. Only the answer of the server has them.
	// +optional
	// +listType=atomic
	Statements []SignedStatement `json:"statements,omitempty" protobuf:"bytes,5,rep,name=statements"`
	// waitingFor lists the names of the SigningKeys that have not signed all statements yet. The pod repeats its request until waitingFor is
	// empty. Only the answer of the server has it.
	// +optional
	// +listType=set
	WaitingFor []string `json:"waitingFor,omitempty" protobuf:"bytes,6,rep,name=waitingFor"`
	// index is an OCI image index, as it is in the registry, of manifests that the build has attested. A request with index has no artifact
	// and no locks. At most 64 KiB. Defaults to none.
	// +optional
	Index []byte `json:"index,omitempty" protobuf:"bytes,7,opt,name=index"`
}

// SignedStatement is a statement with its signatures.
type SignedStatement struct {
	// type is the predicate type of an in-toto statement, or the media type of the payload of a cosign signature.
	// +required
	Type string `json:"type" protobuf:"bytes,1,opt,name=type"`
	// payload is the statement, compressed by gzip.
	// +required
	Payload []byte `json:"payload" protobuf:"bytes,2,opt,name=payload"`
	// signatures lists the signatures, one for each key. signatures is empty for a statement that no key signs.
	// +optional
	// +listType=atomic
	Signatures []StatementSignature `json:"signatures,omitempty" protobuf:"bytes,3,rep,name=signatures"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuildSignatures uploads signatures of the statements about a build's artifacts. The signer creates BuildSignatures at the signatures
// subresource of the build. The server verifies the signatures with the public key in the status of the SigningKey.
// +k8s:validation-gen=true
type BuildSignatures struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is optional. If it is set, it must be the name of the build.
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// key is the name of the SigningKey.
	// +required
	// +k8s:required
	// +k8s:format=k8s-long-name
	Key string `json:"key" protobuf:"bytes,2,opt,name=key"`
	// signatures lists the signatures, at most 256.
	// +required
	// +listType=atomic
	// +k8s:required
	// +k8s:maxItems=256
	Signatures []DigestSignature `json:"signatures" protobuf:"bytes,3,rep,name=signatures"`
}

// DigestSignature is a signature of what has a digest.
type DigestSignature struct {
	// signedDigest is the signedDigest of a statement in the status of the build.
	// +required
	SignedDigest string `json:"signedDigest" protobuf:"bytes,1,opt,name=signedDigest"`
	// signature is the ECDSA signature of the digest, in ASN.1.
	// +required
	Signature []byte `json:"signature" protobuf:"bytes,2,opt,name=signature"`
}
