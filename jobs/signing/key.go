// SPDX-License-Identifier: Apache-2.0

// Package signing reads keys, signs with them, verifies signatures, and decides which keys sign the builds of a namespace.
//
// Keys sign in three protocols, whose texts are never the same: the pre-authentication encoding of DSSE, which begins with "DSSEv1 "; the payload of
// simple signing, a JSON object; and files, which are neither. Authors of images choose long parts of the first two, so that a file that equals one of
// them could do anything. SignStatement and VerifyStatement are for the first two, SignFile and VerifyFile for files.
package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"goldsmith.dev/goldsmith/apis/contents"
)

const (
	privateType = "PRIVATE KEY"
	publicType  = "PUBLIC KEY"
	// makeKey is the remedy if there is no SigningKey.
	makeKey = "make one with goldsmith keys create"
	// otherKey is the remedy for a private key that cannot be used, in a Secret or in a file.
	otherKey = makeKey + " or openssl ecparam -name prime256v1 -genkey"
	// publicOfSigningKey is where users find a public key.
	publicOfSigningKey = "goldsmith keys get NAME prints that of a SigningKey"
)

// PrivateKey signs. It is an ECDSA key on the curve P-256, which every verifier of DSSE and of cosign signatures knows.
type PrivateKey struct{ key *ecdsa.PrivateKey }

// PublicKey verifies signatures.
type PublicKey struct {
	key *ecdsa.PublicKey
	der []byte
}

// Generate makes a new key.
func Generate() (*PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	return &PrivateKey{key}, nil
}

// ReadPrivate reads a private key in PEM, in the form PKCS #8 or SEC 1. It fails for any other key, and for one with a passphrase. The error
// says nothing about the key.
func ReadPrivate(text []byte) (*PrivateKey, error) {
	block, err := onlyBlock(text)
	if errors.Is(err, errNoKey) {
		return nil, fmt.Errorf("%w, which begins with -----BEGIN PRIVATE KEY-----: %s", err, otherKey)
	}
	if err != nil {
		return nil, err
	}
	var key any
	switch {
	case strings.Contains(block.Type, "ENCRYPTED") || block.Headers["Proc-Type"] != "":
		return nil, errors.New("the key has a passphrase: store it without one, or " + otherKey)
	case block.Type == privateType:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case block.Type == publicType:
		return nil, errors.New("the key is public: store the private key, or " + otherKey)
	case !strings.HasSuffix(block.Type, privateType): // the type is not told, because it can be anything
		return nil, errors.New("the PEM block is not a private key: " + otherKey)
	}
	if err != nil {
		return nil, errors.New("the private key cannot be read: " + otherKey)
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("the key is not an ECDSA key on the curve P-256: " + otherKey)
	}
	return &PrivateKey{private}, nil
}

// ReadPublic reads a public key in PEM, as a SubjectPublicKeyInfo.
func ReadPublic(text []byte) (*PublicKey, error) {
	block, err := onlyBlock(text)
	if errors.Is(err, errNoKey) {
		return nil, fmt.Errorf("%w, which begins with -----BEGIN PUBLIC KEY-----: %s", err, publicOfSigningKey)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(block.Type, privateType):
		return nil, errors.New("the key is private: " + publicOfSigningKey)
	case block.Type != publicType:
		return nil, errors.New("the PEM block is not a public key: " + publicOfSigningKey)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the public key cannot be read: " + publicOfSigningKey)
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, errors.New("the public key is not an ECDSA key on the curve P-256: " + publicOfSigningKey)
	}
	return newPublic(public)
}

var errNoKey = errors.New("there is no key in PEM")

// onlyBlock returns the PEM block of a text, which may begin with the parameters of a curve, as openssl ecparam -genkey writes them.
func onlyBlock(text []byte) (*pem.Block, error) {
	block, rest := pem.Decode(text)
	if block != nil && block.Type == "EC PARAMETERS" {
		block, rest = pem.Decode(rest)
	}
	switch {
	case block == nil:
		return nil, errNoKey
	case strings.TrimSpace(string(rest)) != "":
		return nil, errors.New("there is more than one key in PEM, or text after it: leave one key")
	}
	return block, nil
}

// PEM returns the private key in PEM, in the form PKCS #8.
func (k *PrivateKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return nil, fmt.Errorf("write a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateType, Bytes: der}), nil
}

// Public returns the public key.
func (k *PrivateKey) Public() (*PublicKey, error) { return newPublic(&k.key.PublicKey) }

// SignStatement returns the signature, in ASN.1, of what Statement.SignedDigest of package attestation is the digest of: "sha256:" and 64 hex digits.
// The same digest has the same signature (RFC 6979), so that a repeated attestation is the same.
func (k *PrivateKey) SignStatement(signedDigest string) ([]byte, error) {
	sum, err := contents.Sum(signedDigest)
	if err != nil {
		return nil, err
	}
	return k.sign(sum)
}

func (k *PrivateKey) sign(sum []byte) ([]byte, error) {
	signature, err := k.key.Sign(nil, sum, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return signature, nil
}

func newPublic(key *ecdsa.PublicKey) (*PublicKey, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("write a public key: %w", err)
	}
	return &PublicKey{key, der}, nil
}

// PEM returns the public key in PEM.
func (k *PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: publicType, Bytes: k.der})
}

// ID returns the digest of the public key in DER: "sha256:" and 64 hex digits.
func (k *PublicKey) ID() string { return contents.Digest(k.der) }

// VerifyStatement reports whether a signature, in ASN.1, is one of this key of the statement with a signed digest.
func (k *PublicKey) VerifyStatement(signedDigest string, signature []byte) bool {
	sum, err := contents.Sum(signedDigest)
	return err == nil && ecdsa.VerifyASN1(k.key, sum, signature)
}
